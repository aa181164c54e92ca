"""What the quality benchmark found: tables, sentences, figures for programs, and a picture."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import machine
from benchmarks.report import table
from models.judging.bootstrap import interval
from models.judging.evaluation import MIN_CONVERTING
from models.judging.parts import PART_METRICS
from pipeline.plots import COLOURS, GREY, save

BASELINE = "scorecard"
NULLS = ("newest first", "most active first")
METRICS = ("pr_auc", "roc_auc", "lift_10pct", "log_loss")
PIECES = (
    ("trees, beside the regression", "pool", "logistic"),
    ("the regression, beside trees", "pool", "trees alone"),
    ("similarity to customers", "pool", "pool without similarity"),
    ("tuning, where the check keeps it", "tuned", "pool"),
    ("tuning, kept unchecked", "tuned, unchecked", "pool"),
    ("asking the ladder", "ladder", "pool"),
)
"""What is added, and the contenders with and without it."""


@dataclass(frozen=True)
class Record:
    """One world with one seed.

    Parameters
    ----------
    values
        Shape (n_contenders, n_metrics), metrics as in `models.judging.parts.PART_METRICS`.
    draws
        Shape (n_bootstrap, n_contenders, n_metrics).
    rows, positives, converting
        Of the test rows of all folds: rows, those that convert, and accounts that do.
    folds
        What ladder and search said, oldest first.
    """

    world: str
    seed: int
    contenders: tuple[str, ...]
    values: np.ndarray
    draws: np.ndarray
    rows: int
    positives: int
    converting: int
    folds: tuple[dict[str, Any], ...]


Told = tuple[float, float, float]
"""A value, and both ends of its 95 % interval."""


class Company:
    """One world over its seeds: means, with intervals over accounts of the mean over seeds."""

    def __init__(self, records: Sequence[Record]):
        self.records, self.name = records, records[0].world
        self.contenders = records[0].contenders
        self._values = np.mean([record.values for record in records], axis=0)
        self._draws = np.mean([record.draws for record in records], axis=0)

    def value(self, who: str, metric: str) -> Told:
        at, place = self.contenders.index(who), PART_METRICS.index(metric)
        return float(self._values[at, place]), *interval(self._draws[:, at, place])

    def difference(self, who: str, other: str, metric: str) -> Told:
        """Value of `who` minus that of `other`, paired: on the same draws."""
        a, b = self.contenders.index(who), self.contenders.index(other)
        place = PART_METRICS.index(metric)
        gap = self._draws[:, a, place] - self._draws[:, b, place]
        return float(self._values[a, place] - self._values[b, place]), *interval(gap)

    def by_seed(self, who: str, metric: str) -> np.ndarray:
        """Shape (n_seeds,)."""
        at, place = self.contenders.index(who), PART_METRICS.index(metric)
        return np.array([record.values[at, place] for record in self.records])

    def against(self, other: str) -> dict[str, list[str]]:
        """Contenders that are shown to be above `other` by PR-AUC, below it, and neither."""
        found: dict[str, list[str]] = {"above": [], "below": [], "neither": []}
        for who in self.contenders:
            if who != other:
                _, low, high = self.difference(who, other, "pr_auc")
                found["above" if low > 0 else "below" if high < 0 else "neither"].append(who)
        return found

    @property
    def best_null(self) -> str:
        there = [name for name in NULLS if name in self.contenders]
        return max(there, key=lambda name: self.value(name, "pr_auc")[0])


def write(records: Sequence[Record], about: dict[str, Any], out: Path | None) -> str:
    """The page; into `out` go the page, its figures and its picture as well."""
    names = dict.fromkeys(record.world for record in records)
    companies = [Company([r for r in records if r.world == name]) for name in names]
    about = {"date": date.today().isoformat(), "machine": machine()} | about
    page = markdown(companies, about)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "quality.md").write_text(page, encoding="utf-8")
        told = about | {"worlds": {company.name: figures(company) for company in companies}}
        (out / "quality.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        plot(companies, out / "quality.png")
    return page


def figures(company: Company) -> dict[str, Any]:
    """Every figure of a world, for programs: [value, low, high], rounded to six digits."""
    return {
        "contenders": {
            who: {
                metric: {
                    "value": _short(company.value(who, metric)),
                    "minus_scorecard": _short(company.difference(who, BASELINE, metric)),
                    "by_seed": _short(company.by_seed(who, metric)),
                }
                for metric in METRICS
            }
            for who in company.contenders
        },
        "pieces": {
            what: {m: _short(company.difference(who, other, m)) for m in METRICS}
            for what, who, other in PIECES
        },
        "seeds": [
            {
                "seed": record.seed,
                "rows": record.rows,
                "positives": record.positives,
                "converting": record.converting,
                "folds": list(record.folds),
            }
            for record in company.records
        ],
    }


def markdown(companies: Sequence[Company], about: dict[str, Any]) -> str:
    """The page: what is said first, then the tables that it rests on."""
    on = about["machine"]
    parts = [
        "# What is it worth, on rows that come later?",
        f"Rolling-origin backtest, {about['folds']} folds of {about['test_days']} test days each, "
        f"seeds {', '.join(map(str, about['seeds']))}. A seed of the demo is another company of "
        f"{about['accounts']:,} accounts; of recorded data it is another seed of what is fitted. "
        "Every figure is a mean over seeds with a 95 % interval over accounts "
        f"({about['draws']} draws, the same for all contenders); differences are paired. Which "
        "seeds were taken is luck that no interval holds. Intervals are one by one: of twenty true "
        "zeros about one leaves out 0.",
        "## In words",
        "\n".join(f"- {line}" for company in companies for line in sentences(company)),
        "![PR-AUC relative to the scorecard](quality.png)",
    ]
    for company in companies:
        parts += [f"## {company.name}", _about(company), _scores(company), _pieces(company)]
    parts += about["skipped"]
    parts.append(
        f"Searches of {about['trials']} trials over {about['tuning_folds']} folds. Measured on "
        f"{about['date']} in {about['minutes']} minutes: {on['cpu']}, {on['cores']} cores, load at "
        f"the end {on['load'][0]}; Python {on['python']}."
    )
    return "\n\n".join(parts) + "\n"


def sentences(company: Company) -> Iterator[str]:
    """Who wins, in words; also where it is the scorecard, a null or nobody."""
    name, fewest = company.name, min(record.converting for record in company.records)
    if fewest < MIN_CONVERTING:
        yield f"**{name}**: too few to compare: {fewest} converting accounts in the test rows."
        return
    found = company.against(BASELINE)
    yield (
        f"**{name}**, PR-AUC against the scorecard: {_listed('above it', found['above'])}; "
        f"{_listed('not told apart from it', found['neither'])}; "
        f"{_listed('below it', found['below'])}."
    )
    null = company.best_null
    models = [who for who in company.contenders if who not in NULLS]
    shown = company.against(null)
    beaten = {how: [who for who in shown[how] if who in models] for how in shown}
    yield (
        f"{name}: the best single number is {null!r} ({_interval(company.value(null, 'pr_auc'))}); "
        f"{_listed('not shown to be above it', beaten['neither'] + beaten['below'])}."
    )
    flat = []
    for what, who, other in PIECES:
        told = company.difference(who, other, "pr_auc")
        verdict = "helps" if told[1] > 0 else "hurts" if told[2] < 0 else None
        if verdict:
            yield f"{name}: {what} {verdict} ({_interval(told, '+')})."
        else:
            flat.append(what)
    yield f"{name}: {_listed('no difference in PR-AUC shown by', flat)}."


def _about(company: Company) -> str:
    records = company.records
    rows, positives, converting = (
        _range([getattr(record, name) for record in records])
        for name in ("rows", "positives", "converting")
    )
    folds = [fold for record in records for fold in record.folds]
    rungs = [fold["ladder"] for fold in folds]
    chosen = ", ".join(f"{name} {rungs.count(name)}" for name in dict.fromkeys(rungs))
    kept = sum(fold["tuned_kept"] for fold in folds)
    return (
        f"Test rows per seed {rows}, converting {positives}, of {converting} accounts; accounts to "
        f"learn from {_range([fold['converting_to_learn_from'] for fold in folds])} per fold. The "
        f"ladder chose {chosen}; the search's winner was kept in {kept} of {len(folds)} folds."
    )


def _scores(company: Company) -> str:
    """The scorecard's own values, then the others' PR-AUC and all differences to the scorecard."""
    rows = []
    for who in company.contenders:
        ratio = company.by_seed(who, "pr_auc") / company.by_seed(BASELINE, "pr_auc")
        first = who == BASELINE
        cells = [who, _interval(company.value(who, "pr_auc"))]
        for metric, digits in zip(METRICS, (3, 3, 2, 4), strict=True):
            own, gap = company.value(who, metric), company.difference(who, BASELINE, metric)
            cells.append(_interval(own, "", digits) if first else _interval(gap, "+", digits))
        cells[2:3] = ["", ""] if first else [cells[2], f"{ratio.min():.2f} .. {ratio.max():.2f}"]
        rows.append(cells)
    names = ["contender", "PR-AUC", "minus scorecard's", "seeds, over the scorecard's"]
    return table([*names, "ROC-AUC", "lift at 10 %", "log loss (less is better)"], rows)


def _pieces(company: Company) -> str:
    rows = []
    for what, who, other in PIECES:
        gaps = {metric: company.difference(who, other, metric) for metric in METRICS}
        seeds = company.by_seed(who, "pr_auc") - company.by_seed(other, "pr_auc")
        better = f"{(seeds > 0).sum()} of {len(seeds)}"
        told = _interval(gaps["pr_auc"], "+"), better, _interval(gaps["log_loss"], "+", 4)
        rows.append([what, f"{who} - {other}", *told])
    head = ["what is added", "difference", "PR-AUC", "seeds above 0", "log loss (less is better)"]
    return table(head, rows)


def plot(companies: Sequence[Company], path: Path) -> None:
    """PR-AUC over the scorecard's: a point per seed, a bar at the mean."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(3.0 + 2.6 * len(companies), 4.8), dpi=130, layout="constrained")
    panels = drawing.subplots(1, len(companies), sharey=True, squeeze=False)[0]
    names = [who for who in companies[0].contenders if who != BASELINE]
    assert all(company.contenders == companies[0].contenders for company in companies)
    for axes, company in zip(panels, companies, strict=True):
        for at, who in enumerate(names):
            ratio = company.by_seed(who, "pr_auc") / company.by_seed(BASELINE, "pr_auc")
            spread = at + np.linspace(-0.18, 0.18, len(ratio))
            colour = GREY if who in NULLS else COLOURS["model"]
            axes.plot(ratio, spread, "o", markersize=4, color=colour, alpha=0.75)
            axes.plot([ratio.mean()] * 2, [at - 0.32, at + 0.32], color=colour, linewidth=2)
        axes.axvline(1, color=COLOURS["scorecard"], linewidth=1.2)
        axes.set_title(company.name, loc="left", fontsize=10)
        axes.grid(color="#e6e6e6", linewidth=0.8, axis="x")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    drawing.suptitle(
        "PR-AUC relative to the scorecard", x=0.01, ha="left", fontsize=12, fontweight="bold"
    )
    note = (
        "A point per seed, a bar at their mean; the line is the scorecard. Test rows of all folds."
    )
    drawing.supxlabel(note, fontsize=7.5, color=GREY, x=0.01, ha="left")
    save(drawing, path)


def _interval(told: Told, sign: str = "", digits: int = 3) -> str:
    value, low, high = (f"{number:{sign}.{digits}f}" for number in told)
    return f"{value} [{low}, {high}]"


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{what}: {', '.join(names) or 'none'}"


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _short(numbers: Sequence[float] | np.ndarray) -> list[float]:
    return np.round(numbers, 6).tolist()
