"""What `evaluate` prints: the folds, then all of them together."""

from models.judging.metric_words import METRIC_NAMES
from pipeline.console import show, table
from pipeline.evaluate import BacktestResult
from pipeline.wording import interval, near, percent, shown


def print_backtest(result: BacktestResult) -> None:
    """The table of folds; if they were judged, the pooled metrics and the verdicts."""
    folds = table("fold", "part", "from", "to", "rows", "converting rows", "purged")
    for number, split in enumerate(result.splits, 1):
        for row in split.describe():
            folds.add_row(
                str(number) if row["fold"] == "train" else "",
                *(str(row[key]) for key in ("fold", "from", "to")),
                *(f"{row[key]:,}" for key in ("rows", "positives", "purged")),
                end_section=row["fold"] == "test",
            )
    found, champion = result.backtest, result.champion
    recent = f"{result.immature:,} rows are too recent: their outcome is not known."
    if found is None or champion is None or result.report is None:
        show(folds, f"{recent}\nNothing was trained. Picture: {near(result.picture)}")
        return
    metrics = table("on all test rows", "model", "scorecard", "difference", "95 % interval")
    for metric, rows in found.table.groupby("metric", sort=False):
        by_name = rows.set_index("contender")
        model, card = by_name.loc["model"], by_name.loc["scorecard"]
        metrics.add_row(
            METRIC_NAMES[metric],
            shown(model["value"]),
            shown(card["value"]),
            shown(card["difference"]),
            interval(card["difference_low"], card["difference_high"]),
        )
    over_time = table(
        "PR-AUC by fold", "base rate", "model", "scorecard", "difference", "95 % interval"
    )
    for number, fold in enumerate(found.folds, 1):
        rows = fold.table[fold.table["metric"] == "pr_auc"].set_index("contender")
        model, card = rows.loc["model"], rows.loc["scorecard"]
        over_time.add_row(
            str(number),
            percent(fold.base_rate),
            shown(model["value"]),
            shown(card["value"]),
            shown(card["difference"]),
            interval(card["difference_low"], card["difference_high"]),
        )
    perfect = found.if_perfect["model"]
    segment = "" if result.across is None else result.across.segment_verdict
    price = "" if result.prices is None else result.prices.verdict
    show(
        folds,
        over_time,
        metrics,
        f"Base rate {percent(found.base_rate)}; {found.converting:,} accounts convert. {recent}\n"
        f"A perfectly calibrated model would show a calibration error of {shown(perfect.mean)} "
        f"here ({interval(perfect.low, perfect.high)}).\n"
        f"{found.verdict}\n{champion.verdict}\n{segment}\n{price}\nReport: {near(result.report)}",
    )
