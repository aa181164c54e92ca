"""Pictures of monitoring as SVG text, to stand inside a page."""

from collections.abc import Sequence

import numpy as np

from models.monitoring.drift import Drift
from models.monitoring.realised import ALL, Realised
from pipeline.plots import COLOURS, GREY, cut, figure, svg

_MODEL, _OTHER = COLOURS["model"], COLOURS["scorecard"]


def picture_of_outcomes(rows: Sequence[Realised]) -> str:
    """Conversions over promised ones by month, all tiers together; empty without months."""
    months = [one for one in rows if one.tier == ALL and one.ratio_low == one.ratio_low]
    if not months:
        return ""
    drawing, axes = figure()
    ratio = np.array([one.ratio for one in months])
    reach = np.array([[o.ratio - o.ratio_low, o.ratio_high - o.ratio] for o in months]).T
    at = np.arange(len(months))
    axes.errorbar(at, ratio, np.maximum(reach, 0), fmt="o", capsize=3, color=_MODEL)
    axes.axhline(1, color=GREY, linewidth=1, linestyle=":")
    axes.set_xticks(at, [one.month for one in months])
    axes.set_ylim(bottom=0)
    axes.set_ylabel("conversions / promised")
    told = ", ".join(f"{one.month} {one.ratio:.2f}" for one in months)
    return svg(drawing, "outcomes", f"Conversions over promised ones by month: {told}.")


def picture_of_scores(scores: Drift) -> str:
    """Share of rows in each bin of probability, then and now."""
    drawing, axes = figure()
    # The last bin is for unknown, which no probability is.
    at = np.arange(len(scores.now) - 1)
    axes.bar(at - 0.2, 100 * scores.before[:-1], 0.4, color=GREY, label="reference")
    axes.bar(at + 0.2, 100 * scores.now[:-1], 0.4, color=_MODEL, label="tonight")
    axes.set_xlabel("bin of probability")
    axes.set_ylabel("share of rows, %")
    axes.legend(frameon=False)
    return svg(drawing, "scores", "Share of rows per bin of probability, reference and tonight.")


def picture_of_drift(features: Sequence[Drift]) -> str:
    """PSI of the features with their limits, furthest on top."""
    drawing, axes = figure()
    drawing.set_size_inches(6.4, 1.0 + 0.22 * len(features))
    at = np.arange(len(features))[::-1]
    colours = [_OTHER if one.drifted else _MODEL for one in features]
    axes.barh(at, [one.psi for one in features], color=colours, height=0.7)
    axes.plot([one.limit for one in features], at, "|", color="black", markersize=7)
    axes.set_yticks(at, [cut(one.name) for one in features], fontsize=8)
    axes.set_xlabel("PSI")
    worst = max(features, key=lambda one: one.psi)
    return svg(
        drawing,
        "drift",
        f"PSI of {len(features)} features; highest: {worst.name}, {worst.psi:.3f}.",
    )
