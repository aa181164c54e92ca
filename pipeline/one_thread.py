"""Linear algebra in one thread: neither the machine's cores nor its load change a result."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def in_one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Let BLAS use one thread while a function runs; LightGBM and the engines keep theirs.

    The sum of a product's parts depends in its last bits on how many threads share them, so two
    machines would choose different models. And all products here are small: on a busy machine a
    second thread, which waits in a loop, made a training take three times as long.
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        import numpy  # noqa: F401  (only what is loaded can be limited)
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):
            return function(*args, **kwargs)

    return limited
