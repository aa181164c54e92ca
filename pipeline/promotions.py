"""Who was champion when: an append-only record in the registry, kept beside the alias it tells of.

The record lies with the alias and not in a run's own folder, because several folders may share a
registry. It is written before the alias moves: a process that dies between the two leaves a change
that never came, and the next one notes what the alias says.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from features.clock import to_text
from features.errors import SettingsError
from pipeline.settings import Run
from pipeline.tracking import alone

CHAMPION, CHALLENGER = "champion", "challenger"
MOST_REASON = 500
_TAG, _ASKED = "promotion.", "asked."

Kind = Literal["promoted", "forced", "rolled back", "found"]


@dataclass(frozen=True)
class Change:
    """One change of the champion.

    Parameters
    ----------
    sequence
        From 1 in the order of the changes.
    at
        Microseconds UTC; None where nobody said.
    kind
        ``found``: the alias was moved by other means, which was noticed at that time.
    version, former
        The champion from then on, and until then; None for no champion.
    rules
        Of the gate: verdict and what was found, by rule; empty where it was not asked.
    """

    sequence: int
    at: int | None
    kind: Kind
    version: int
    former: int | None
    reason: str = ""
    rules: Mapping[str, tuple[str, str]] | None = None

    def as_dict(self) -> dict[str, Any]:
        told = asdict(self)
        return told | {"at": None if self.at is None else to_text(self.at)}


def changes(client: Any, name: str) -> tuple[Change, ...]:
    """The whole record of a registered model, oldest first."""
    tags = client.get_registered_model(name).tags
    found = [json.loads(text) for key, text in tags.items() if key.startswith(_TAG)]
    return tuple(sorted((Change(**one) for one in found), key=lambda one: one.sequence))


def reign(record: Sequence[Change]) -> tuple[int, ...]:
    """The champions that stand behind today's, oldest first and today's last.

    A promotion lays a version on top, a roll-back takes the top one off: rolling back twice goes
    back two promotions, and what was rolled back never returns by itself.

    Examples
    --------
    >>> steps = [("promoted", 2, 1), ("promoted", 3, 2), ("rolled back", 2, 3), ("forced", 4, 2)]
    >>> record = [Change(at, None, kind, new, old) for at, (kind, new, old) in enumerate(steps)]
    >>> [reign(record[:n]) for n in range(5)]
    [(), (1, 2), (1, 2, 3), (1, 2), (1, 2, 4)]
    """
    standing: list[int] = []
    for one in record:
        if not standing and one.former is not None:
            standing = [one.former]
        # Also where the alias is found at the one below: the change on top never came.
        if one.kind in ("rolled back", "found") and standing[-2:-1] == [one.version]:
            standing.pop()
        elif standing[-1:] != [one.version]:
            standing.append(one.version)
    return tuple(standing)


def move_champion(
    run: Run,
    client: Any,
    name: str,
    version: int,
    kind: Kind,
    *,
    at: int | None,
    reason: str = "",
    rules: Mapping[str, tuple[str, str]] | None = None,
    expected: int | None = None,
    whoever: bool = False,
) -> Change | None:
    """Record a change and move the alias, one process of this store at a time.

    Parameters
    ----------
    expected
        The champion that the decision was made against.
    whoever
        Move it whoever is champion now.

    Returns
    -------
    Change or None
        None, and nothing has changed, where another is champion by now.

    Raises
    ------
    SettingsError
        When the reason is longer than the registry keeps.
    """
    check_reason(reason)
    with alone(run):
        standing = aliased(client, name, CHAMPION)
        if standing != expected and not whoever:
            return None
        kept = changes(client, name)
        record = with_found(kept, standing, at)
        change = Change(len(record) + 1, at, kind, version, standing, reason, rules)
        for one in (*record[len(kept) :], change):
            _write(client, name, one)
        client.set_registered_model_alias(name, CHAMPION, str(version))
        if aliased(client, name, CHALLENGER) == version:
            client.delete_registered_model_alias(name, CHALLENGER)
    return change


def with_found(
    record: Sequence[Change], standing: int | None, at: int | None
) -> tuple[Change, ...]:
    """The record, ending with the champion that stands: what others did is noted as found.

    >>> record = (Change(1, 0, "promoted", 2, 1),)
    >>> with_found(record, 2, 9) == record, with_found(record, 5, 9)[1]
    (True, Change(sequence=2, at=9, kind='found', version=5, former=2, reason='', rules=None))
    """
    if not record or standing is None or record[-1].version == standing:
        return tuple(record)
    return (*record, Change(len(record) + 1, at, "found", standing, record[-1].version))


def champion_at(record: Sequence[Change], at: int) -> int | None:
    """Who was champion at a time; before the first change of which a time is known, the first one.

    >>> record = (Change(1, 5, "promoted", 2, 1), Change(2, 9, "promoted", 3, 2))
    >>> [champion_at(record, at) for at in (4, 5, 8, 20)]
    [1, 2, 2, 3]
    """
    timed = [one for one in record if one.at is not None]
    before = [one for one in timed if one.at is not None and one.at <= at]
    if before:
        return before[-1].version
    return timed[0].former if timed else None


def times_asked(client: Any, name: str, version: int, rows: str) -> int:
    """Note that a version asks the gate on these rows; how often any did since the last promotion.

    The same version on the same rows hears what it heard, and is counted once. A roll-back gives
    no new count, nor does an alias that others moved.

    Parameters
    ----------
    rows
        What tells them from other rows: of their newest as_of, in characters that a tag may have.
    """
    promoted = sum(one.kind in ("promoted", "forced") for one in changes(client, name))
    client.set_registered_model_tag(name, f"{_ASKED}{version:06d}.{rows}", str(promoted))
    tags = client.get_registered_model(name).tags
    return sum(key.startswith(_ASKED) and at == str(promoted) for key, at in tags.items())


def last_change_at(record: Sequence[Change]) -> int | None:
    """When the champion changed last by a command of ours whose time is known.

    Of a change that was only found, nobody knows when it came.
    """
    return max(
        (one.at for one in record if one.at is not None and one.kind != "found"), default=None
    )


def check_reason(reason: str) -> None:
    """Refuse a reason that would not fit into the record.

    Raises
    ------
    SettingsError
        When it is too long.
    """
    if len(reason) > MOST_REASON:
        raise SettingsError(
            f"The reason has {len(reason):,} characters, the record keeps {MOST_REASON}; shorten "
            "it."
        )


def aliased(client: Any, name: str, alias: str) -> int | None:
    """The version that an alias names; None for none."""
    aliases = client.get_registered_model(name).aliases
    return int(aliases[alias]) if alias in aliases else None


def _write(client: Any, name: str, change: Change) -> None:
    text = json.dumps(asdict(change), sort_keys=True, allow_nan=False)
    client.set_registered_model_tag(name, f"{_TAG}{change.sequence:06d}", text)
