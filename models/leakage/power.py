"""Target-derived columns: too good alone, or good only in the last hours before the conversion."""

from features.definitions import Feature
from models.leakage.case import Case
from models.leakage.columns import KNOWN_AT_THE_END, KNOWN_LATER
from models.leakage.finding import Check, Finding, Planted, Severity
from models.leakage.origin import named_once, origin_of
from models.leakage.strength import AFTERWARDS, Strength, Strengths, strengths

POWER, HOURS = "single-feature power", "hidden hours"
_GREAT_AREA = 0.9
_TIMES_SECOND = 2.0
_KEPT = 0.25
_MOST_SD = 2.0


def check_power(case: Case) -> tuple[Check, Check]:
    """Each feature alone against the training labels, and again without the last hours.

    *Single-feature power*: a ROC-AUC surely above `most_roc_auc`, and above all that permuted
    labels give, or rows picked out of which surely more than `most_precision` convert. Fails. A
    ROC-AUC of 0.9 or more warns where nothing else in the log has half of its Gini coefficient.

    *Hidden hours*: a feature that tells rows that convert within `hidden_hours` (ROC-AUC of 0.9 or
    more), but loses over three quarters of that for those that convert in twice that time
    thereafter. Intent builds up over days; what is written as somebody converts is there in the
    last hours only. Fails.
    """
    n = len(set(case.cluster[case.rows.label].tolist()))
    if blind := case.too_few(n, "converting entities among the training rows"):
        return Check(POWER, "", blind=blind), Check(HOURS, "", blind=blind)
    found = strengths(case)
    features = {feature.name: feature for feature in case.features}
    return _power(case, found, features), _hours(case, found, features)


def _power(case: Case, found: Strengths, features: dict[str, Feature]) -> Check:
    suspects = {
        name: max(one.area_low, one.pocket.precision_low if one.pocket else 0.0)
        for name, one in found.of.items()
        if _is_great(case, found, one) or _is_pure(case, one)
    }
    findings = [
        _finding(POWER, "fail", name, features, _too_good(name, case, found))
        for name in named_once(suspects, features).values()
    ]
    if not findings and (lonely := _far_ahead(found, features)):
        name, second = lonely
        evidence = (
            f"`{name}` alone reaches a ROC-AUC of {found.of[name].area:.3f}; the best feature of "
            f"anything else {second:.3f}."
        )
        findings = [_finding(POWER, "warn", name, features, evidence)]
    planted = found.planted.get(KNOWN_LATER)
    return Check(
        POWER,
        f"{len(found.of)} features that are not constant on {found.n_rows:,} rows; the best has "
        f"a ROC-AUC of {found.best:.3f}, with permuted labels {found.null_best:.3f}",
        tuple(findings),
        (Planted(KNOWN_LATER, planted is not None and _is_great(case, found, planted)),),
    )


def _hours(case: Case, found: Strengths, features: dict[str, Feature]) -> Check:
    hours = f"{case.spec.hidden_hours:g} hours"
    until = f"{AFTERWARDS * case.spec.hidden_hours:g} hours"
    if blind := (
        case.too_few(found.n_near, f"entities with a row in the {hours} before converting")
        or case.too_few(found.n_far, f"entities with a row {hours} to {until} before converting")
    ):
        return Check(HOURS, "", blind=blind)
    suspects = {name: one.near - one.far for name, one in found.of.items() if _collapses(one)}
    findings = []
    for name in named_once(suspects, features).values():
        one = found.of[name]
        evidence = (
            f"`{name}` alone reaches a ROC-AUC of {one.near:.3f} where the conversion is less than "
            f"{hours} away, and {one.far:.3f} where it is {hours} to {until} away."
        )
        findings.append(_finding(HOURS, "fail", name, features, evidence))
    planted = found.planted.get(KNOWN_AT_THE_END)
    return Check(
        HOURS,
        f"{len(found.of)} features on rows of {found.n_near:,} entities less than {hours} before "
        "they convert",
        tuple(findings),
        (Planted(KNOWN_AT_THE_END, planted is not None and _collapses(planted)),),
    )


def _is_great(case: Case, found: Strengths, one: Strength) -> bool:
    return one.area_low >= case.spec.most_roc_auc and one.area > found.null_best


def _is_pure(case: Case, one: Strength) -> bool:
    pocket = one.pocket
    if pocket is None or pocket.clusters < case.spec.min_entities:
        return False
    base = float(case.rows.label.mean())
    # Where most rows convert anyway, a pure group is nothing strange.
    wanted = max(case.spec.most_precision, _odds_times(base, _PURE_ODDS))
    return pocket.precision_low >= wanted


def _odds_times(share: float, times: float) -> float:
    """The share whose odds are `times` those of `share`."""
    return times * share / (1 - share + times * share)


def _collapses(one: Strength) -> bool:
    drop = one.near - one.far
    lost = one.far - 0.5 < _KEPT * (one.near - 0.5)
    return bool(one.near >= _GREAT_AREA and lost and drop > _MOST_SD * one.drop_sd)


def _far_ahead(found: Strengths, features: dict[str, Feature]) -> tuple[str, float] | None:
    """The best feature of one thing, if no feature of anything else has half its Gini coefficient.

    Totals that count the same event follow it, so they are no rivals.
    """
    of_one = {name: origin_of(features[name]) for name in found.of}
    named = [name for name, origin in of_one.items() if origin is not None]
    if not named:
        return None
    best = max(named, key=lambda name: (found.of[name].area, name))
    mine = set(features[best].events)
    rivals = [
        found.of[name].area
        for name in named
        if of_one[name] != of_one[best] and not mine & set(features[name].events)
    ]
    if len(rivals) < _LEAST_RIVALS or found.of[best].area < _GREAT_AREA:
        return None
    second = max(rivals)
    return (best, second) if found.of[best].area - 0.5 > _TIMES_SECOND * (second - 0.5) else None


def _too_good(name: str, case: Case, found: Strengths) -> str:
    one = found.of[name]
    told = []
    if _is_great(case, found, one):
        told.append(
            f"has a ROC-AUC of {one.area:.3f} (surely {one.area_low:.3f}; with permuted labels no "
            f"feature has more than {found.null_best:.3f})"
        )
    if one.pocket is not None and _is_pure(case, one):
        told.append(
            f"picks out {one.pocket.rows:,} rows of {one.pocket.clusters:,} entities of which "
            f"{100 * one.pocket.precision:.0f} % convert (of all rows "
            f"{100 * case.rows.label.mean():.1f} %)"
        )
    return f"`{name}` alone {' and '.join(told)}."


def _finding(
    check: str, severity: Severity, name: str, features: dict[str, Feature], evidence: str
) -> Finding:
    origin = next(iter(named_once({name: 1.0}, features)))
    return Finding(check, severity, origin, evidence, origin.remedy)


_PURE_ODDS = 20.0
_LEAST_RIVALS = 3
