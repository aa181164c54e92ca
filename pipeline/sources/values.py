"""Ids, numbers and e-mail domains from text, as SQL macros."""

LONGEST_NAME = 500
"""Longer ids and event names are corrupt rows, not names (characters)."""

MACROS = r"""
-- 42 in one file, "42" in another and 42.0 from a CSV with gaps are the same id; a large number
-- that was read as a float is written 1e+16.
-- Few ids have what the patterns are for, and looking for that alone is cheap.
create macro id_of(t) as case
    when contains(t, 'e+') and regexp_full_match(trim(t), '-?[0-9](\.[0-9]+)?e\+(1[5-9]|2[0-9])')
        then coalesce(try_cast(try_cast(trim(t) as double) as hugeint)::varchar, trim(t))
    when contains(t, '.0') then nullif(regexp_replace(trim(t), '^(-?[0-9]+)\.0+$', '\1'), '')
    else nullif(trim(t), '') end;

create macro double_of(t) as case t
    when 'true' then 1.0 when 'false' then 0.0 else try_cast(t as double) end;

-- Beyond 1e150 a square is no longer finite; such a number is a mistake, as infinity is.
-- + 0.0 makes one zero of -0.0 and 0.0, which sort as equals but differ in bytes.
create macro number_of(t) as
    case when abs(double_of(t)) <= 1e150 then double_of(t) + 0.0 end;

create macro domain_of(t) as
    case when contains(t, '@') and regexp_full_match(trim(t), '[^@\s]+@[^@\s]+\.[^@\s]+')
        then lower(split_part(trim(t), '@', 2)) end;
"""
