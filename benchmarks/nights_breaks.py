"""What can break in a company's events: each edits the files of a world from one moment on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

Break = Callable[[Path, pd.Timestamp, np.random.Generator], None]
MAIN_EVENT = "report_created"
CONVERSION = "subscription_started"


def _edit(world: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    for path in sorted((world / "events").glob("*.parquet")):
        change(pd.read_parquet(path)).to_parquet(path, index=False)


def _is_main(events: pd.DataFrame, moment: pd.Timestamp) -> pd.Series:
    return (events["event"] == MAIN_EVENT) & (events["received_at"] >= moment)


def renamed(world: Path, moment: pd.Timestamp, rng: np.random.Generator) -> None:
    """The main event has another name."""
    _edit(
        world,
        lambda events: events.assign(
            event=events["event"].mask(_is_main(events, moment), "report_made")
        ),
    )


def lost(world: Path, moment: pd.Timestamp, rng: np.random.Generator) -> None:
    """The main event comes no more."""
    _edit(world, lambda events: events[~_is_main(events, moment)])


def mix(world: Path, moment: pd.Timestamp, rng: np.random.Generator) -> None:
    """Whoever signs up is a school of two, all from one channel."""
    _edit(world, lambda events: events.assign(channel=_channel(events, moment)))
    path = world / "accounts.parquet"
    table = pd.read_parquet(path)
    first = table.groupby("account_id")["valid_from"].transform("min")
    later = first >= moment
    table.loc[later, "industry"] = table.loc[later, "industry"].mask(
        table["industry"].notna(), "education"
    )
    table.loc[later, "employees"] = table.loc[later, "employees"].mask(
        table["employees"].notna(), 2
    )
    table.to_parquet(path, index=False)


def _channel(events: pd.DataFrame, moment: pd.Timestamp) -> pd.Series:
    later = (events["event"] == "signed_up") & (events["received_at"] >= moment)
    return events["channel"].mask(later, "partner")


def doubled(world: Path, moment: pd.Timestamp, rng: np.random.Generator) -> None:
    """Twice as many convert: beside each who does, somebody as active on that day."""
    tables = {path: pd.read_parquet(path) for path in sorted((world / "events").glob("*.parquet"))}
    events = pd.concat(tables.values())
    events = events[events["time"] < pd.Timestamp("2100-01-01", tz="UTC")]
    paid = set(events.loc[events["event"] == CONVERSION, "account_id"])
    natural = events[(events["event"] == CONVERSION) & (events["time"] >= moment)]
    rows = []
    for at, one in enumerate(natural.sort_values("time").itertuples()):
        day = events[
            (events["time"] >= one.time - pd.Timedelta(days=1)) & (events["time"] < one.time)
        ]
        day = day[~day["account_id"].isin(paid) & day["account_id"].notna()]
        if len(day):
            # A row, not an account, is drawn: the busy are likelier to buy.
            chosen = day.iloc[int(rng.integers(len(day)))]
            paid.add(chosen["account_id"])
            rows.append(
                {
                    **chosen[["user_id", "account_id"]],
                    "event_id": f"evt_doubled_{at}",
                    "event": CONVERSION,
                    "time": one.time,
                    "received_at": one.received_at,
                }
            )
    path, table = list(tables.items())[-1]
    extra = pd.DataFrame(rows).reindex(columns=table.columns)
    extra = extra.astype({name: kind for name, kind in table.dtypes.items() if name in extra})
    pd.concat([table, extra]).to_parquet(path, index=False)


BREAKS: dict[str, Break] = {"renamed": renamed, "lost": lost, "mix": mix, "doubled": doubled}
