"""A small world whose true probabilities are known: weekly snapshots, horizon of seven days."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from features.clock import DAY_US, to_us
from features.definitions import Feature
from features.matrix import FeatureMatrix, Snapshots
from models.dataset import Customers, Dataset
from models.propensity import ModelSpec, PropensityModel
from models.splits import FoldSpec, temporal_split

WEEK_US = 7 * DAY_US
START = to_us("2024-01-01")


def _count(name: str, days: int) -> Feature:
    column = f"{name}_count_{days}d"
    return Feature(
        column,
        "engagement",
        "count",
        (name,),
        None,
        days,
        "entity",
        "number",
        "events",
        meaning="",
        subject=name,
    )


FEATURES = (
    _count("reports", 7),
    _count("reports", 28),
    _count("invites", 28),
    _count("noise", 28),
    Feature(
        "plan", "fit", "attribute", (), "plan", None, "entity", "category", "", "Plan"
    ),
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """Rows with their true probability of converting within seven days."""

    data: Dataset
    customers: Customers
    truth: np.ndarray


def build_world(n_entities: int, n_weeks: int, seed: int) -> World:
    """Entities act every week and leave once they convert; logit p is linear in the features."""
    rng = np.random.default_rng(seed)
    keen = rng.normal(size=n_entities)
    plan = rng.choice(["free", "trial", "team"], size=n_entities, p=[0.6, 0.3, 0.1])
    alive = np.ones(n_entities, bool)
    rows, reached, known = [], [], []
    for week in range(n_weeks):
        reports = rng.poisson(np.exp(0.8 + 0.7 * keen))
        month = reports + rng.poisson(3 * np.exp(0.8 + 0.7 * keen))
        invites = rng.poisson(np.exp(0.2 + 0.4 * keen))
        noise = rng.poisson(4, size=n_entities)
        logit = -5.2 + 0.8 * np.log1p(reports) + 0.7 * np.log1p(invites) + 0.8 * (plan == "trial")
        probability = 1 / (1 + np.exp(-logit))
        converts = rng.random(n_entities) < probability
        delay = (rng.random(n_entities) * WEEK_US).astype(np.int64)
        for entity in np.flatnonzero(alive):
            as_of = START + week * WEEK_US
            facts = (reports[entity], month[entity], invites[entity], noise[entity], plan[entity])
            rows.append((entity, as_of, *facts, converts[entity], probability[entity]))
            if converts[entity]:
                reached.append((entity, as_of + delay[entity], *facts))
                known.append(as_of + delay[entity] + DAY_US // 24)
        alive &= ~converts
    ids = np.array([f"acc-{code:05d}" for code in range(n_entities)], object)
    domain = np.array([f"d{code // 2}.com" if code % 3 else None for code in range(n_entities)])
    order = sorted(range(len(rows)), key=lambda at: rows[at][:2])
    rows = [rows[at] for at in order]
    order = sorted(range(len(reached)), key=lambda at: reached[at][:2])
    reached, known = [reached[at] for at in order], np.array(known, np.int64)[order]
    matrix, entity = _matrix(rows, ids)
    data = Dataset(
        matrix,
        label=np.array([row[-2] for row in rows], bool),
        mature=np.ones(len(rows), bool),
        account=ids[entity],
        domain=domain[entity],
    )
    before, who = _matrix(reached, ids)
    customers = Customers(before, known, ids[who], domain[who], ids[who])
    return World(data, customers, np.array([row[-1] for row in rows]))


def _matrix(rows: list[tuple], ids: np.ndarray) -> tuple[FeatureMatrix, np.ndarray]:
    entity = np.array([row[0] for row in rows], np.int32)
    as_of = np.array([row[1] for row in rows], np.int64)
    columns = {
        feature.name: pa.array(
            [row[2 + at] for row in rows],
            pa.string() if feature.dtype == "category" else pa.float32(),
        )
        for at, feature in enumerate(FEATURES)
    }
    return FeatureMatrix(
        Snapshots("account", entity, as_of, ids[entity]), FEATURES, pa.table(columns)
    ), entity


@dataclass(frozen=True)
class Fitted:
    """A world, its folds and a model of them."""

    world: World
    train: Dataset
    calibrate: Dataset
    test: Dataset
    test_truth: np.ndarray
    model: PropensityModel


def fit_world(world: World, **settings: object) -> Fitted:
    split = temporal_split(world.data, 7, FoldSpec())
    train, calibrate, test = (
        world.data.take(m) for m in (split.train, split.calibrate, split.test)
    )
    spec = ModelSpec.model_validate(settings)
    model = PropensityModel.fit(train, calibrate, world.customers, spec, horizon_days=7, seed=3)
    return Fitted(world, train, calibrate, test, world.truth[split.test], model)


@pytest.fixture(scope="session")
def make_world() -> Callable[..., World]:
    return build_world


@pytest.fixture(scope="session")
def fit() -> Callable[..., Fitted]:
    return fit_world


@pytest.fixture(scope="session")
def world() -> World:
    """About 3,500 rows of 400 entities, 150 conversions."""
    return build_world(n_entities=400, n_weeks=12, seed=1)


@pytest.fixture(scope="session")
def fitted(world: World) -> Fitted:
    return fit_world(world)
