"""Settings, sources, files, command line, MLflow: the order of steps. No formula lives here."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.feature_rows import features_for

__all__ = ["features_for"]


def __getattr__(name: str) -> Any:
    """`features_for`, imported when it is asked for: every command imports this package."""
    if name != "features_for":
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    from importlib import import_module

    return import_module("pipeline.feature_rows").features_for
