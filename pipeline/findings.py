"""What a training found, for people and programs."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.choosing.ladder import Ladder
from models.choosing.tuning import Tuning
from models.judging.evaluation import Evaluation
from models.leakage.finding import Audit
from models.splits import Split
from pipeline import registry
from pipeline.heads import HeadFindings
from pipeline.insights import Insights
from pipeline.judging import Judged

if TYPE_CHECKING:
    import pandas as pd

    from models.milestones import Milestones


@dataclass(frozen=True)
class Findings:
    """What a training learnt before and after its model was fitted.

    Parameters
    ----------
    audit, tuning
        None where it is switched off, or not asked for.
    insights, milestones
        None where nobody looked.
    """

    split: Split
    audit: Audit | None
    tuning: Tuning | None
    ladder: Ladder
    judged: Judged
    heads: HeadFindings
    insights: Insights | None = None
    milestones: "Milestones | None" = None


@dataclass(frozen=True)
class Training:
    """What a training found, for people and programs."""

    findings: Findings
    version: registry.Version
    report: Path
    rules_without_data: tuple[str, ...]
    settings_path: Path
    rung: str
    learnt: float

    @property
    def split(self) -> Split:
        return self.findings.split

    @property
    def evaluation(self) -> Evaluation:
        return self.findings.judged.evaluation

    @property
    def ablation(self) -> "pd.DataFrame | None":
        return self.findings.judged.ablation

    def as_dict(self) -> dict[str, Any]:
        found, judged = self.findings, self.findings.judged
        bare, settled = judged.churn
        return {
            "model": self.version.name,
            "version": self.version.number,
            "aliases": list(self.version.aliases),
            "run_id": self.version.run_id,
            "folds": found.split.describe(),
            "audit": None if found.audit is None else found.audit.as_dict(),
            "tuning": None if found.tuning is None else found.tuning.describe(),
            "ladder": found.ladder.as_dict(),
            "metrics": judged.evaluation.table.to_dict("records"),
            "base_rate": judged.evaluation.base_rate,
            "verdict": judged.evaluation.verdict,
            "calibration": judged.evaluation.calibration,
            "rung": self.rung,
            "learnt": self.learnt,
            "similarity": None if judged.ablation is None else judged.ablation.to_dict("records"),
            "nulls": judged.null_table.to_dict("records"),
            "segments": judged.segments.to_dict("records"),
            "worst_segment": judged.segment_verdict,
            "tier_churn": asdict(bare),
            "tier_churn_settled": None if settled is None else asdict(settled),
            "fit_usage": [asdict(cell) for cell in judged.cells],
            "heads": found.heads.as_dict(),
            "insights": None if found.insights is None else found.insights.as_dict(),
            "milestones": None if found.milestones is None else found.milestones.as_dict(),
            "rules_without_data": list(self.rules_without_data),
            "report": str(self.report),
        }
