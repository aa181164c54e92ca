"""Every sentence about features and reasons, in one file for each language."""

from features.texts.checking import translation
from features.texts.reading import english, load_texts
from features.texts.texts import FORMS, Texts

__all__ = ["FORMS", "Texts", "english", "load_texts", "translation"]
