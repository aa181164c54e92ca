"""Cases small enough to see through: buyers, others, weekly rows, and columns made by hand."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from features.clock import DAY_US, SECOND_US, to_us
from features.definitions import Feature
from features.labels import ConversionSpec, find_conversions, label_snapshots
from features.matrix import FeatureMatrix, Snapshots
from models.dataset import Dataset
from models.leakage.case import Case
from models.leakage.spec import AuditSpec
from pipeline.importer.frame import import_frame

START = to_us("2024-01-01")
HORIZON_DAYS = 14
PAID = "paid"


@dataclass
class Company:
    """Accounts that log in every other day for ten weeks; the first `n_buyers` pay on the way.

    Parameters
    ----------
    events
        ``account_id, event, us`` besides the logins and payments.
    """

    n_buyers: int = 40
    n_others: int = 120
    events: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [f"a{number:03d}" for number in range(self.n_buyers + self.n_others)]

    @property
    def buyers(self) -> list[str]:
        return self.names[: self.n_buyers]

    def pays(self, name: str) -> int:
        """Microseconds; between the third and the eighth week, minutes after a login."""
        number = int(name[1:])
        return self.login(name, 12 + number % 15) + (3 + number % 11) * 60 * SECOND_US

    def login(self, name: str, place: int) -> int:
        return START + (2 * place * 86_400 + 36_000 + int(name[1:]) * 61) * SECOND_US

    def log(self, folder: Path, **data: object):
        logins = [(name, "login", self.login(name, at)) for name in self.names for at in range(35)]
        paid = [(name, PAID, self.pays(name)) for name in self.buyers]
        frame = pd.DataFrame(logins + paid + self.events, columns=["account_id", "event", "us"])
        frame["time"] = frame.pop("us").to_numpy().astype("datetime64[us]")
        return import_frame(frame, folder, data=data or None)


def count_of(event: str, days: int = 28) -> Feature:
    return _feature(f"{event}_count_{days}d", "count", events=(event,), days=days)


def attribute_of(name: str, dtype: str = "category") -> Feature:
    return _feature(name, "attribute", property=name, source="account", dtype=dtype)


def _feature(name: str, statistic: str, **more: object) -> Feature:
    plain = {
        "dimension": "value",
        "events": (),
        "property": None,
        "days": None,
        "scope": "entity",
        "dtype": "number",
        "unit": "",
        "meaning": "",
    }
    return Feature(name=name, statistic=statistic, **{**plain, **more})


def case_of(
    log,
    features: dict[Feature, object],
    *,
    as_ofs: list[int] | None = None,
    until_week: int = 8,
    **spec: object,
) -> Case:
    """Rows of every account each week until it pays, with the columns given.

    Parameters
    ----------
    features
        A function of (label, microseconds to the conversion, entity, rng) to a column each; None
        for zeros.
    as_ofs
        More as_of times, for every account.
    """
    conversions = find_conversions(log, "account", ConversionSpec(events=(PAID,)))
    ids = log.ids("account")
    times = [START + 7 * week * DAY_US for week in range(2, until_week)] + (as_ofs or [])
    codes = np.arange(len(ids))
    rows = Snapshots.of("account", np.repeat(codes, len(times)), np.tile(times, len(ids)), ids)
    rows = rows.take(~conversions.converted_before(rows.entity, rows.as_of))
    labels = label_snapshots(rows, conversions, HORIZON_DAYS, log.data_end)
    gap = conversions.occurred_at[rows.entity] - rows.as_of
    rng = np.random.default_rng(4)
    columns = {}
    for feature, make in features.items():
        value = np.zeros(len(rows)) if make is None else make(labels.label, gap, rows.entity, rng)
        text = feature.dtype == "category"
        columns[feature.name] = pa.array(value, pa.string() if text else pa.float32())
    matrix = FeatureMatrix(rows, tuple(features), pa.table(columns))
    no_domain = np.full(len(rows), None, object)
    return Case(
        log=log,
        level="account",
        features=tuple(features),
        conversions=conversions,
        conversion_events=(PAID,),
        rows=Dataset(matrix, labels.label, labels.mature, ids[rows.entity], no_domain),
        horizon_days=HORIZON_DAYS,
        spec=AuditSpec(**spec),
        seed=1,
    )
