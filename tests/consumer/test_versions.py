"""Two versions in one process, each with the code it was registered with."""

import pandas as pd

from tests.consumer.worlds import write_artefact
from tests.models.conftest import build_world, fit_world


def test_two_versions_do_not_disturb_each_other(small, artefact, tmp_path):
    """The second has another booster, and other sources under the same names."""
    other = fit_world(small.world, booster={"max_rounds": 5})
    second = write_artefact(other, tmp_path, mark="nobody knows")
    models = artefact.load(), second.load()
    rows = artefact.rows.assign(plan=None)
    before = [model.predict(rows, params={"most": 8}) for model in models]
    after = [model.predict(rows, params={"most": 8}) for model in reversed(models)]
    for left, right in zip(before, reversed(after), strict=True):
        pd.testing.assert_frame_equal(left, right)
    assert not before[0]["raw_score"].equals(before[1]["raw_score"])
    found = models[1].predict(artefact.rows)
    assert found["raw_score"].tolist() == second.batch["raw_score"].tolist()
    scorers = [model.unwrap_python_model().scoring for model in models]
    assert [one.show(None) for one in scorers] == ["unknown", "nobody knows"]


def test_a_model_without_similarity_needs_no_keys(tmp_path):
    plain = fit_world(build_world(150, 10, 2), similarity={"enabled": False})
    made = write_artefact(plain, tmp_path, n_rows=10)
    found = made.load().predict(made.rows.drop(columns=["account_id", "domain"]))
    assert found["raw_score"].tolist() == made.batch["raw_score"].tolist()
    assert found["look_alikes"].tolist() == [[]] * 10
