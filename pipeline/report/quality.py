"""Sections on the data: what was read, lost, late and unknown, and what was taken for granted."""

from collections.abc import Mapping

from models.judging.data_quality import MEANINGS, DataQuality
from pipeline.dataset import Assembled
from pipeline.report.page import Block, Bullets, Cell, Fold, Section, Table, Text, columns
from pipeline.wording import percent


def quality_section(found: DataQuality) -> Section:
    """Rows read, quarantined and left out by reason; late events; what features do not know."""
    blocks: list[Block] = [Text(found.text)]
    counts: list[Block] = [_counts(found)]
    if found.quarantined:
        blocks.append(_reasons("Quarantined rows by reason", found.quarantined))
        counts.append(_reasons("Quarantined rows by file", found.quarantined_by_source, "file"))
    if found.left_out:
        counts.append(_reasons("Rows left out by reason", found.left_out))
    blocks.append(Fold("What was read, lost and late", counts))
    unknown = [*found.attributes_unknown, *found.mostly_unknown]
    rows = [
        (Cell(one.feature, code=True), percent(one.share), one.meaning)
        for one in dict.fromkeys(unknown)
    ]
    if rows:
        table = Table(
            f"Rows without a value, of {found.n_rows:,}",
            columns("feature", "#unknown", "meaning"),
            rows,
            stacked=True,
        )
        blocks.append(Fold("What features do not know", [table]))
    meanings = [(f"{name.capitalize()}:", f"{told}.") for name, told in MEANINGS.items()]
    blocks.append(Fold("What these numbers mean", [Bullets(meanings)]))
    return Section("quality", "Data quality and quarantine", blocks)


def _counts(found: DataQuality) -> Table:
    used = max(found.events_used, 1)
    counts = (
        ("rows read", found.rows_read, f"{found.files:,} file{'' if found.files == 1 else 's'}"),
        ("quarantined", sum(found.quarantined.values()), ""),
        ("duplicates", found.duplicates, ""),
        ("left out", sum(found.left_out.values()), ""),
        ("events used", found.events_used, f"{found.accounts:,} accounts, {found.users:,} users"),
        ("late", found.late, percent(found.late / used)),
        ("without an account", found.without_account, percent(found.without_account / used)),
        ("without a user", found.without_user, percent(found.without_user / used)),
        ("given their user later", found.identified_later, ""),
        ("constant features", len(found.constant), f"of {found.n_features:,}"),
    )
    rows = [(Cell(name), Cell(f"{count:,}", note)) for name, count, note in counts]
    return Table("What was read", columns("what", "#how many"), rows)


def _reasons(caption: str, counts: Mapping[str, int], what: str = "reason") -> Table:
    rows = [(Cell(reason), f"{count:,}") for reason, count in counts.items()]
    return Table(caption, columns(what, "#rows"), rows)


def cautions_section(data: Assembled) -> Section:
    """What was taken for granted when the events were read."""
    static = [item for item in data.log.attributes if item.static]
    used = {feature.property for feature in data.features if feature.statistic == "attribute"}
    told: list[str | tuple[str, str]] = []
    if static:
        names = ", ".join(f"`{item.name}` of the {item.of}" for item in static)
        risky = ", ".join(f"`{item.name}`" for item in static if item.name in used)
        told.append(
            f"Attributes without history, taken as known at every time: {names}. Used as "
            f"features: {risky or 'none'}. They leak if they were filled in after the fact."
        )
    elif data.log.attributes:
        told.append("Every attribute has a history: none can have been filled in later.")
    for source in data.log.manifest["statements"]:
        told.append((f"{source['source']}:", " ".join(source["statements"])))
    return Section("cautions", "What could be wrong", [Bullets(told)])
