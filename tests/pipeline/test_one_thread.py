import os
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from pipeline.one_thread import in_one_thread


def blas_threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_linear_algebra_runs_in_one_thread_and_gets_its_threads_back():
    with threadpool_limits(2, user_api="blas"):
        assert in_one_thread(blas_threads)() == {1}
        assert blas_threads() == {2}


def test_a_failure_gives_the_threads_back_too():
    @in_one_thread
    def fails():
        raise ValueError("torn")

    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(ValueError, match="torn"):
            fails()
        assert blas_threads() == {2}


@pytest.mark.parametrize(("given", "wanted"), [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_the_command_line_shortens_waiting_loops_before_what_reads_it_loads(given, wanted):
    code = "import os, sys, pipeline.cli; print(os.environ['GOMP_SPINCOUNT'], *sys.modules)"
    env = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | given
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    spins, *modules = done.stdout.split()
    assert spins == wanted
    assert not {"lightgbm", "sklearn"} & set(modules)
