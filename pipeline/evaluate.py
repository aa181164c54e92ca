"""`evaluate`: the order of steps from a settings file to a backtest, and its folds as a picture."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.clock import to_text
from features.definitions import fingerprint
from features.errors import NotEnoughHistory, SchemaMismatch
from models.choosing.ladder import Ladder, climb
from models.dataset import Customers
from models.judging.backtest import Backtest, backtest
from models.judging.champion import AgainstChampion, against_champion, unseen_by
from models.judging.out_of_fold import (
    Entrant,
    FoldRows,
    OutOfFold,
    model_entrant,
    scorecard_entrant,
)
from models.judging.rolling import rolling_folds
from models.propensity import PropensityModel
from models.scorecard import Scorecard
from models.splits import Split
from pipeline import tracking
from pipeline.across_folds import AcrossFolds, across_folds
from pipeline.champion import events_for, load_champion
from pipeline.dataset import Assembled, assemble, compute, engine_session
from pipeline.judging import fitter, rows_per_date
from pipeline.null_entrants import null_entrants
from pipeline.one_thread import in_one_thread
from pipeline.plots_folds import plot_folds
from pipeline.prices import Prices, price_shortcuts
from pipeline.progress import Progress
from pipeline.report.backtest import write_backtest
from pipeline.scorecard import with_rules
from pipeline.settings import Run
from pipeline.train import import_events

Say = Callable[[str], None]


@dataclass(frozen=True)
class BacktestResult:
    """Folds and, unless only they were asked for, what they gave.

    Parameters
    ----------
    picture
        Of the folds.
    ladders
        Which rung each fold's model stands on, and why.
    """

    splits: tuple[Split, ...]
    immature: int
    picture: Path
    settings_path: Path
    backtest: Backtest | None = None
    ladders: tuple[Ladder, ...] = ()
    across: AcrossFolds | None = None
    prices: Prices | None = None
    champion: AgainstChampion | None = None
    report: Path | None = None
    run_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "folds": [split.describe() for split in self.splits],
            "immature": self.immature,
            "picture": str(self.picture),
        }
        result, champion, across = self.backtest, self.champion, self.across
        if result is None or champion is None or across is None:
            return told
        table = champion.table
        return told | {
            "metrics": result.table.to_dict("records"),
            "metrics_by_fold": [fold.table.to_dict("records") for fold in result.folds],
            "base_rate": result.base_rate,
            "base_rate_by_fold": [fold.base_rate for fold in result.folds],
            "converting": result.converting,
            "calibration_error_if_perfect": {
                name: [perfect.mean, perfect.low, perfect.high]
                for name, perfect in result.if_perfect.items()
            },
            "ladders": [ladder.as_dict() for ladder in self.ladders],
            **across.as_dict(),
            "shortcuts": None if self.prices is None else self.prices.as_dict(),
            "verdict": result.verdict,
            "champion": None if table is None else table.to_dict("records"),
            "champion_verdict": champion.verdict,
            "report": str(self.report),
            "run_id": self.run_id,
        }


@in_one_thread
def evaluate(
    run: Run,
    say: Say,
    *,
    show_folds: bool = False,
    entrants: Mapping[str, Entrant] | None = None,
) -> BacktestResult:
    """Import, assemble, divide, draw the folds; then fit, judge and report them.

    Parameters
    ----------
    show_folds
        Stop at the picture: nothing is trained.
    entrants
        By name: who is judged beside model and scorecard.

    Raises
    ------
    SettingsError, EventLogError, NotEnoughHistory, SchemaMismatch
        With one sentence that says what is wrong and what to do.
    """
    log = import_events(run, say)
    data = assemble(run, log, say)
    run = with_rules(run, data.features)
    settings = run.settings
    Scorecard(settings.scorecard).check(feature.name for feature in data.features)
    splits = rolling_folds(data.dataset, settings.horizon_days, settings.evaluation.backtest)
    folder = run.store / "reports" / f"backtest-{_fingerprint(run, data)}"
    folder.mkdir(parents=True, exist_ok=True)
    plot_folds(splits, data.dataset, folder / "folds.png")
    found = BacktestResult(
        splits, int((~data.dataset.mature).sum()), folder / "folds.png", run.path
    )
    if show_folds:
        return found
    result, ladders = _backtest(run, data, splits, dict(entrants or {}), say)
    champion = _champion(run, data, result.out_of_fold, say)
    across = across_folds(settings, data.dataset, splits[0], result)
    prices = price_shortcuts(run, data, splits[-1], ladders[-1], say)
    page = write_backtest(folder, run, data, splits, result, ladders, champion, across, prices)
    run_id = _record(run, data, result, champion, folder)
    return BacktestResult(
        splits,
        found.immature,
        found.picture,
        run.path,
        result,
        ladders,
        across,
        prices,
        champion,
        page,
        run_id,
    )


def _fingerprint(run: Run, data: Assembled) -> str:
    """Equal for the same events, features and settings, wherever they are kept and computed."""
    asked = run.settings.model_dump_json(exclude={"compute", "paths", "mlflow"})
    parts = (data.log.fingerprint, fingerprint(data.features), asked)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _backtest(
    run: Run, data: Assembled, splits: tuple[Split, ...], others: dict[str, Entrant], say: Say
) -> tuple[Backtest, tuple[Ladder, ...]]:
    settings = run.settings
    tested = sum(split.folds[-1].rows for split in splits)
    say(
        f"Backtest: {len(splits)} fold{'' if len(splits) == 1 else 's'}, {tested:,} test rows from "
        f"{to_text(splits[0].folds[-1].first_as_of)} to {to_text(splits[-1].folds[-1].last_as_of)}"
    )
    ladders = _ladders(run, data, splits, say)

    def fit(fold: FoldRows, customers: Customers) -> PropensityModel:
        spec = settings.model.model_copy(update={"learner": ladders[fold.number].chosen})
        return fitter(settings, spec)(fold.train, fold.calibrate, customers)

    entrants = {
        "model": model_entrant(fit, data.customers),
        "scorecard": scorecard_entrant(
            settings.scorecard,
            settings.model.calibration,
            horizon_days=settings.horizon_days,
            seed=settings.seed,
        ),
    } | null_entrants(settings, data.dataset, data.customers, ladders)
    with Progress("Backtest") as progress:
        result = backtest(
            splits,
            data.dataset,
            entrants | others,
            horizon_days=settings.horizon_days,
            capacity=rows_per_date(settings),
            n_bootstrap=settings.evaluation.n_bootstrap,
            seed=settings.seed,
            progress=progress.update,
        )
    return result, ladders


def _ladders(run: Run, data: Assembled, splits: tuple[Split, ...], say: Say) -> tuple[Ladder, ...]:
    """The rung of each fold, chosen as `train` does on the fold's rows before its test."""
    settings, found = run.settings, []
    for number, split in enumerate(splits):
        fold = FoldRows(number, data.dataset, split)
        with Progress(f"Ladder of fold {number + 1}") as progress:
            ladder = climb(
                fold.before_test,
                data.customers.known_before(split.folds[-1].first_as_of),
                settings.model,
                settings.scorecard.rules,
                horizon_days=settings.horizon_days,
                seed=settings.seed,
                threads=settings.compute.threads,
                progress=progress.update,
            )
        say(f"Fold {number + 1}: {ladder.verdict}")
        found.append(ladder)
    return tuple(found)


def _champion(run: Run, data: Assembled, found: OutOfFold, say: Say) -> AgainstChampion:
    """The registry's champion on the rows that it has never seen, with its own features."""
    try:
        champion = load_champion(run, "champion")
        log = events_for(run, champion, lambda text: say(f"Champion's data: {text}"))
    except NotEnoughHistory:
        return AgainstChampion(0, 0, None, "No champion is registered yet to compare with.")
    except SchemaMismatch as error:
        return AgainstChampion(0, 0, None, f"The champion can't be compared. {error}")
    if log.fingerprint != data.log.fingerprint:
        return AgainstChampion(
            0,
            0,
            None,
            "The champion can't be compared: it reads properties that data.properties: auto does "
            "not choose any more. Name them in data.properties.",
        )
    model = champion.model
    unseen = unseen_by(model, found.rows, run.settings.horizon_days)
    matrix = found.rows.matrix.take(unseen)
    if unseen.any() and model.features != matrix.features:
        with engine_session(run.settings):
            rows = matrix.snapshots
            matrix = compute(log, rows, model.features, run.settings, "Champion's features")
    say(f"Judging version {champion.version.number}, the champion, on {unseen.sum():,} unseen rows")
    return against_champion(
        model,
        found,
        unseen,
        matrix,
        capacity=rows_per_date(run.settings),
        n_bootstrap=run.settings.evaluation.n_bootstrap,
        seed=run.settings.seed,
    )


def _record(
    run: Run, data: Assembled, result: Backtest, champion: AgainstChampion, folder: Path
) -> str:
    """The backtest as a run of its own in MLflow: settings, metrics, page and pictures."""
    title = f"{run.settings.name}, backtest, data to {to_text(data.log.data_end)[:10]}"
    tags = {
        "kind": "backtest",
        "entity": run.settings.entity,
        "log_fingerprint": data.log.fingerprint,
        "feature_fingerprint": fingerprint(data.features),
        "verdict": result.verdict,
    }
    note = f"{result.verdict}\n\n{champion.verdict}"
    with tracking.training_run(run, title, note, tags) as run_id:
        tracking.log_settings(run)
        tracking.log_backtest(result, champion)
        tracking.log_folder(folder, "report")
    return run_id
