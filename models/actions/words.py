"""How counts, moments and what happened are said to whoever calls, in the language of the texts."""

from dataclasses import dataclass

from features.clock import DAY_US, to_text
from features.texts import Texts


@dataclass(frozen=True)
class Words:
    """Sentences about what crossed the line and what to do about it.

    Examples
    --------
    >>> from features.texts import english
    >>> words = Words(english())
    >>> words.say("tier_now", tier="hot"), words.count("quiet", 1), words.count("quiet", 1200)
    ('they are hot now', 'no event for 1 day', 'no event for 1,200 days')
    """

    texts: Texts

    def say(self, key: str, **words: str) -> str:
        return self.texts.say(f"advice.{key}", **words)

    def count(self, key: str, n: int, **words: str) -> str:
        """A sentence about so many of something."""
        return self.texts.say(f"advice.{key}", n, n=self.texts.bound(n), **words)

    def times(self, n: int) -> str:
        """How often.

        >>> from features.texts import english
        >>> [Words(english()).times(n) for n in (1, 2, 1200)]
        ['once', 'twice', '1,200 times']
        """
        key = {1: "once", 2: "twice"}.get(n)
        return self.say(key) if key else self.count("times", n)

    def ago(self, as_of: int, at: int) -> str:
        """How long before as_of a moment lies, in whole days.

        >>> from features.texts import english
        >>> [Words(english()).ago(2 * DAY_US, at) for at in (2 * DAY_US - 1, DAY_US, 0)]
        ['less than a day ago', '1 day ago', '2 days ago']
        """
        days = int(as_of - at) // DAY_US
        return self.count("ago", days) if days else self.say("just_now")

    def date(self, at: int) -> str:
        """
        >>> from features.texts import english
        >>> Words(english()).date(DAY_US + 1)
        '1970-01-02'
        """
        year, month, day = to_text(at)[:10].split("-")
        return self.texts.say("numbers.date", year=year, month=month, day=day)

    def event(self, name: str) -> str:
        return self.texts.name(name)

    def trigger(self, name: str) -> str:
        return self.texts.say(f"triggers.{name}")

    def action(self, name: str) -> str:
        return self.texts.say(f"actions.{name}")

    def tier(self, name: str) -> str:
        return self.texts.say(f"tiers.{name}")

    def how(self, key: str) -> str:
        """What to do, in a sentence."""
        return self.texts.say(f"how.{key}")


def one_line(text: str) -> str:
    """A text from the data on one line, without control characters.

    >>> one_line("Acme\\n Corp\\x07")
    'Acme Corp'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
