"""How often the promotion gate errs: good challengers refused, bad ones let through.

    python -m benchmarks.gate                      # some minutes on one core

Companies and models are those of `benchmarks.gate_world`. The rules are the gate's own, with its
defaults. The bootstrap is `models.judging.bootstrap.evaluate` for the gate's
four metrics alone; at the start both are held against each other.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import date

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import pandas as pd

from benchmarks.gate_bootstrap import Measured
from benchmarks.gate_world import LONG_AGO, NOISES, WEEKS, Company, Model
from benchmarks.measure import ROOT, machine
from benchmarks.report import table
from models.judging.bootstrap import Contender, evaluate
from models.judging.gate import GateSpec, judge_tiers, passes
from models.judging.gate_evidence import (
    ANCHOR,
    CHALLENGER,
    CHAMPION,
    SCORECARD,
    judge_evidence,
)
from models.metrics import Bins

SCORECARD_AT, PQL_LIFT = 3, 5.0
ASKED, SLOPES = (1, 5, 20), (1.0, 1.15, 1.4, 1.6, 2.0)
RIVALS, GENERATIONS = 20, 10
COMPANIES, CROWDS, CHAINS = {50: 100, 150: 60, 500: 25}, 20, 8
"""How many are simulated; companies by how many accounts convert on the fresh rows."""
SPEC = GateSpec(min_converting=1)
RESULTS = ROOT / "benchmarks" / "results" / "gate.md"
Keys = tuple[str | int | float | bool, ...]


class Simulation:
    """Models, companies to judge them in, and what was found there, by key."""

    def __init__(self, n_bootstrap: int):
        self.models = [Model(noise) for noise in NOISES]
        self.found: dict[Keys, list[float]] = defaultdict(list)
        self._n_bootstrap = n_bootstrap
        large = Company.of(60_000, np.random.default_rng(5))
        self._share = large.converting / large.n

    def meet(
        self, size: int, *seed: int, champion: int = 0
    ) -> tuple[Company, np.ndarray, dict[str, Contender], np.random.Generator]:
        """A company, the noise that models share, and whom a challenger meets there."""
        rng = np.random.default_rng([size, *seed])
        made = Company.of(round(size / self._share), rng)
        shared = rng.normal(size=made.n)
        rivals = {
            CHAMPION: self.models[champion].says(made, shared, rng),
            SCORECARD: self.models[SCORECARD_AT].points(made, rng),
            ANCHOR: self.models[0].says(made, shared, rng, LONG_AGO),
        }
        return made, shared, rivals, rng

    def measure(self, made: Company, who: Mapping[str, Contender], seed: int) -> Measured:
        return Measured(made, who, self._n_bootstrap, seed)

    def check(self) -> None:
        """Refuse to go on where the bootstrap is not that of `evaluate`."""
        made, shared, rivals, rng = self.meet(50, 0)
        who = {CHALLENGER: self.models[1].says(made, shared, rng), **rivals}
        ours = Measured(made, who, 20, 4).table(*who)
        theirs = evaluate(
            made.label, who, made.account, made.week, capacity=40, n_bootstrap=20, seed=4
        )
        keys = ["metric", "contender"]
        theirs = theirs.set_index(keys).loc[pd.MultiIndex.from_frame(ours[keys])]
        # What is not computed here, or not there, is NaN.
        gap = np.abs(ours.set_index(keys) - theirs).to_numpy(float)
        if not np.nanmax(gap) < 1e-9:
            raise SystemExit("The bootstrap here is not that of models.judging.bootstrap.evaluate.")

    def challengers(self, size: int, number: int) -> None:
        """Three challengers in one company, at the first asking and at later ones."""
        made, shared, rivals, rng = self.meet(size, number)
        champion = rivals[CHAMPION]
        who = {str(model): self.models[model].says(made, shared, rng) for model in range(3)}
        bent = {
            f"bent {slope}": Contender(
                champion.score, self.models[0].bent(slope)(champion.probability)
            )
            for slope in SLOPES
        }
        measured = self.measure(made, {**who, **bent, **rivals}, number)
        for name in who:
            found = measured.evidence(name)
            for asked in ASKED:
                for anchored in (False, True):
                    ruled = judge_evidence(found, SPEC, anchored=anchored, asked=asked)
                    self.found["passes", int(name), anchored, asked, size].append(passes(ruled))
            for one in judge_evidence(found, SPEC, anchored=True)[1:]:
                self.found["rule", one.rule, int(name), size].append(one.verdict == "pass")
        for slope in SLOPES:
            rulings = judge_evidence(measured.evidence(f"bent {slope}"), SPEC)
            passed = {one.rule: one.verdict == "pass" for one in rulings}["calibration error"]
            self.found["calibration", slope, size].append(passed)
        last = made.week == WEEKS - 1
        before, after = (_tiers(one.probability[last]) for one in (champion, who["0"]))
        for name, other in (("equal", after), ("none", rng.permutation(before))):
            ruling = judge_tiers(before, other, ("hot",), SPEC)
            self.found["churn", name, size].append(float(ruling.value or 0))

    def crowd(self, size: int, number: int) -> None:
        """Whether some of 20 challengers on the same rows gets through, counted and not."""
        made, shared, rivals, rng = self.meet(size, 1, number)
        for model in (1, 2):
            who = {str(k): self.models[model].says(made, shared, rng) for k in range(RIVALS)}
            measured = self.measure(made, {**who, **rivals}, number)
            found = [measured.evidence(name) for name in who]
            for how in ("counted", "not counted"):
                times = [k + 1 if how == "counted" else 1 for k in range(RIVALS)]
                ruled = [
                    passes(judge_evidence(one, SPEC, asked=k))
                    for one, k in zip(found, times, strict=True)
                ]
                self.found["crowd", how, model, size].append(any(ruled))

    def generations(self, size: int, number: int) -> None:
        """How many of ten challengers get through, each one step worse than the champion then."""
        worst = len(self.models) - 1
        for anchored in (False, True):
            at = asked = 0
            for generation in range(GENERATIONS):
                made, shared, rivals, rng = self.meet(size, 2, number, generation, champion=at)
                who = self.models[min(at + 1, worst)].says(made, shared, rng)
                found = self.measure(made, {CHALLENGER: who, **rivals}, number).evidence(CHALLENGER)
                asked += 1
                if passes(judge_evidence(found, SPEC, anchored=anchored and at > 0, asked=asked)):
                    at, asked = min(at + 1, worst), 0
            self.found["generations", anchored, size].append(at)

    def true_error(self, slope: float) -> float:
        """Calibration error of the bent champion in a large company, as a share of its rate."""
        rng = np.random.default_rng(7)
        made = Company.of(60_000, rng)
        one = self.models[0].says(made, rng.normal(size=made.n), rng)
        bent = self.models[0].bent(slope)(one.probability)
        return Bins(made.label, bent).errors()[0] / float(made.label.mean())


def _tiers(probability: np.ndarray) -> np.ndarray:
    base = probability.mean()
    odds = probability / (1 - probability)
    return np.where(odds >= PQL_LIFT * base / (1 - base), "hot", "cold").astype(object)


def report(done: Simulation, sizes: dict[int, int]) -> str:
    """The tables, in Markdown."""

    def cells(*key: str | int | float | bool) -> list[str]:
        return [f"{100 * np.mean(done.found[(*key, size)]):.0f} %" for size in sizes]

    less = [1 - one.pr_auc / done.models[0].pr_auc for one in done.models]
    names = ["equally good", *(f"{100 * share:.0f} % less PR-AUC" for share in less[1:3])]
    heads = [f"{size} converting" for size in sizes]
    rules = list(dict.fromkeys(key[1] for key in done.found if key[0] == "rule"))
    parts = [
        ("Gets through, at the first asking and later", ("challenger", "anchor", "asked", *heads), [
            (name, "yes" if anchored else "no", asked, *cells("passes", model, anchored, asked))
            for model, name in enumerate(names) for anchored in (False, True) for asked in ASKED]),
        ("Passes single rules", ("rule", "challenger", *heads), [
            (rule, name, *cells("rule", rule, model))
            for rule in rules for model, name in enumerate(names)]),
        ("Passes the rule on calibration error", ("true error", *heads), [
            (f"{100 * done.true_error(slope):.0f} %", *cells("calibration", slope))
            for slope in SLOPES]),
        ("PQLs that are others, on average", ("challenger", *heads), [
            (name, *cells("churn", key))
            for key, name in (("equal", names[0]), ("none", "unrelated"))]),
        (f"Some of {RIVALS} on the same rows gets through", ("challengers", "askings", "share"), [
            (names[model], how, f"{100 * np.mean(done.found['crowd', how, model, 150]):.0f} %")
            for model in (1, 2) for how in ("counted", "not counted")]),
        (f"Of {GENERATIONS} challengers, each 9 % worse than the champion then",
         ("anchor", "get through", "PR-AUC lost", "most lost"), [
            (("no", "yes")[anchored], f"{np.mean(at):.1f}", f"{100 * np.mean(lost):.0f} %",
             f"{100 * max(lost):.0f} %")
            for anchored in (False, True)
            for at in [done.found["generations", anchored, 500]]
            for lost in [[less[int(one)] for one in at]]]),
    ]  # fmt: skip
    return "\n\n".join(f"## {title}\n\n{table(head, rows)}" for title, head, rows in parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=80, help="Bootstrap draws.")
    parser.add_argument("--companies", type=float, default=1.0, help="As many times as usual.")
    parser.add_argument("--no-write", action="store_true", help="Only print.")
    given = parser.parse_args()
    on, started = machine(), time.process_time()
    sizes = {size: max(1, round(n * given.companies)) for size, n in COMPANIES.items()}
    crowds, chains = (max(1, round(n * given.companies)) for n in (CROWDS, CHAINS))
    done = Simulation(given.draws)
    done.check()
    for size, companies in sizes.items():
        for number in range(companies):
            done.challengers(size, number)
    for number in range(crowds):
        done.crowd(150, number)
    for number in range(chains):
        done.generations(500, number)
    spent = time.process_time() - started
    champion, card = done.models[0], done.models[SCORECARD_AT]
    made = ", ".join(f"{n} with {size}" for size, n in sizes.items())
    text = f"""# How often the promotion gate errs

Companies: {made} converting accounts; {crowds} crowds with 150, {chains} chains with 500.
{given.draws} draws an interval, which are those of `evaluate` (checked). Champion: PR-AUC
{champion.pr_auc:.3f}, log loss {champion.log_loss:.4f}; the scorecard's PR-AUC is
{100 * (1 - card.pr_auc / champion.pr_auc):.0f} % lower.

{report(done, sizes)}

Measured on {date.today().isoformat()}: {on["cpu"]}, {spent:.0f} CPU seconds.
"""
    print(text)
    if not given.no_write:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
