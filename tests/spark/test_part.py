"""A part of a log is a log: whatever runs on the whole gives the same on the parts together."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.engine import build_features
from features.errors import EventLogError
from features.events import FORMAT_VERSION
from features.labels import ConversionSpec, find_conversions
from features.matrix import FeatureMatrix, Snapshots
from features.part import LogFacts, LogPart
from features.snapshots import CohortSpec, eligible
from pipeline.dataset import display_names, kinship
from tests.features.worlds import grid
from tests.spark.worlds import facts_of, features_of, parts_of, sharded_log

CONVERSION = ConversionSpec(events=("paid",))


@pytest.fixture(scope="module", params=["account", "user"])
def log(request, tmp_path_factory):
    return sharded_log(tmp_path_factory.mktemp("log"), request.param, events_per_shard=60)


@pytest.fixture(scope="module")
def level(log):
    return log.manifest["level"]


@pytest.fixture(scope="module")
def parts(log):
    return parts_of(log)


def in_part(part: LogPart, rows: Snapshots) -> Snapshots:
    """The rows of the part's own entities, with its codes."""
    ids = part.ids(rows.level)
    code = {name: at for at, name in enumerate(ids)}
    keep = np.array([name in code for name in rows.ids], bool)
    entity = [code[name] for name in rows.ids[keep]]
    return Snapshots.of(rows.level, entity, rows.as_of[keep], ids)


def test_the_world_has_empty_shards_a_giant_account_and_people_without_events(log, level):
    sizes = [len(log.shard(shard)) for shard in range(log.n_shards)]
    assert log.n_shards > 5
    assert min(sizes) == 0
    assert max(sizes) > 0.25 * sum(sizes)
    assert -1 in log.entities(level)["shard"].to_numpy()


def test_features_of_the_parts_are_those_of_the_whole(log, level, parts):
    """All but what compares an entity with the others, which needs the whole log."""
    features = tuple(f for f in features_of(log, level) if f.statistic != "first_period_ratio")
    rows = grid(log, level, every_days=15)
    whole = build_features(log, rows, features)
    done = np.zeros(len(rows), int)
    for part in parts:
        mine = np.isin(rows.ids, part.ids(level))
        done += mine
        got = build_features(part, in_part(part, rows), features)
        want = whole.take(mine)
        assert got.snapshots.ids.tolist() == want.snapshots.ids.tolist()
        assert values(got) == values(want)
    assert (done == 1).all()


def values(matrix: FeatureMatrix) -> bytes:
    """Every value, bit for bit, without the codes of the entities."""
    numbers = [f.name for f in matrix.features if f.dtype == "number"]
    texts = [f.name for f in matrix.features if f.dtype == "category"]
    columns = [np.ascontiguousarray(matrix.column(name)).tobytes() for name in numbers]
    return b"".join(columns) + repr([matrix.column(name).tolist() for name in texts]).encode()


def test_cohorts_conversions_and_kin_of_the_parts_are_those_of_the_whole(log, level, parts):
    spec = CohortSpec(active_within_days=7, entered_by=("login",), max_age_days=40)
    as_ofs = np.unique(grid(log, level, every_days=9).as_of)
    cohort = eligible(log, level, spec, as_ofs, find_conversions(log, level, CONVERSION)).snapshots
    assert 15 < len(cohort) < len(log.ids(level)) * len(as_ofs) * 0.8
    names = display_names(log, level, int(as_ofs[-1]))
    whole = described(cohort, kinship(log, cohort), names)
    found = []
    for part in parts:
        if len(part.ids(level)):
            conversions = find_conversions(part, level, CONVERSION)
            rows = eligible(part, level, spec, as_ofs, conversions).snapshots
            names = display_names(part, level, int(as_ofs[-1]))
            found += described(rows, kinship(part, rows), names)
    assert sorted(found) == sorted(whole)


def described(rows: Snapshots, kin: tuple[np.ndarray, np.ndarray], names: np.ndarray) -> list:
    account, domain = kin
    people = zip(rows.ids, rows.as_of, account, domain, names[rows.entity], strict=True)
    return [(who, int(at), of, str(mail), name) for who, at, of, mail, name in people]


def test_a_part_says_of_the_whole_log_what_the_log_says(log, parts):
    for part in parts:
        for fact in ("fingerprint", "data_end", "first_at", "event_names", "properties"):
            assert getattr(part, fact) == getattr(log, fact)
        assert part.attributes == log.attributes
        assert part.categories == log.categories
        assert part.n_shards == 1


def test_together_the_parts_hold_every_event_and_attribute_once(log, parts):
    assert sum(len(part.shard(0)) for part in parts) == log.n_events
    of_account = [i for i, one in enumerate(log.attributes) if one.of == "account"]
    whole = np.isin(log.attribute_values["attribute"].to_numpy(), of_account).sum()
    held = [np.isin(p.attribute_values["attribute"].to_numpy(), of_account).sum() for p in parts]
    assert sum(held) == whole > 0


def test_a_part_has_one_shard_and_says_so(parts):
    with pytest.raises(EventLogError, match="one shard, number 0; asked for 1"):
        parts[0].shard(1)


def test_an_event_of_somebody_who_is_not_in_the_part_is_refused(log):
    part = next(part for part in parts_of(log) if len(part.shard(0)))
    events = part.shard(0)
    code = pa.array(np.arange(len(part.users)), pa.int32())
    users = part.users.append_column("code", code).slice(1)
    accounts = part.accounts.append_column(
        "code", pa.array(np.arange(len(part.accounts)), pa.int32())
    )
    with pytest.raises(EventLogError, match="1 users that are not in it, with the codes 0"):
        LogPart(facts_of(log), events, accounts, users, part.attribute_values)


def test_a_log_of_another_format_is_refused(log, parts):
    manifest = {**log.manifest, "format_version": FORMAT_VERSION - 1}
    tables = [t.slice(0, 0) for t in (log.shard(0), log.accounts, log.users)]
    with pytest.raises(EventLogError, match=f"this program reads {FORMAT_VERSION}"):
        LogPart(LogFacts(manifest, {}), *tables, log.attribute_values)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.sets(st.integers(0, 30)), st.lists(st.integers(-1, 30)))
def test_local_codes_keep_the_order_of_those_who_are_in_the_part(log, known, asked):
    events, users, values = (t.slice(0, 0) for t in (log.shard(0), log.users, log.attribute_values))
    people = pa.table(
        {
            "code": pa.array(sorted(known, reverse=True), pa.int32()),
            "id": pa.array([str(code) for code in sorted(known, reverse=True)]),
            "shard": pa.array([3] * len(known), pa.int32()),
        }
    )
    users = users.append_column("code", pa.array([], pa.int32()))
    part = LogPart(facts_of(log), events, people, users, values)
    want = [
        -1 if code < 0 else sorted(known).index(code) if code in known else -2 for code in asked
    ]
    assert part.local_codes("account", np.array(asked, np.int32)).tolist() == want
    assert part.ids("account").tolist() == [str(code) for code in sorted(known)]
