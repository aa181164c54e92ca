"""What each shortcut would have claimed, on the newest fold of a backtest."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.choosing.ladder import Ladder
from models.judging.shortcuts import price_of_shortcuts, price_sentence
from models.splits import Split
from pipeline.dataset import Assembled, Say
from pipeline.judging import fitter
from pipeline.settings import Run
from pipeline.whole_history import whole_history

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prices:
    """`models.judging.shortcuts.price_of_shortcuts`, and the largest of them in a sentence."""

    table: "pd.DataFrame"
    verdict: str

    def as_dict(self) -> list[dict[str, Any]]:
        return self.table.to_dict("records")


def price_shortcuts(run: Run, data: Assembled, split: Split, ladder: Ladder, say: Say) -> Prices:
    """Fit the fold's model once honestly and once per shortcut.

    Parameters
    ----------
    ladder
        The fold's: all models stand on its rung, with one booster and plain distances.
    """
    settings = run.settings
    say("Pricing the shortcuts: random rows, random entities, whole-history features")
    spec = settings.model.model_copy(
        update={
            "learner": ladder.chosen,
            "booster": settings.model.booster.model_copy(update={"seeds": 1}),
            "similarity": settings.model.similarity.with_weights("uniform"),
        }
    )
    fit = fitter(settings, spec)
    parts = [data.dataset.take(rows) for rows in (split.train, split.calibrate)]
    table = price_of_shortcuts(
        fit,
        fit(parts[0], parts[1], data.customers),
        data.dataset,
        split,
        data.customers,
        whole_history(data, settings),
        n_bootstrap=settings.evaluation.n_bootstrap,
        seed=settings.seed,
    )
    return Prices(table, price_sentence(table))
