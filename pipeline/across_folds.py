"""What the test rows of all folds together say of segments and of tier changes."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from models.dataset import Dataset
from models.judging.backtest import Backtest
from models.judging.segment_metrics import measure_segments
from models.judging.segment_verdict import worst_segment
from models.judging.segments import segmentations
from models.splits import Split
from models.tiering.hysteresis import Churn, tier_churn
from pipeline.settings import Settings

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class AcrossFolds:
    """Segments as `models.judging.segment_metrics.measure_segments` gives them, and tier changes.

    Parameters
    ----------
    churn
        From date to date, those between two folds' models included.
    """

    segments: "pd.DataFrame"
    segment_verdict: str
    churn: Churn

    def as_dict(self) -> dict[str, Any]:
        return {
            "segments": self.segments.to_dict("records"),
            "worst_segment": self.segment_verdict,
            "tier_churn": asdict(self.churn),
        }


def across_folds(
    settings: Settings, dataset: Dataset, oldest: Split, result: Backtest
) -> AcrossFolds:
    """Judge the model within segments of all test rows, and count how often its tiers change.

    Parameters
    ----------
    oldest
        The first fold: levels and bands come from its train rows, which no fold tests.
    """
    found, spec = result.out_of_fold, settings.evaluation.segments
    train, calibrate = dataset.take(oldest.train), dataset.take(oldest.calibrate)
    segments = measure_segments(
        found.rows.label,
        found.pooled["model"],
        found.cluster,
        segmentations(train, found.rows, spec, (calibrate,)),
        spec,
        n_bootstrap=settings.evaluation.n_bootstrap,
        seed=settings.seed,
    )
    churn = tier_churn(found.rows.entity, found.rows.as_of, found.tier["model"])
    return AcrossFolds(segments, worst_segment(segments), churn)
