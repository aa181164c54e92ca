"""The section on folds in time: the picture, the table, and what purged means."""

from collections.abc import Sequence

from models.dataset import Dataset
from models.splits import Split
from pipeline.plots import svg
from pipeline.plots_folds import FOLDS_NOTE, folds_picture
from pipeline.report.page import Block, Cell, Fold, Picture, Row, Section, Table, Text, columns

_COLUMNS = ("from", "to", "#rows", "#converting rows", "#entities", "#purged")


def folds_section(splits: Sequence[Split], dataset: Dataset, horizon_days: int) -> Section:
    """Which time is learnt from, and which is judged on; one line of the picture per fold."""
    several = len(splits) > 1
    rows: list[Row] = [
        (f"{number} {row['fold']}" if several else str(row["fold"]), *_written(row))
        for number, split in enumerate(splits, 1)
        for row in split.describe()
    ]
    recent = int((~dataset.mature).sum())
    last = splits[-1].describe()[-1]
    alt = f"The newest fold is tested on as_of times from {last['from']} to {last['to']}."
    table = Table(
        "Parts of each fold" if several else "Parts",
        columns("fold and part" if several else "part", *_COLUMNS),
        rows,
    )
    blocks: list[Block] = [
        Text(
            "Whole dates go to one part, and everything judged is later than everything learnt. "
            f"{recent:,} rows are too recent: their outcome is not known, and nothing reads it."
        ),
        Picture(
            svg(folds_picture(splits, dataset), "folds", alt),
            "What each fold learns from and is judged on." if several else "Parts in time.",
            FOLDS_NOTE,
            wide=True,
        ),
        Fold(
            "The parts in numbers",
            [
                table,
                Text(
                    "Oldest first; from and to are the first and last as_of. A row is purged when "
                    f"its label window ({horizon_days} days, and the embargo if there is one) "
                    "would reach into the next part.",
                    muted=True,
                ),
            ],
        ),
    ]
    return Section("folds", "Folds in time", blocks)


def _written(row: dict[str, str | int]) -> list[Cell]:
    values = [value for name, value in row.items() if name != "fold"]
    return [
        Cell(value if isinstance(value, str) else f"{value:,}", tone="whole") for value in values
    ]
