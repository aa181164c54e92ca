"""Sections on what the model leans on: features with their direction, and similarity."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.customers.weighting import weights_told
from models.judging.ablation import similarity_verdict
from models.judging.metric_words import METRIC_NAMES
from models.judging.partial_dependence import MEANING, MOST_ROWS, Dependence
from models.propensity import PropensityModel
from pipeline.plots_dependence import dependence_picture
from pipeline.report.cells import difference
from pipeline.report.page import (
    Block,
    Cell,
    Fold,
    Gallery,
    Picture,
    Section,
    Table,
    Text,
    columns,
)
from pipeline.wording import percent, shown

if TYPE_CHECKING:
    import pandas as pd

MOST = 20
SIMILARITY_MEANING = (
    "Similarity compares a row with customers known before its as_of, as they looked just before "
    "they bought, never with its own account or e-mail domain. Contrast is the logarithm of the "
    "distance to non-customers over that to customers: above 0 it looks more like a customer. "
    "Shuffled: random earlier rows stand in for the customers."
)


def features_section(model: PropensityModel, dependence: Sequence[Dependence]) -> Section:
    """What carries the model, which way each feature moves the probability, and by how much."""
    meanings = {feature.name: feature.meaning for feature in model.features}
    ranked = model.importance()[:MOST]
    rows = [
        (Cell(name, code=True), percent(share), meanings.get(name, "similarity to customers"))
        for name, share in ranked
    ]
    table = Table(
        f"The first {len(rows)} features by what the model leans on",
        columns("feature", "#share", "meaning"),
        rows,
        nothing="The model reads no feature.",
        stacked=True,
    )
    title = "Features that carry the model"
    if not dependence:
        return Section("features", title, [table])
    top = 1.05 * max(max(one.high) for one in dependence)
    pictures = [
        Picture(
            dependence_picture(one, f"dependence-{number}", top),
            f"{one.meaning[:1].upper()}{one.meaning[1:]}:",
            # Its sentence begins with the meaning, too.
            f"{one.text.removeprefix(f'{one.meaning}: ')} {percent(one.importance)} of the model.",
        )
        for number, one in enumerate(dependence, 1)
    ]
    return Section(
        "features",
        title,
        [
            Text(
                "How the mean probability moves with each, all other features as they are "
                f"(of {MOST_ROWS:,} test rows, or all if fewer)."
            ),
            Gallery(pictures[:6], small=True),
            *_rest(pictures[6:]),
            Fold(
                "All of them by share, and how to read the pictures",
                [Text(MEANING), table],
            ),
        ],
    )


def _rest(pictures: Sequence[Picture]) -> list[Block]:
    if not pictures:
        return []
    return [Fold(f"{len(pictures)} more", [Gallery(pictures, small=True)])]


def similarity_section(
    model: PropensityModel, worth: "pd.DataFrame | None", converting: int
) -> Section:
    """The model with, without, and with shuffled customers; and whether that is a gain.

    Parameters
    ----------
    worth
        Of `models.judging.ablation.ablation`; None where similarity is off.
    """
    title, space = "What similarity to customers is worth", model.scorer.space
    if worth is None or space is None:
        told = "Not used: it is switched off, or too few customers are known."
        return Section("similarity", title, [Text(told)])
    rows = []
    for metric, found in worth.groupby("metric", sort=False):
        if metric in ("pr_auc", "roc_auc", "log_loss"):
            have, *others = (found.iloc[place] for place in range(3))
            cells = [cell for one in others for cell in (shown(one["value"]), difference(one))]
            rows.append((METRIC_NAMES[metric], shown(have["value"]), *cells))
    names = ("#with", "#without", "#with minus without", "#shuffled", "#with minus shuffled")
    table = Table("The same model fitted three times", columns("metric", *names), rows)
    words = [Text(weights_told(space)), Text(SIMILARITY_MEANING, muted=True)]
    fold = Fold("With, without, and with shuffled customers", [table, *words])
    return Section("similarity", title, [Text(similarity_verdict(worth, converting)), fold])
