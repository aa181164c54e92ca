"""What the metrics are called, and what each means in one line."""

METRIC_NAMES = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "lift_1pct": "lift at 1 %",
    "lift_5pct": "lift at 5 %",
    "lift_10pct": "lift at 10 %",
    "precision_1pct": "precision at 1 %",
    "precision_5pct": "precision at 5 %",
    "precision_10pct": "precision at 10 %",
    "precision_at_capacity": "precision at capacity",
    "brier": "Brier score",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "max_calibration_error": "largest calibration error",
    "calibration_in_the_large": "calibration in the large",
}

METRIC_MEANINGS = {
    "roc_auc": "chance that a converter is ranked above a non-converter (0.5 is guessing)",
    "pr_auc": "mean precision over all call-list lengths (the base rate is guessing)",
    "lift_1pct": "conversions in the top 1 % of rows, as a multiple of the base rate",
    "lift_5pct": "conversions in the top 5 % of rows, as a multiple of the base rate",
    "lift_10pct": "conversions in the top 10 % of rows, as a multiple of the base rate",
    "precision_1pct": "share that converts among the top 1 % of rows",
    "precision_5pct": "share that converts among the top 5 % of rows",
    "precision_10pct": "share that converts among the top 10 % of rows",
    "precision_at_capacity": "share that converts among the best rows of each date, as many as "
    "sales can work (evaluation.capacity_per_week)",
    "brier": "mean squared gap between probability and outcome (lower is better)",
    "log_loss": "mean surprise at the outcome (lower is better)",
    "calibration_error": "mean gap between predicted and observed rate over bins of equal size "
    "(lower is better)",
    "max_calibration_error": "largest gap between predicted and observed rate over those bins "
    "(lower is better)",
    "calibration_in_the_large": "mean probability minus base rate (0 is best)",
}

INTERVAL_MEANING = (
    "Ranges are 95 % bootstrap intervals over entities: what another sample of accounts or users "
    "could have given. A difference counts as shown when its range leaves out 0 and 30 accounts or "
    "more convert; PR-AUC decides the verdict."
)
