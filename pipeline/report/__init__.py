"""Pages for people: one self-contained HTML file per training, evaluation and monitored date."""

from pipeline.report.training import write_report

__all__ = ["write_report"]
