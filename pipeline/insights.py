"""What a training shows for reading: what drives the scores, the mistakes, and the data behind."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from models.dataset import Dataset
from models.judging.data_quality import DataQuality, data_quality
from models.judging.mistakes_found import Contrast, Mistake, find_mistakes
from models.judging.partial_dependence import Dependence, partial_dependence
from models.propensity import PropensityModel
from pipeline.dataset import Assembled, display_names
from pipeline.settings import Run


@dataclass(frozen=True)
class Insights:
    """Read by people; nothing is fitted, chosen or refused by it.

    Parameters
    ----------
    dependence
        The most important columns, and how the probability depends on each.
    false_positives, false_negatives
        The most confident of who was flagged and did not convert, and the least expected of who
        converted unflagged; one row of each entity.
    differences
        What sets each kind of mistake apart, the false positives first.
    """

    dependence: tuple[Dependence, ...]
    false_positives: tuple[Mistake, ...]
    false_negatives: tuple[Mistake, ...]
    differences: tuple[Contrast, ...]
    quality: DataQuality

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def insights_of(
    run: Run,
    model: PropensityModel,
    data: Assembled,
    folds: Mapping[str, Dataset],
    seed: int,
) -> Insights:
    """Dependence and mistakes on the test rows, data quality of all.

    Parameters
    ----------
    folds
        With ``test``: rows that the model was not fitted on.
    """
    settings, log, test = run.settings, data.log, folds["test"]
    level = settings.entity
    mistakes = find_mistakes(
        model,
        test,
        display_names(log, level, log.data_end),
        settings.monitor.pql_tiers,
        seed=seed,
    )
    return Insights(
        dependence=partial_dependence(model, test, seed=seed),
        false_positives=mistakes.false_positives,
        false_negatives=mistakes.false_negatives,
        differences=mistakes.differences,
        quality=data_quality(log, data.dataset.matrix, run.base.resolve()),
    )
