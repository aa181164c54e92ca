"""What becomes of a model's card: shortened for MLflow, or carried over to a recalibrated model."""

from pipeline.wording import cut_words

DESCRIPTION_LENGTH = 5000
"""Characters that MLflow keeps of a version's description."""


def description_of(card: str, most: int = DESCRIPTION_LENGTH) -> str:
    """A card as far as its whole sections fit into `most` characters, with where the rest is.

    >>> card = "# A\\n\\n## B\\n\\nsome text\\n\\n## C\\n\\n" + "more " * 20
    >>> print(description_of(card, most=90))
    # A
    <BLANKLINE>
    ## B
    <BLANKLINE>
    some text
    <BLANKLINE>
    The whole card is `model_card.md` in the artefact.
    """
    if len(card) <= most:
        return card
    rest = "\n\nThe whole card is `model_card.md` in the artefact."
    end = card.rfind("\n\n## ", 0, most - len(rest) + 1)
    # A first section longer than everything allowed is cut where it must be.
    return card[: end if end > 0 else most - len(rest)] + rest


def recalibrated_card(
    card: str | None,
    *,
    name: str,
    number: int,
    note: str,
    cutoffs_before: dict[str, float],
    cutoffs: dict[str, float],
) -> str:
    """The card of a version that was made by moving another's probabilities.

    Parameters
    ----------
    card
        Of the version that was moved; None if it has none.
    name, number
        Of the model, and of the version that was moved.
    note
        What was moved, by how much and from what evidence, see `pipeline.recalibrate.sentence`.

    Returns
    -------
    str
        Markdown: what moved, then the sections of the former card, the newest move first.
    """
    title, _, rest = (card or f"# Model card: {name}\n\nVersion {number} has no card.\n").partition(
        "\n\n"
    )
    return (
        f"{title}\n\n## Recalibrated from version {number}\n\n{note}\n\n"
        f"- Cut-offs of the tiers before: {cut_words(cutoffs_before)}.\n"
        f"- Cut-offs now: {cut_words(cutoffs)}.\n"
        "- Not judged: no row later than the move has a known outcome yet. Everything below is "
        f"what was found of version {number}: the ranking within a date still holds, "
        "probabilities, calibration and tiers do not.\n\n"
        f"## As it was before\n\n{rest}"
    )
