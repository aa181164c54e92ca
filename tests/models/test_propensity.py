"""One fit, one predict: what a row scores depends on nothing but the row."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from features.errors import NotEnoughHistory, SchemaMismatch
from features.matrix import FeatureMatrix
from models.dataset import Dataset
from models.judging.bootstrap import Contender, evaluate
from models.learners.encoding import values_of
from models.propensity import ModelSpec, PropensityModel
from models.scoring import PARTS, Former, signed


def _predict(model: PropensityModel, rows: Dataset) -> object:
    return model.predict(rows.matrix, rows.account, rows.domain)


def test_other_rows_in_the_batch_change_no_score(fitted: object) -> None:
    model, test = fitted.model, fitted.test
    together = _predict(model, test)
    for rows in (np.array([4]), np.arange(0, len(test), 3)):
        alone = _predict(model, test.take(rows))
        assert alone.equals(together.iloc[rows].reset_index(drop=True))


def test_the_order_of_rows_changes_no_score(fitted: object) -> None:
    rows, mixed = fitted.test, np.random.default_rng(0).permutation(len(fitted.test))
    expected = _predict(fitted.model, rows)
    values = {name: rows.matrix.column(name)[mixed] for name in rows.matrix.table.column_names}
    values |= {"as_of": rows.as_of[mixed], "account_id": rows.account[mixed]}
    scores = fitted.model.scorer.score(values | {"domain": rows.domain[mixed]})
    for name, column in scores.items():
        np.testing.assert_array_equal(column, expected[name].to_numpy()[mixed])


def test_two_fits_with_one_seed_score_alike_to_the_bit(fitted: object, fit: Callable) -> None:
    again = fit(fitted.world)
    assert again.model.scorer.learner.files() == fitted.model.scorer.learner.files()
    assert _predict(again.model, fitted.test).equals(_predict(fitted.model, fitted.test))


def test_probabilities_match_the_true_ones_by_decile(make_world: Callable, fit: Callable) -> None:
    fitted = fit(make_world(n_entities=2_500, n_weeks=12, seed=4))
    probability = _predict(fitted.model, fitted.test)["probability"].to_numpy()
    deciles = np.array_split(np.argsort(probability, kind="stable"), 10)
    gaps = [abs(probability[rows].mean() - fitted.test_truth[rows].mean()) for rows in deciles]
    assert np.mean(gaps) < 0.01
    assert max(gaps) < 0.03


def test_shuffled_labels_teach_nothing(world: object, fit: Callable) -> None:
    data = world.data
    label = np.random.default_rng(2).permutation(data.label)
    mixed = Dataset(data.matrix, label, data.mature, data.account, data.domain)
    fitted = fit(type(world)(mixed, world.customers, world.truth))
    scores = _predict(fitted.model, fitted.test)
    who = {"model": Contender(scores["raw_score"].to_numpy(), scores["probability"].to_numpy())}
    table = evaluate(
        fitted.test.label,
        who,
        fitted.test.entity,
        fitted.test.as_of,
        capacity=10,
        n_bootstrap=100,
        seed=0,
    )
    row = table[table["metric"] == "roc_auc"].iloc[0]
    assert row["low"] < 0.5 < row["high"]


def test_unshuffled_labels_do_teach_something(fitted: object) -> None:
    scores = _predict(fitted.model, fitted.test)["probability"].to_numpy()
    top = np.argsort(-scores)[: len(scores) // 10]
    assert fitted.test_truth[top].mean() > 1.5 * fitted.test_truth.mean()


def test_tiers_and_scores_follow_probability(fitted: object) -> None:
    scores = _predict(fitted.model, fitted.test).sort_values("probability")
    rank = scores["tier"].map({"cold": 0, "warm": 1, "hot": 2, "critical": 3})
    assert rank.is_monotonic_increasing
    assert scores["pql_score"].is_monotonic_increasing
    assert scores["raw_score"].rank().corr(scores["probability"].rank()) > 0.99


def test_a_matrix_with_other_columns_is_refused_with_a_diff(fitted: object) -> None:
    matrix = fitted.test.matrix
    features = (*matrix.features[1:],)
    fewer = FeatureMatrix(
        matrix.snapshots, features, matrix.table.drop_columns(matrix.features[0].name)
    )
    with pytest.raises(SchemaMismatch, match="- reports_count_7d"):
        fitted.model.predict(fewer)


def test_a_category_never_seen_in_training_scores_like_a_missing_one(fitted: object) -> None:
    matrix = fitted.test.matrix.take(np.arange(20))
    at = matrix.table.column_names.index("plan")
    scored = []
    for value in ("a plan of tomorrow", None):
        column = pa.array([value] * 20, pa.string())
        table = matrix.table.set_column(at, "plan", column)
        scored.append(fitted.model.predict(FeatureMatrix(matrix.snapshots, matrix.features, table)))
    assert scored[0].equals(scored[1])


def test_look_alikes_are_named_and_nearest_first(fitted: object) -> None:
    rows = fitted.test.take(np.arange(30))
    found = fitted.model.look_alikes(rows.matrix, rows.account, rows.domain, k=3)
    names = set(fitted.world.customers.names)
    for row, neighbours in enumerate(found):
        assert len(neighbours) == 3
        assert {one.name for one in neighbours} <= names - {rows.account[row]}
        distances = [one.distance for one in neighbours]
        assert distances == sorted(distances)


def test_look_alikes_share_facts_of_the_row_in_which_both_stand_out(fitted: object) -> None:
    rows = fitted.test
    given = rows.matrix, rows.account, rows.domain
    customers = fitted.world.customers
    at = {name: place for place, name in enumerate(customers.names)}
    told = 0
    for row, neighbours in enumerate(fitted.model.look_alikes(*given, k=3)):
        for one in neighbours:
            assert len(one.shared) <= 3
            for name in ("reports_count_28d", "invites_count_28d"):
                values = fitted.train.matrix.column(name)
                own = rows.matrix.column(name)[row]
                theirs = customers.matrix.column(name)[at[one.name]]
                begin = f"{name.split('_')[0]}: {own:,.0f} time"
                if any(text.startswith(begin) and "28 days" in text for text in one.shared):
                    told += 1
                    # Higher than what most training rows have, both.
                    assert min(own, theirs) >= np.nanmedian(values)
    assert told > 20


def test_a_model_without_similarity_has_no_look_alikes(fitted: object, fit: Callable) -> None:
    plain = fit(fitted.world, similarity={"enabled": False}).model
    rows = fitted.test.take(np.arange(2))
    assert plain.look_alikes(rows.matrix) == [[], []]
    assert len(_predict(plain, rows)) == 2


def test_immature_rows_are_refused(fitted: object) -> None:
    train = fitted.train
    mature = np.arange(len(train)) > 4
    unripe = Dataset(train.matrix, train.label & mature, mature, train.account, train.domain)
    with pytest.raises(
        NotEnoughHistory, match=r"5 of .* train rows have labels that are not mature"
    ):
        PropensityModel.fit(
            unripe, fitted.calibrate, fitted.world.customers, ModelSpec(), horizon_days=7, seed=0
        )


def test_reasons_are_facts_in_words_and_no_fact_comes_twice(fitted: object) -> None:
    rows = fitted.test.take(np.arange(40))
    told = fitted.model.explain(rows.matrix, rows.account, rows.domain, top=3)
    for row, reasons in enumerate(told):
        assert 1 <= len(reasons) <= 3
        strengths = [abs(reason.contribution) for reason in reasons]
        assert strengths == sorted(strengths, reverse=True)
        families = [reason.feature.split("_")[0] for reason in reasons]
        assert len(set(families)) == len(families)
        for reason in reasons:
            assert (reason.contribution > 0) == (reason.direction == "raises")
            if not reason.feature.startswith("similarity"):
                assert reason.value == rows.matrix.column(reason.feature)[row]


def test_a_reason_states_the_fact_and_what_is_typical(fitted: object) -> None:
    rows = fitted.test.take(np.arange(40))
    told = {
        reason.feature: (at, reason)
        for at, reasons in enumerate(fitted.model.explain(rows.matrix, top=10))
        for reason in reasons
    }
    row, invites = told["invites_count_28d"]
    count = int(rows.matrix.column("invites_count_28d")[row])
    typical = int(np.median(fitted.train.matrix.column("invites_count_28d")))
    assert invites.text == f"invites: {count} times in the last 28 days (typical: {typical})"
    row, plan = told["plan"]
    is_free = rows.matrix.column("plan")[row] == "free"
    # What is typical anyway is not said twice.
    usual = "" if is_free else " (typical: free)"
    assert plan.text == f"plan: {rows.matrix.column('plan')[row]}{usual}"


def test_all_reasons_and_the_constant_add_up_to_the_raw_score(fitted: object) -> None:
    rows = fitted.test.take(np.arange(40))
    scorer = fitted.model.scorer
    values = {name: rows.matrix.column(name) for name in rows.matrix.table.column_names}
    values |= {"as_of": rows.as_of, "account_id": rows.account, "domain": rows.domain}
    constant = scorer.contributions(values)[""]
    told = fitted.model.explain(rows.matrix, rows.account, rows.domain, top=100)
    total = constant + [sum(reason.contribution for reason in reasons) for reasons in told]
    np.testing.assert_allclose(total, _predict(fitted.model, rows)["raw_score"], atol=1e-9)


def test_points_of_the_parts_add_up_to_the_probability(fitted: object) -> None:
    rows = fitted.test.take(np.arange(300))
    given = rows.matrix, rows.account, rows.domain
    told = fitted.model.told(*given)
    points = np.sum([told[f"{part}_points"] for part in PARTS], axis=0)
    values = values_of(*given)
    typical = fitted.model.scorer.typical(values)
    probability = _predict(fitted.model, rows)["probability"].to_numpy()
    np.testing.assert_allclose(points / 100 + typical, probability, atol=1e-9)
    assert 0 < typical < 0.5
    assert sum(np.abs(told[f"{part}_points"]).max() > 0.1 for part in PARTS) >= 2


def test_reasons_of_a_table_say_how_many_points_they_bring(fitted: object) -> None:
    rows = fitted.test.take(np.arange(40))
    given = rows.matrix, rows.account, rows.domain
    told = fitted.model.told(*given, most=2)
    for place, reasons in enumerate(fitted.model.explain(*given, top=6)):
        for_it = [reason for reason in reasons if reason.points > 0][:2]
        against = [reason for reason in reasons if reason.points < 0][:2]
        assert told["reasons"][place] == [reason.told for reason in for_it]
        assert told["reasons_against"][place] == [reason.told for reason in against]
        assert all(": +" in text for text in told["reasons"][place])
        assert {reason.part for reason in reasons} <= set(PARTS)


def test_reasons_say_how_their_points_changed_since_an_earlier_time(fitted: object) -> None:
    now = fitted.test.take(np.arange(60))
    given = now.matrix, now.account, now.domain
    earlier = fitted.test.take(np.arange(100, 130))
    then = values_of(earlier.matrix, earlier.account, earlier.domain)
    # The first 30 were there, in the order of `earlier`; the others are new.
    place = np.where(np.arange(60) < 30, np.arange(60), -1)
    told = fitted.model.told(*given, most=30, former=Former(then, place, "Monday"))
    before = fitted.model.explain(earlier.matrix, earlier.account, earlier.domain, top=100)
    after = fitted.model.explain(*given, top=100)
    facts = {name: words["fact"] for name, words in fitted.model.scorer.wording.items()}
    changed = 0
    for row in range(60):
        texts = told["reasons"][row] + told["reasons_against"][row]
        if row >= 30:
            assert not any("since" in text for text in texts)
            continue
        old = {facts.get(one.feature): one for one in before[row]}
        for one in after[row]:
            then_said = old.get(facts.get(one.feature))
            change = one.points - (then_said.points if then_said else 0.0)
            stays = then_said is not None and then_said.contribution == one.contribution
            text = next(text for text in texts if text.startswith(one.text + ": "))
            assert text.endswith("since Monday") == (abs(change) >= 0.5 and not stays)
            if abs(change) >= 0.5 and not stays:
                shown = signed(change)
                assert f"points, {shown} since" in text
                changed += 1
    assert changed > 30
