"""A small adversarial log and a catalogue that asks for every statistic there is."""

from typing import get_args

import numpy as np
import pandas as pd

from features.catalogue_spec import EventStatistic, FeatureSpec, NumberStatistic
from features.clock import DAY_US, to_us
from features.matrix import Snapshots

START = to_us("2024-02-20")  # spans a leap day
EVENTS = ["login", "invite", "report made", "limit"]
DATA = {
    "properties": {"rows": "number", "quota": "number", "plan": "category"},
    "tables": [],
}
SPEC = FeatureSpec.model_validate(
    {
        "windows_days": (1, 7, 14, 28),
        "trend_days": (7, 14),
        "events": {
            "engagement": ("login",),
            "team": ("invite",),
            "value": ("report made", "limit"),
        },
        "groups": {"any of two": {"dimension": "upgrade", "events": ("limit", "invite")}},
        "detail_days": (14, 28),
        "first_days": 10,
        "business_hours": {"timezone": "Europe/Berlin", "begin": 8, "end": 18},
        "event_statistics": get_args(EventStatistic),
        "properties": {
            "rows": {
                "dimension": "value",
                "events": ("report made", "limit"),
                "statistics": get_args(NumberStatistic),
            },
            "plan": {"dimension": "upgrade"},
        },
        "limits": {
            "seats": {"limit": 6.0},
            "row limit": {"usage": "rows", "limit": "quota"},
        },
        "custom": {
            "reports on pro": {
                "dimension": "value",
                "statistic": "count",
                "events": ("report made", "login"),
                "where": {"plan": {"one_of": ("pro", "never seen")}},
                "days": 14,
            },
            "users with big reports": {
                "dimension": "value",
                "statistic": "active_days",
                "where": {"rows": {"at_least": 0.0, "at_most": 1e6}, "plan": {"one_of": ("free",)}},
            },
            "mean rows on free": {
                "dimension": "value",
                "statistic": "mean",
                "property": "rows",
                "where": {"plan": {"one_of": ("free",)}},
                "days": 28,
            },
            "limits per invite": {
                "dimension": "upgrade",
                "statistic": "share",
                "events": ("limit",),
                "against": ("invite", "limit"),
                "days": 28,
            },
        },
    }
)


def adversarial_events(seed: int, n: int = 1500) -> pd.DataFrame:
    """Equal times, events at midnight exactly, a giant account, lone users, late arrivals, gaps."""
    rng = np.random.default_rng(seed)
    at = START + rng.integers(0, 60, n) * DAY_US + rng.choice([0, 1, DAY_US // 2, DAY_US - 1], n)
    bursts = rng.random(n) < 0.5
    at[bursts] = START + rng.integers(0, 60 * 24, bursts.sum()) * (DAY_US // 24)
    user = rng.integers(0, 14, n)
    account = np.where(rng.random(n) < 0.3, 0, user % 5)
    late = np.where(rng.random(n) < 0.1, rng.integers(0, 5 * DAY_US, n), 0)
    return pd.DataFrame(
        {
            "event": rng.choice(EVENTS, n, p=[0.6, 0.1, 0.25, 0.05]),
            "user_id": [f"u{u}" if rng.random() > 0.03 else None for u in user],
            "account_id": [f"a{a}" if a != 4 else None for a in account],
            "time": at.astype("datetime64[us]"),
            "known_at": (at + late).astype("datetime64[us]"),
            "rows": np.where(rng.random(n) < 0.3, np.nan, rng.normal(0, 1e6, n).round(3)),
            "quota": rng.choice([np.nan, 0.0, 1e6, 2e6], n),
            "plan": rng.choice(["free", "pro", None], n),
        }
    ).dropna(subset=["user_id", "account_id"], how="all")


def grid(log, level, every_days: int = 5) -> Snapshots:
    """Every entity at many times, before its first and after its last event."""
    times = np.arange(START - DAY_US, START + 75 * DAY_US, every_days * DAY_US)
    times = np.sort(np.concatenate([times, times[::3] + 12_345_678]))
    n = len(log.ids(level))
    return Snapshots.of(
        level, np.repeat(np.arange(n), len(times)), np.tile(times, n), log.ids(level)
    )
