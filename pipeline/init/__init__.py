"""`init`: look at event files and write the settings file that a person would have written."""

import shlex
from collections.abc import Callable
from pathlib import Path

from features.clock import to_text
from features.errors import SettingsError, few
from pipeline.importer.report import told_of_folders
from pipeline.init.blocks import (
    BLANK,
    find_supply,
    too_few,
    write_features,
    write_question,
    write_signals,
)
from pipeline.init.data import write_data
from pipeline.init.scorecard import write_scorecard
from pipeline.init.yaml import Page, shown, text
from pipeline.profile import Profile, profile_events
from pipeline.profile.conversion import evidence
from pipeline.settings import parse, slug_name
from pipeline.sources.files import find_files, named, named_from, skipped_folders
from pipeline.sources.quarantine import Counted
from pipeline.sources.spec import DataSpec
from pipeline.tables import write_atomically

_MOST_PRINTED = 30
_NO_NAMES = {"events", "event", "data", "export", "log", "logs", "part", "run"}
_FORMATS = {"posthog": "PostHog export", "segment": "Segment calls", "generic": "event table"}


def write_settings(
    events: tuple[str, ...],
    out: Path,
    *,
    entity: str | None,
    force: bool,
    say: Callable[[str], None],
) -> Path:
    """Profile event files and write a commented settings file to `out`.

    Parameters
    ----------
    events
        Paths or globs; the file names them relative to its own folder.
    entity
        ``account`` or ``user``; None: account where the events carry more than one.
    say
        Receives what was found, a line or a table at a time.

    Returns
    -------
    Path
        The file; it loads with `pipeline.settings.load`.

    Raises
    ------
    SettingsError
        When `out` exists and `force` is not set, or accounts are asked for and there are none.
    EventLogError
        When the files can't be read or do not look like events.
    """
    if out.exists() and not force:
        raise SettingsError(f"{str(out)!r} exists; add --force to overwrite it, or name another.")
    files = find_files(events, Path.cwd())
    with named_from(Path.cwd(), files):
        profile = profile_events(events, entity=entity)
    content = render(profile, out.resolve().parent)
    # A conversion that is still to be filled in is the one thing that may be wrong.
    parse(content.replace(f"  {BLANK}\n", "  events: [filled_in]\n", 1), str(out))
    folders = skipped_folders(events, Path.cwd(), files)
    # Before anything is said: a reader such as `head` may have seen enough.
    write_atomically(out, lambda path: path.write_text(content, encoding="utf-8"))
    for line in [*_found(profile), *told_of_folders(folders, Path.cwd())]:
        say(line)
    say(f"\nWritten: {out}. {_next_step(profile)}: make train SETTINGS={shlex.quote(str(out))}")
    return out


def _next_step(profile: Profile) -> str:
    if profile.conversion is None:
        return "Name the conversion in it, then"
    return "Read it, then"


def render(profile: Profile, folder: Path) -> str:
    """The settings file of a profile, as text; paths are relative to `folder`."""
    page, sizes = Page(), profile.totals
    kinds = sorted({_FORMATS[source.spec.format] for source in profile.sources})
    page.say(
        0,
        f"Settings written by `init` from {sizes.n_events:,} events ({', '.join(kinds)}),",
        f"{_date(sizes.first_at)} to {_date(sizes.last_at)}: {len(profile.events):,} event names, "
        f"{sizes.n_users:,} users, {sizes.n_accounts:,} accounts.",
        f"{_customers(profile)} Every line can be changed;",
        "what is not named here keeps its default. Paths start at this file's folder.",
    )
    page.add(0, f"name: {text(_run_name(profile))}", "of the run and of its model in the registry")
    page.add(0, "seed: 7", "same data, settings and seed: the same model, byte for byte")
    why = "they buy together" if profile.level == "account" else "the events name no accounts"
    if profile.level == "user" and sizes.n_accounts > 1:
        why = "as asked for"
    page.add(0, f"entity: {profile.level}", f"what is scored: {profile.entities}; {why}")
    supply = find_supply(profile)
    page.gap()
    write_data(page, profile, folder)
    page.gap()
    write_question(page, profile)
    page.gap()
    write_features(page, supply)
    page.gap()
    write_signals(page, supply)
    page.gap()
    write_scorecard(page, supply)
    page.gap()
    page.say(
        0,
        "Tiers are ranges of probability, fixed at training: hot and critical together are as many",
        "a week as your people can call.",
    )
    page.add(0, "model:")
    page.add(1, "tiers: {by: capacity, reps: 2, per_rep_per_week: 10}")
    return page.content


def _customers(profile: Profile) -> str:
    if profile.conversion is None:
        return "WHAT MAKES A CUSTOMER IS STILL TO BE FILLED IN, see conversion."
    return f"Customers are taken to be those with {shown(profile.conversion.event.name)}."


def _found(profile: Profile) -> list[str]:
    """What `init` tells on the terminal."""
    sizes = profile.totals
    lines = [
        f"{sizes.n_events:,} events, {_date(sizes.first_at)} to {_date(sizes.last_at)}, "
        f"{sizes.n_users:,} users, {sizes.n_accounts:,} accounts",
        *_table(profile),
        *_counted(profile),
        *_skipped(profile),
        *_converts(profile),
    ]
    if profile.level == "user" and sizes.n_accounts <= 1:
        found = "Only one account" if sizes.n_accounts else "No account"
        lines.append(f"{found} was found in the events: users are scored.")
    lines += _unusable(profile)
    if profile.until is not None:
        lines.append(f"From {to_text(profile.until)} on the events only trickle in: cut off there.")
    lines += [f"Note: {told}." for source in profile.sources for told in source.assumed]
    return lines


def _counted(profile: Profile) -> list[str]:
    """How many users and accounts an import counts, where these are not all."""
    sizes, (users, accounts) = profile.totals, profile.n_kept
    if (users, accounts, 0) == (sizes.n_users, sizes.n_accounts, sizes.n_strangers):
        return []
    why = f" {sizes.n_strangers:,} anonymous visitors were never identified." * bool(
        sizes.n_strangers
    )
    return [
        f"An import counts {users:,} users and {accounts:,} accounts: those with an event that is "
        f"neither dropped nor cut off.{why}"
    ]


def _skipped(profile: Profile) -> list[str]:
    """Files that are left out, and how to have them read or not matched."""
    names = {
        why: few(named(one.path, Path.cwd()) for one in profile.skipped if one.why == why)
        for why in ("no events", "no names")
    }
    lines = []
    if names["no events"]:
        lines.append(
            f"Left out, as no row is an event with a name, a time and an id: {names['no events']}."
        )
    if names["no names"]:
        lines.append(
            f"PLEASE CHECK: left out, as no column is called event: {names['no names']}. To take "
            "the rows of a file as events all the same, name it itself, without a glob."
        )
    if lines:
        lines.append(
            "The settings name the files that are left; for files to come, write a glob that "
            "leaves those out."
        )
    return lines


def _converts(profile: Profile) -> list[str]:
    """What is taken for the purchase, and what speaks against it."""
    best, near = profile.conversion, [one for one in profile.candidates if one.plausible]
    lines = []
    for label, one in zip(("Conversion", "Less likely", "Less likely"), near, strict=False):
        found = evidence(one, profile.entities, profile.totals.n_entities)
        lines.append(f"{label}: {shown(one.event.name)}: {found}")
    if best is None:
        lines.append(
            "PLEASE FILL IN: no event looks like a purchase, so conversion.events is empty. Name "
            "the event that makes a customer there, or add data.conversions."
        )
    elif not best.convincing:
        lines.append(
            f"PLEASE CHECK: no event surely is a purchase; {shown(best.event.name)} is only the "
            "best guess. Set conversion.events, or add data.conversions."
        )
    if told := too_few(profile):
        lines.append(
            f"PLEASE CHECK: {told}. Name the event that makes a customer, if it is another, or "
            "bring a longer history."
        )
    return lines


def _unusable(profile: Profile) -> list[str]:
    """Rows that an import can't use, the files they lie in, and whether they would stop it."""
    n_bad = profile.totals.n_unusable
    if not n_bad:
        return []
    n_rows = profile.totals.n_events + n_bad
    files = few(Counted(named(path, Path.cwd()), n) for path, n in profile.unusable.items())
    told = f"{n_bad:,} of {n_rows:,} rows can't be used, in {files}: {profile.why_unusable}"
    most = DataSpec.model_fields["max_bad_share"].default
    if n_bad <= most * n_rows:
        return [f"{told} They are left out."]
    return [
        f"PLEASE CHECK: {told} More than {most:.0%} stop a training: mend the export, run init "
        "again without the files that hold something else than events, or set data.max_bad_share."
    ]


def _table(profile: Profile) -> list[str]:
    head = ("event", "events", profile.entities, "first", "last")
    rows = [
        (
            shown(e.name, 40)[1:-1],
            f"{e.n_events:,}",
            f"{e.n_entities:,}",
            _date(e.first_at),
            _date(e.last_at),
        )
        for e in profile.events[:_MOST_PRINTED]
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in (0, 3, 4) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    ]
    more = len(profile.events) - _MOST_PRINTED
    return [*lines, f"... and {more:,} rarer ones"] if more > 0 else lines


def _date(us: int) -> str:
    return to_text(us)[:10]


def _run_name(profile: Profile) -> str:
    """The file's name, or the folder's where the file is just called events."""
    path = Path(profile.sources[0].spec.files[0]).absolute()
    parts = [path.name.split(".")[0], *(parent.name for parent in path.parents)]
    names = [slug_name(part) for part in parts if part and "*" not in part]
    return next((name for name in names if name not in _NO_NAMES), "events")[:60].rstrip("-_")
