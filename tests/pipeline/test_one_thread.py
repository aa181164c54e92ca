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
