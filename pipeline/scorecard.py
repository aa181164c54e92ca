"""The scorecard's verbs as steps: what its rules are, points learnt from data, SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from features.errors import EventLogError, SettingsError, few
from features.events import EventLog
from models.scorecard import (
    Rule,
    ScorecardFit,
    ScorecardSpec,
    Tables,
    fit_points,
    resolved,
    to_sql,
)
from models.scorecard.columns import column_of, not_in_log
from models.scorecard.lines import write_fact
from pipeline.one_thread import in_one_thread
from pipeline.settings import Run
from pipeline.sources.spec import DataSpec, values_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from features.definitions import Feature
    from models.scorecard.sql_text import Dialect
    from pipeline.dataset import Say


@dataclass(frozen=True)
class ShownRule:
    """One rule as the settings have it, and where it comes from."""

    rule: Rule
    source: str

    @property
    def earned_by(self) -> str:
        """The fact that earns the points, in the words of a line."""
        if self.rule.measure is None and self.rule.feature is None:
            return "no data, never counts"
        return write_fact(self.rule.model_dump(exclude_none=True))


@dataclass(frozen=True)
class Shown:
    """The rules of a run, before any event is read.

    Parameters
    ----------
    unmapped
        Roles of the preset without events.
    unknown
        A sentence for each name that the imported log does not have; None before any import.
    """

    spec: ScorecardSpec
    rules: tuple[ShownRule, ...]
    unmapped: tuple[str, ...]
    unknown: tuple[str, ...] | None

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "preset": self.spec.preset,
            "unmapped_roles": list(self.unmapped),
            "unknown": None if self.unknown is None else list(self.unknown),
            "thresholds": self.spec.thresholds.model_dump(),
            "rules": [
                {
                    **one.rule.model_dump(exclude_none=True),
                    "from": one.source,
                    "earned_by": one.earned_by,
                    "line": one.rule.line,
                }
                for one in self.rules
            ],
        }


def show_rules(run: Run) -> Shown:
    """What the settings say: rules of the preset, of one's own, and hand-raises.

    Names are compared with those of the log of the store that was used last.
    """
    from models.scorecard import DEFAULT_RULES, roles_of

    spec, signals = run.settings.scorecard, run.settings.signals
    written = spec.written
    own = set(map(id, spec.rules))
    base = "shipped" if spec.rules is DEFAULT_RULES else "own"
    rules = [ShownRule(r, base if id(r) in own else f"preset {spec.preset}") for r in written]
    upgrade = [rule for rule in written if rule.dimension == "upgrade"]
    counted = tuple(e for rule in upgrade if rule.measure for e in rule.measure.events)
    # What a named feature counts is known once the catalogue is made.
    unsure = any(rule.feature is not None and rule.measure is None for rule in upgrade)
    source = "hand-raise, if not counted above" if unsure else "hand-raise"
    rules += [ShownRule(rule, source) for rule in spec.raised(signals, counted)]
    roles = roles_of(spec.preset) if spec.preset else ()
    return Shown(
        spec,
        rules=tuple(rules),
        unmapped=tuple(role for role in roles if role not in spec.events),
        unknown=_unknown(run, [one.rule for one in rules]),
    )


def _unknown(run: Run, rules: "Sequence[Rule]") -> tuple[str, ...] | None:
    """What rules name and the log that was used last does not have; none of its events is read."""
    logs = [one.parent for one in (run.store / "logs").glob("*/log.json")]
    if not logs:
        return None
    last_used = max(logs, key=lambda one: one.stat().st_mtime)
    try:
        return tuple(not_in_log(rules, EventLog(last_used), run.settings.entity))
    except EventLogError:
        # Of another format, or damaged: the next import makes it anew.
        return None


def with_rules(run: Run, features: "Sequence[Feature]") -> Run:
    """The run with its scorecard on the columns of its catalogue, hand-raises included."""
    settings = run.settings
    spec = resolved(settings.scorecard, settings.signals, features)
    return Run(settings.model_copy(update={"scorecard": spec}), run.path, run.text)


@in_one_thread
def learn_points(run: Run, say: "Say") -> ScorecardFit:
    """Import, assemble, split, learn on the rows before the test period, judge on those in it.

    Raises
    ------
    SettingsError, EventLogError, NotEnoughHistory
        As `train`, and as `fit_points`.
    """
    from models.splits import temporal_split
    from pipeline.dataset import assemble
    from pipeline.judging import rows_per_date
    from pipeline.train import import_events

    log = import_events(run, say)
    data = assemble(run, log, say)
    run = with_rules(run, data.features)
    settings = run.settings
    split = temporal_split(data.dataset, settings.horizon_days, settings.evaluation.folds)
    before = data.dataset.take(split.train | split.calibrate)
    later = data.dataset.take(split.test)
    say(f"Learning points from {len(before):,} rows, judging them on {len(later):,} later ones")
    return fit_points(
        before,
        later,
        settings.scorecard,
        capacity=rows_per_date(settings),
        n_bootstrap=settings.evaluation.n_bootstrap,
        seed=settings.seed,
    )


def export_sql(
    run: Run,
    say: "Say",
    *,
    as_of: int | None,
    dialect: "Dialect",
    tables: Tables,
    without: "Iterable[str]" = (),
) -> str:
    """The query of the run's scorecard; its catalogue says what each rule reads.

    Parameters
    ----------
    without
        Names of rules to leave out.

    Raises
    ------
    SettingsError
        When a rule can't be said in SQL, or there is no rule of such a name.
    """
    from pipeline.catalogue import features_of
    from pipeline.train import import_events

    features = features_of(run, import_events(run, say))
    spec = with_rules(run, features).settings.scorecard
    left_out = set(without)
    if unknown := sorted(left_out - {rule.name for rule in spec.rules}):
        raise SettingsError(
            f"--without names {few(unknown)}, but the scorecard has no such rule; "
            "`python -m pipeline scorecard show` lists them."
        )
    kept = tuple(rule for rule in spec.rules if rule.name not in left_out)
    spec = spec.model_copy(update={"rules": kept})
    level = run.settings.entity
    notes = _made_at_import(run.settings.data, [column_of(rule, features) for rule in kept])
    return to_sql(spec, features, level, as_of=as_of, dialect=dialect, tables=tables, notes=notes)


def _made_at_import(data: DataSpec, columns: "Iterable[Feature | None]") -> list[str]:
    """What the import changes of the events that rules count, which a raw table lacks."""
    counted = [column.events for column in columns if column is not None and not column.property]
    every = () in counted
    names = {name for events in counted for name in events}
    notes = [
        f"Only the import makes {one.name}: {one.event} where "
        + " and ".join(f"{key} is {few(values_of(wanted))}" for key, wanted in one.where.items())
        for one in data.derived_events
        if every or one.name in names
    ]
    if every and data.drop_events:
        notes.append(
            f"The import leaves out {few(data.drop_events, 12)}; some rules count all the rest"
        )
    return notes


def tables_of(given: Mapping[str, str]) -> Tables:
    """Names of tables and columns of a warehouse.

    Raises
    ------
    SettingsError
        For a key that is none, or an empty name.

    Examples
    --------
    >>> tables_of({"events": "analytics.events"}).events
    'analytics.events'
    """
    known = [field.name for field in fields(Tables)]
    if unknown := sorted(set(given) - set(known)):
        raise SettingsError(
            f"--name {unknown[0]}=...: there is no such name; known are {', '.join(known)}."
        )
    if empty := [key for key, name in given.items() if not name]:
        raise SettingsError(f"--name {empty[0]}= is empty; say what your warehouse calls it.")
    return Tables(**given)
