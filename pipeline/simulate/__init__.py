"""`simulate`: a product-led software company whose conversions follow a known hazard.

Blocks of 256 accounts are drawn, lived through and written one after the other, so memory does
not grow with the world. Because the hazard is known, so is the true probability of every
snapshot: it is written apart, for tests, and no part of the product reads it.
"""

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.errors import SettingsError
from pipeline.simulate.accounts import Accounts, draw_accounts
from pipeline.simulate.attributes import account_ids, account_table, user_table
from pipeline.simulate.behaviour import simulate_members
from pipeline.simulate.customers import (
    conversion_times,
    purchases,
    sign_ups,
    visits_of_founders,
    visits_of_strangers,
    without_free_plan,
)
from pipeline.simulate.event_table import event_table
from pipeline.simulate.events import Events, product_answers
from pipeline.simulate.files import PartWriter, TableWriter, moment, text
from pipeline.simulate.hazard import conversion_days, hazard_path, truth_columns
from pipeline.simulate.world import BLOCK_ACCOUNTS, SimulateSpec, describe

WORLD_FILE = "world.json"
TRUTH_NOTE = "True probabilities, for tests only: the product never reads this folder.\n"


@dataclass(frozen=True)
class SimulationSummary:
    """What a world holds.

    Parameters
    ----------
    users
        Members of accounts; strangers who only visited the site are not counted.
    events
        Rows of the part files, duplicates and broken rows included.
    conversions
        Staff accounts included.
    base_rate
        Mean true probability to convert within 14 days, over the weekly snapshots of accounts
        with an event in the 28 days before; None where there is no such snapshot.
    reused
        The folder already held this world.
    """

    accounts: int
    users: int
    events: int
    event_files: int
    conversions: int
    snapshots: int
    base_rate: float | None
    reused: bool = False


@dataclass(frozen=True)
class Block:
    """The tables of up to 256 accounts."""

    events: pa.Table
    accounts: pa.Table
    users: pa.Table
    truth: pa.Table
    n_conversions: int


def simulate(
    spec: SimulateSpec, folder: Path, progress: Callable[[int, int], None] | None = None
) -> SimulationSummary:
    """Write the world of `spec` into `folder`, or find it there already.

    The same settings give the same bytes. The world is written beside the folder and renamed
    when complete; an older world in its place is replaced.

    Files
    -----
    ``events/part-00000.parquet`` ...
        ``event_id``, ``event``, ``user_id``, ``account_id``, ``anonymous_id``, ``time``,
        ``received_at`` and properties, per block in the order of arrival.
    ``accounts.parquet``, ``users.parquet``
        attributes, each row holding from ``valid_from`` on.
    ``truth/snapshots.parquet``
        ``account_id``, ``as_of``, ``converts_within_14d`` (probability), ``active_28d``, and the
        terms of the hazard as of the day before.
    ``world.json``
        the settings and the hazard in words, and this summary.

    Raises
    ------
    SettingsError
        When `folder` holds something that is not a simulated world.
    """
    found = _found(spec, folder)
    if found is not None:
        return found
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    summary = _write(spec, partial, progress or (lambda done, total: None))
    world = describe(spec) | {"summary": asdict(summary)}
    (partial / WORLD_FILE).write_text(json.dumps(world, indent=2) + "\n", encoding="utf-8")
    _put_in_place(partial, folder)
    return summary


def simulate_block(spec: SimulateSpec, block: int) -> Block:
    """One block of accounts from sign-up to the end of the world."""
    rng = spec.rng(block)
    first = block * BLOCK_ACCOUNTS
    numbers = np.arange(first, min(first + BLOCK_ACCOUNTS, spec.accounts))
    accounts = draw_accounts(spec, numbers, rng)
    members, done = simulate_members(spec, accounts, rng)
    answers = product_answers(spec, accounts, done, rng)
    lived = Events.concat([sign_ups(accounts), done, answers])

    path = hazard_path(spec, accounts, members, lived)
    converted = conversion_days(path, rng)
    converted_at, buyer = conversion_times(spec, accounts, lived, converted, rng)
    told = Events.concat(
        [
            visits_of_founders(spec, accounts, rng),
            without_free_plan(lived, converted_at),
            purchases(spec, converted_at, buyer, rng),
            visits_of_strangers(spec, len(accounts) // 2, len(members), rng),
        ]
    )
    return Block(
        events=event_table(spec, accounts, members, told, rng),
        accounts=account_table(spec, accounts),
        users=user_table(accounts, members),
        truth=_truth_table(accounts, truth_columns(spec, accounts, path, converted)),
        n_conversions=int((converted_at < spec.end_us).sum()),
    )


def _truth_table(accounts: Accounts, columns: dict[str, np.ndarray]) -> pa.Table:
    named = {
        "account_id": text(columns["account_id"], account_ids(accounts)),
        "as_of": moment(columns["as_of"]),
    }
    return pa.table(columns | named)


def _found(spec: SimulateSpec, folder: Path) -> SimulationSummary | None:
    """Summary of the world in `folder` if it is the one asked for."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    path = folder / WORLD_FILE
    if not path.is_file():
        raise SettingsError(
            f"{str(folder)!r} is not a simulated world ({WORLD_FILE} is missing) and is left as it "
            "is. Name a new or empty folder for the simulation."
        )
    world = json.loads(path.read_text(encoding="utf-8"))
    summary = world.pop("summary")
    if world != describe(spec):
        return None
    return SimulationSummary(**summary | {"reused": True})


def _write(
    spec: SimulateSpec, partial: Path, progress: Callable[[int, int], None]
) -> SimulationSummary:
    n_conversions, n_active, gathered = 0, 0, 0.0
    (partial / "truth").mkdir()
    (partial / "truth" / "README").write_text(TRUTH_NOTE, encoding="utf-8")
    with ExitStack() as stack:
        events = stack.enter_context(PartWriter(partial / "events", spec.events_per_file))
        accounts = stack.enter_context(TableWriter(partial / "accounts.parquet"))
        users = stack.enter_context(TableWriter(partial / "users.parquet"))
        truth = stack.enter_context(TableWriter(partial / "truth" / "snapshots.parquet"))
        for number in range(spec.n_blocks):
            block = simulate_block(spec, number)
            events.write(block.events)
            accounts.write(block.accounts)
            users.write(block.users)
            truth.write(block.truth)
            n_conversions += block.n_conversions
            active = block.truth.filter(block.truth["active_28d"])["converts_within_14d"]
            n_active += len(active)
            gathered += float(np.sum(active.to_numpy()))
            n_accounts = min((number + 1) * BLOCK_ACCOUNTS, spec.accounts)
            progress(n_accounts, spec.accounts)
    return SimulationSummary(
        accounts=spec.accounts,
        users=users.n_rows,
        events=events.n_rows,
        event_files=events.n_files,
        conversions=n_conversions,
        snapshots=truth.n_rows,
        base_rate=gathered / n_active if n_active else None,
    )


def _put_in_place(partial: Path, folder: Path) -> None:
    """Rename `partial` to `folder`; whatever was there is deleted only afterwards."""
    outdated = folder.with_name(folder.name + ".outdated")
    shutil.rmtree(outdated, ignore_errors=True)
    if folder.exists():
        folder.rename(outdated)
    partial.rename(folder)
    shutil.rmtree(outdated, ignore_errors=True)
