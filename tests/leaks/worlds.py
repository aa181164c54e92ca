"""Small companies whose data knows the outcome in one planted way."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.leakage.finding import Audit
from models.splits import temporal_split
from pipeline.audit import audit
from pipeline.dataset import assemble
from pipeline.demo import make_demo
from pipeline.settings import load
from pipeline.train import import_events

CONVERSION = "subscription_started"
SECOND, HOUR, DAY = (pd.Timedelta(1, unit) for unit in ("s", "h", "D"))


@dataclass(frozen=True)
class Company:
    """Accounts with their sign-up and conversion (NaT for none), sorted by id."""

    accounts: pd.DataFrame

    @property
    def buyers(self) -> pd.DataFrame:
        return self.accounts[self.accounts["converted"].notna()]


@dataclass(frozen=True)
class Leak:
    """What is written beside the events, and the lines of the settings that read it.

    Parameters
    ----------
    events
        ``account_id, event, time``: more events.
    facts
        A table of accounts; with a column ``since`` it has history.
    settings
        Texts of the demo's settings and what they become.
    late_days
        By how much conversions are dated too late.
    """

    events: Callable[[Company, np.random.Generator], pd.DataFrame] | None = None
    facts: Callable[[Company, np.random.Generator], pd.DataFrame] | None = None
    settings: tuple[tuple[str, str], ...] = ()
    late_days: int = 0


def audit_company(
    folder: Path, *, seed: int, leak: Leak | None = None, accounts: int = 800
) -> Audit:
    """Simulate a company, plant the leak, import everything as a user would, and audit it."""
    path = make_demo(folder, accounts=accounts, days=274, seed=seed, say=lambda _: None)
    text = path.read_text() + "\ncompute: {threads: 1}\n"
    if leak is not None:
        text = _plant(folder, leak, text, np.random.default_rng(seed))
    path.write_text(text)
    return audit_settings(path)


def audit_settings(path: Path) -> Audit:
    """The audit of a training with these settings."""
    run = load(path)
    log = import_events(run, lambda _: None)
    data = assemble(run, log, lambda _: None)
    settings = run.settings
    split = temporal_split(data.dataset, settings.horizon_days, settings.evaluation.folds)
    rows = data.dataset.take(split.train | split.calibrate)
    return audit(run, data, rows, lambda _: None)


def _plant(folder: Path, leak: Leak, text: str, rng: np.random.Generator) -> str:
    files = sorted((folder / "world" / "events").glob("*.parquet"))
    events = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    company = _company(events)
    if leak.events is not None:
        more = leak.events(company, rng)
        more["event_id"] = [f"planted {number}" for number in range(len(more))]
        more["received_at"] = more["time"]
        events = pd.concat([events, more], ignore_index=True)
    is_conversion = events["event"] == CONVERSION
    for column in ("time", "received_at"):
        events.loc[is_conversion, column] += leak.late_days * DAY
    for file in files[1:]:
        file.unlink()
    events.to_parquet(files[0], index=False)
    if leak.facts is not None:
        leak.facts(company, rng).to_csv(folder / "world" / "facts.csv", index=False)
    for old, new in leak.settings:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def _company(events: pd.DataFrame) -> Company:
    named = events[events["account_id"].notna()]

    def first(event: str) -> pd.Series:
        return named[named["event"] == event].groupby("account_id")["time"].min()

    times = [first("signed_up").rename("signed_up"), first(CONVERSION).rename("converted")]
    both = pd.concat(times, axis=1)
    return Company(both.sort_index().reset_index(names="account_id"))


def at(accounts: pd.Series, event: str, time: pd.Series) -> pd.DataFrame:
    """Events of one name, one per account given."""
    return pd.DataFrame({"account_id": accounts, "event": event, "time": time})
