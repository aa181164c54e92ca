"""From 20 to 2,000 conversions: what each rung is worth on one later test, and what is chosen.

    python -m benchmarks.ladder                                    # 40 minutes on one core
    python -m benchmarks.ladder --accounts 6000 --draws 2 --sizes 20,80,320

Accounts are drawn at random from one simulated company until so many of them convert before the
test; every rung is fitted on their rows and judged on the later rows of a random part of *all*
accounts, the same for every company, so that a point of the plot is one that had no more data.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.measure import ROOT
from features.errors import NotEnoughHistory
from models.choosing.ladder import RUNGS, climb
from models.choosing.walk_forward import sample_accounts
from models.dataset import Customers, Dataset
from models.metrics import log_loss, pr_auc
from models.propensity import PropensityModel
from models.splits import temporal_split
from pipeline.dataset import assemble
from pipeline.demo import make_demo
from pipeline.plots import figure, save
from pipeline.settings import Settings, load
from pipeline.train import import_events

MANY = 320
MOST_TESTED = 15_000
"""Rows of the test, of whole accounts drawn once: all companies are judged on the same."""
SIZES = (20, 40, 80, 160, 320, 640, 1280, 2000)
COLOURS = {"points": "#7a9e3f", "logistic": "#8e6bbf", "booster": "#1f6f8b", "chosen": "#111111"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=34_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--draws", type=int, default=6, help="a third above 320 conversions")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "benchmarks")
    parser.add_argument("--out", type=Path, help="folder of ladder.md, ladder.json and ladder.png")
    args = parser.parse_args()
    sizes = [int(text) for text in args.sizes.split(",")]
    folder = args.data / f"ladder-{args.accounts}-{args.seed}"
    settings, rows, customers = company(folder, args.accounts, args.seed)
    results = list(measure(settings, rows, customers, sizes, args.draws))
    page = table(results, args.accounts, args.seed)
    print(page)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "ladder.md").write_text(page, encoding="utf-8")
        (args.out / "ladder.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
        plot(results, args.out / "ladder.png")


def company(folder: Path, accounts: int, seed: int) -> tuple[Settings, Dataset, Customers]:
    """A simulated company's rows, made once."""
    path = make_demo(folder, accounts=accounts, seed=seed, say=say)
    run = load(path)
    data = assemble(run, import_events(run, say), say)
    return run.settings, data.dataset, data.customers


def measure(
    settings: Settings, rows: Dataset, customers: Customers, sizes: list[int], draws: int
) -> Iterator[dict[str, Any]]:
    """One record per size and draw: conversions, choice, and both metrics of every rung."""
    split = temporal_split(rows, settings.horizon_days, settings.evaluation.folds)
    test = sample_accounts(rows.take(split.test), MOST_TESTED, settings.seed)
    before = rows.take(split.train | split.calibrate)
    in_train = split.train[split.train | split.calibrate]
    converting = np.unique(before.account[before.label])
    names = np.unique(rows.account)
    for size in sizes:
        if size > len(converting):
            say(f"Only {len(converting)} accounts convert before the test: {size} is left out")
            continue
        # Small companies differ more from draw to draw, and cost little.
        for draw in range(draws if size <= MANY else max(1, draws // 3)):
            rng = np.random.default_rng([size, draw])
            order = names[rng.permutation(len(names))]
            n = np.searchsorted(np.cumsum(np.isin(order, converting)), size) + 1
            chosen = order[:n]
            kept = np.isin(before.account, chosen)
            few = before.take(kept)
            parts = few.take(in_train[kept]), few.take(~in_train[kept])
            known = customers.take(np.isin(customers.account, chosen))
            record = one(settings, few, *parts, test, known, draw)
            say(f"{size} conversions, draw {draw + 1}: {record['chosen']}")
            yield {"conversions": size, "draw": draw, **record}


def one(
    settings: Settings,
    few: Dataset,
    train: Dataset,
    calibrate: Dataset,
    test: Dataset,
    customers: Customers,
    seed: int,
) -> dict[str, Any]:
    """All rungs on one small company."""
    shared: dict[str, Any] = {
        "horizon_days": settings.horizon_days,
        "seed": seed,
        "threads": 1,
    }
    rules = settings.scorecard.rules
    ladder = climb(few, customers, settings.model, rules, **shared)
    found: dict[str, Any] = {"chosen": ladder.chosen, "pr_auc": {}, "log_loss": {}}
    for rung in RUNGS:
        spec = settings.model.without_views().model_copy(update={"learner": rung})
        try:
            model = PropensityModel.fit(train, calibrate, customers, spec, rules=rules, **shared)
        except NotEnoughHistory:
            continue
        scores = model.predict(test.matrix, test.account, test.domain)
        found["pr_auc"][rung] = pr_auc(test.label, scores["raw_score"].to_numpy())
        found["log_loss"][rung] = log_loss(test.label, scores["probability"].to_numpy())
    return found


def table(results: list[dict[str, Any]], accounts: int, seed: int) -> str:
    """Mean PR-AUC by size and rung, how often each was chosen, and the worst loss of a choice."""
    lines = [
        "# From 20 to 2,000 conversions\n",
        f"Demo company of {accounts:,} accounts, seed {seed}. Mean PR-AUC on the later rows of a "
        "random part of all accounts, over draws of the accounts that were there to learn from; in "
        "brackets how often the ladder chose the rung. Behind: PR-AUC of the choice minus that of "
        "the scorecard, mean and worst draw.\n",
        "| conversions | draws | " + " | ".join(RUNGS) + " | chosen | behind: mean | worst |",
        "|---|---|" + "---|" * (len(RUNGS) + 3),
    ]
    for size in sorted({record["conversions"] for record in results}):
        mine = [record for record in results if record["conversions"] == size]
        cells = []
        for rung in RUNGS:
            values = [record["pr_auc"][rung] for record in mine if rung in record["pr_auc"]]
            times = sum(record["chosen"] == rung for record in mine)
            cells.append(f"{np.mean(values):.3f} ({times})" if values else "-")
        gap = [chosen_of(record) - record["pr_auc"]["scorecard"] for record in mine]
        chosen = np.mean([chosen_of(record) for record in mine])
        lines.append(
            f"| {size:,} | {len(mine)} | {' | '.join(cells)} | {chosen:.3f} | {np.mean(gap):+.3f} "
            f"| {min(gap):+.3f} |"
        )
    return "\n".join(lines) + "\n"


def chosen_of(record: dict[str, Any]) -> float:
    """PR-AUC of the rung that was chosen; of the scorecard where that could not be fitted."""
    return record["pr_auc"].get(record["chosen"], record["pr_auc"]["scorecard"])


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """PR-AUC against conversions: a line per rung, the choice with the range of its draws."""
    drawing, axes = figure(
        "How much model do the conversions allow?",
        "Later rows of a random part of all accounts; mean over draws. "
        "Band: all draws of the choice.",
    )
    sizes = sorted({record["conversions"] for record in results})
    lines = {
        rung: [
            [r["pr_auc"][rung] for r in results if r["conversions"] == n and rung in r["pr_auc"]]
            for n in sizes
        ]
        for rung in RUNGS
    }
    lines["chosen"] = [[chosen_of(r) for r in results if r["conversions"] == n] for n in sizes]
    for name, draws in lines.items():
        there = [at for at, values in enumerate(draws) if values]
        x, y = [sizes[at] for at in there], [float(np.mean(draws[at])) for at in there]
        colour = COLOURS.get(name, "#d17a22")
        style = {"linewidth": 2.4, "linestyle": "--"} if name == "chosen" else {"linewidth": 1.4}
        axes.plot(x, y, color=colour, label=name, marker="o", markersize=3, **style)
        if name == "chosen":
            low, high = ([f(draws[at]) for at in there] for f in (min, max))
            axes.fill_between(x, low, high, color=colour, alpha=0.10, linewidth=0)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axes.minorticks_off()
    axes.set_xlabel("converting accounts before the test")
    axes.set_ylabel("PR-AUC")
    axes.legend(frameon=False)
    save(drawing, path)


def say(text: str) -> None:
    """Progress goes to stderr: the table is what is printed."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
