"""Columns that know too much alone are caught; honest ones, however many, are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from features.clock import DAY_US
from models.leakage.columns import Ranked
from models.leakage.null import Labellings, permuted_labels
from models.leakage.pockets import purest
from models.leakage.power import check_power
from models.leakage.strength import strengths
from tests.leaks.cases import START, Company, attribute_of, case_of, count_of

DEAL = count_of("deal_won")
DAILY = [START + day * DAY_US for day in range(22, 60) if day % 7]
"""So many dates that many rows lie within a day of the conversion."""


def honest(label, gap, entity, rng):
    """Clearly better than nothing."""
    return rng.normal(0, 1, len(label)) + 0.8 * label


def noise(label, gap, entity, rng):
    return rng.normal(0, 1, len(label))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return Company().log(tmp_path_factory.mktemp("log"))


def judged(log, features, **more):
    """Findings of both checks by name, and the checks."""
    checks = check_power(case_of(log, features, **more))
    return {one.name: one for check in checks for one in check.findings}, checks


def test_honest_columns_are_not_mentioned(log):
    columns = {count_of(f"event {number}"): honest for number in range(20)}
    found, checks = judged(log, columns)
    assert found == {}
    assert [one.caught for one in checks[0].planted] == [True]


@pytest.mark.parametrize("seed", range(3))
def test_of_many_columns_of_noise_none_is_mentioned(log, seed):
    columns = {count_of(f"event {seed} {number}"): noise for number in range(150)}
    assert judged(log, columns)[0] == {}


def test_the_outcome_with_noise_fails_and_names_the_event(log):
    def leaks(label, gap, entity, rng):
        return 3 * label + rng.normal(0, 0.5, len(label))

    found, _ = judged(log, {DEAL: leaks, count_of("login"): honest})
    assert found["deal_won"].severity == "fail"
    assert "data.drop_events: [deal_won]" in found["deal_won"].remedy


def test_its_sign_does_not_matter(log):
    def leaks(label, gap, entity, rng):
        return -3 * label + rng.normal(0, 0.5, len(label))

    assert set(judged(log, {DEAL: leaks, count_of("login"): honest})[0]) == {"deal_won"}


def test_a_leak_about_few_entities_fails_although_its_area_looks_honest(log):
    """Thirty of forty buyers never have it, so most rows are ranked no better than by chance."""

    def leaks(label, gap, entity, rng):
        return 1.0 * (label & (entity < 24))

    case = case_of(log, {DEAL: leaks, count_of("login"): honest})
    assert strengths(case).of[DEAL.name].area < 0.85
    finding = check_power(case)[0].findings[0]
    assert (finding.name, finding.severity) == ("deal_won", "fail")
    assert "100 % convert" in finding.evidence


def test_a_category_that_is_the_outcome_fails_and_one_per_entity_does_not(log):
    def stage(label, gap, entity, rng):
        return np.where(label, "won", "open")

    def name(label, gap, entity, rng):
        return np.array([f"company {code}" for code in entity])

    columns = {attribute_of("stage"): stage, attribute_of("name"): name}
    found, _ = judged(log, columns)
    assert set(found) == {"stage"}
    assert "features.attributes" in found["stage"].remedy


def test_totals_are_explained_by_the_event_they_count(log):
    def leaks(label, gap, entity, rng):
        return 5.0 * label

    group = count_of("deals")
    group = type(group)(**{**vars(group), "events": ("deal_won", "login")})
    everything = type(group)(**{**vars(group), "name": "any_event_count_28d", "events": ()})
    assert set(judged(log, {everything: leaks, group: leaks, DEAL: leaks})[0]) == {"deal_won"}
    assert set(judged(log, {everything: leaks, count_of("login"): noise})[0]) == {everything.name}


def test_power_that_comes_in_the_last_hours_only_fails(log):
    def leaks(label, gap, entity, rng):
        late = (label & (gap < DAY_US)) | (rng.random(len(label)) < 0.02)
        return rng.poisson(0.1, len(label)) + 5.0 * late

    def grows(label, gap, entity, rng):
        """Intent: it builds up over the two weeks before."""
        days = np.where(label, gap / DAY_US, 14)
        return rng.normal(0, 1, len(label)) + 2 * np.exp(-days / 7)

    columns = {DEAL: leaks, count_of("pricing"): grows, count_of("login"): honest}
    _, (power, hours) = judged(log, columns, as_ofs=DAILY)
    assert power.findings == ()
    assert [(one.name, one.severity) for one in hours.findings] == [("deal_won", "fail")]
    assert all(one.caught for one in hours.planted)


def test_intent_that_lasts_for_days_only_is_no_leak(log):
    """Somebody looks at prices for three days, then buys: weeks before, nothing told it."""

    def looks(label, gap, entity, rng):
        days = np.where(label, gap / DAY_US, 99)
        return rng.poisson(0.1, len(label)) + rng.poisson(np.where(days < 4, 6 - days, 0))

    case = case_of(log, {DEAL: looks}, as_ofs=DAILY)
    value, label = case.rows.matrix.column(DEAL.name), case.rows.label
    weeks = label & (case.us_to_conversion > 7 * DAY_US)
    last = label & (case.us_to_conversion < DAY_US)
    areas = [roc_auc_score(of[of | ~label], value[of | ~label]) for of in (last, weeks)]
    assert areas[0] > 0.95
    assert areas[1] < 0.6
    assert judged(log, {DEAL: looks}, as_ofs=DAILY)[1][1].findings == ()


def test_weekly_rows_rarely_lie_within_a_day_and_the_check_says_so(log):
    _, (_, hours) = judged(log, {DEAL: honest})
    assert "in the 24 hours before converting" in hours.blind
    assert hours.planted == ()


def test_a_feature_far_ahead_of_everything_else_warns(log):
    def strong(label, gap, entity, rng):
        return rng.normal(0, 1, len(label)) + 1.9 * label

    columns = {count_of(f"event {number}"): noise for number in range(5)}
    found, _ = judged(log, {DEAL: strong, **columns})
    assert [(one.name, one.severity) for one in found.values()] == [("deal_won", "warn")]
    rival, _ = judged(log, {DEAL: strong, count_of("other"): strong, **columns})
    assert rival == {}


def test_another_feature_of_the_same_event_is_no_rival(log):
    def strong(label, gap, entity, rng):
        return rng.normal(0, 1, len(label)) + 1.9 * label

    columns = {count_of(f"event {number}"): noise for number in range(5)}
    found, _ = judged(log, {DEAL: strong, count_of("deal_won", 7): strong, **columns})
    assert list(found) == ["deal_won"]


def test_fewer_rows_are_whole_clusters_and_find_the_same(log):
    def leaks(label, gap, entity, rng):
        return 3 * label + rng.normal(0, 0.5, len(label))

    case = case_of(log, {DEAL: leaks, count_of("login"): honest})
    fewer = case.spec.model_copy(update={"max_rows": 500})
    found = strengths(type(case)(**{**vars_of(case), "spec": fewer}))
    assert 300 < found.n_rows <= 500
    assert found.of[DEAL.name].area > 0.97


def vars_of(case):
    return {name: getattr(case, name) for name in case.__dataclass_fields__}


@pytest.mark.parametrize(("buyers", "others"), [(20, 20), (20, 400), (60, 20), (23, 57)])
def test_it_never_misses_its_own_leaks_where_it_claims_to_see(tmp_path, buyers, others):
    small = Company(n_buyers=buyers, n_others=others).log(tmp_path)
    _, checks = judged(small, {DEAL: honest, count_of("login"): noise})
    assert all(one.caught for check in checks for one in check.planted)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.booleans(), st.booleans()), min_size=4, max_size=40
    ).filter(lambda rows: len({row[1] for row in rows}) == 2 == len({row[2] for row in rows}))
)
def test_areas_from_ranks_are_those_of_scikit_learn(rows):
    value, first, second = (np.array(column) for column in zip(*rows, strict=True))
    found = Labellings(np.column_stack([first, second])).areas(Ranked(value.astype(float)).rank)
    assert found == pytest.approx([roc_auc_score(first, value), roc_auc_score(second, value)])


def test_near_and_far_are_areas_against_the_same_others(log):
    case = case_of(log, {DEAL: honest}, as_ofs=DAILY)
    found = strengths(case).of[DEAL.name]
    value, label = case.rows.matrix.column(DEAL.name), case.rows.label
    near = label & (case.us_to_conversion < DAY_US)
    far = label & ~near & (case.us_to_conversion < 3 * DAY_US)
    assert far.sum() > 5
    for positive, area in ((near, found.near), (far, found.far)):
        some = positive | ~label
        assert area == pytest.approx(roc_auc_score(positive[some], value[some]))


def test_permuted_labels_keep_each_history_whole():
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(50), 6)
    as_of = np.tile(np.arange(6), 50)
    label = (rng.random(50) < 0.4)[cluster] & (as_of >= 4)
    null = permuted_labels(label, cluster, as_of, n=30, seed=2)
    assert (null.sum(axis=0) == label.sum()).all()
    for column in null.T:
        histories = column.reshape(50, 6)
        assert sorted(map(tuple, histories)) == sorted(map(tuple, label.reshape(50, 6)))
    moved = [float(np.mean(column != label)) for column in null.T]
    assert min(moved) > 0.05


def test_rows_of_one_entity_are_no_pocket():
    label = np.zeros(400, bool)
    label[:40] = True
    value = label.astype(float)
    alone = purest(Ranked(value), label, np.r_[np.zeros(40, int), np.arange(1, 361)], 0.8)
    apart = purest(Ranked(value), label, np.arange(400), 0.8)
    assert (alone.clusters, apart.clusters) == (1, 40)
    assert alone.precision_low < 0.3 < 0.9 < apart.precision_low
