"""One adversarial log per level, shared by the tests of this folder."""

import pytest

from features.catalogue import build_catalogue
from pipeline.importer.frame import import_frame
from tests.features.oracle import oracle
from tests.features.worlds import DATA, SPEC, adversarial_events, grid


@pytest.fixture(scope="session", params=["account", "user"])
def level(request):
    return request.param


@pytest.fixture(scope="session")
def log(level, tmp_path_factory):
    return import_frame(adversarial_events(1), tmp_path_factory.mktemp("log"), level, data=DATA)


@pytest.fixture(scope="session")
def catalogue(log, level):
    return build_catalogue(SPEC, log, level)


@pytest.fixture(scope="session")
def snapshots(log, level):
    return grid(log, level)


@pytest.fixture(scope="session")
def brute_force():
    return oracle
