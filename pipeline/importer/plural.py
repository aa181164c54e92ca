"""Counts in words."""


def many(n: int, one: str, several: str | None = None) -> str:
    """A number with its noun, or with its noun and verb.

    >>> many(1, "row"), many(2_000, "row"), many(3, "file is", "files are")
    ('1 row', '2,000 rows', '3 files are')
    """
    return f"{n:,} {one if n == 1 else several or one + 's'}"
