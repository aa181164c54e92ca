"""One small model for all tests of what programs get."""

import pytest

from tests.consumer.worlds import Artefact, write_artefact
from tests.models.conftest import Fitted, build_world, fit_world


@pytest.fixture(scope="session")
def small() -> Fitted:
    """A model with similarity, one category and four counts."""
    return fit_world(build_world(n_entities=200, n_weeks=10, seed=1), booster={"max_rounds": 20})


@pytest.fixture(scope="session")
def artefact(small, tmp_path_factory) -> Artefact:
    return write_artefact(small, tmp_path_factory.mktemp("artefact"))
