"""The fact of a scorecard's line, read word by word; what does not fit is told to the writer."""

from difflib import get_close_matches
from typing import Any, NoReturn

from features.errors import SettingsError
from models.scorecard.line_words import BARE, NUMBER, OF_VALUES, TOKEN, WORDS, number, unquoted


class Reader:
    """The words of a fact, read from left to right."""

    def __init__(self, text: str):
        self._tokens = TOKEN.findall(text)
        if '"' in "".join(TOKEN.split(text)):
            raise SettingsError(f"a double quote is never closed in `{text}`")
        self._at = 0

    def fact(self) -> dict[str, Any]:
        fields = self._fact()
        if self._at < len(self._tokens):
            self._refuse(["the end of the line"])
        return fields

    def _fact(self) -> dict[str, Any]:
        if self._tokens == ["no", "data"]:
            self._at = 2
            return {}
        if self._take("no"):
            events = () if self._take("event", "events") else self._events()
            return _of("count", events, self._window()) | {"equals": 0.0}
        if self._take("first"):
            measure = _of("days_since_first", self._events())
            return measure | self._range("day", "days") | self._skip("ago")
        if self._take("feature"):
            return {"feature": self._text("a feature")} | self._either()
        if self._tokens[self._at : self._at + 1] in ([">="], ["="]) or self._at_number():
            return self._of_all()
        return self._of_events()

    def _of_all(self) -> dict[str, Any]:
        span = self._range()
        word = self._take("active", "different", "minutes", "minute")
        if word == "active":
            self._expect("members", "member")
        elif word == "different":
            self._expect("events", "event")
        elif word:
            self._skip("per", "session")
        else:
            self._refuse(["active members", "different events", "minutes per session"])
        kinds = {"active": "members", "different": "breadth"}
        return _of(kinds.get(str(word), "session_minutes"), (), self._window()) | span

    def _of_events(self) -> dict[str, Any]:
        events = self._events()
        if self._take("on"):
            span = self._range("days", "day")
            row = self._take("in", then="a") is not None and not self._skip("a", "row")
            return _of("longest_streak" if row else "active_days", events, self._window()) | span
        if self._take("in"):
            return self._range("weeks", "week") | _of("active_weeks", events, self._window())
        if self._take("by"):
            return self._range("members", "member") | _of("members", events, self._window())
        fields = self._either(("on", "in", "by"))
        number_asked = not isinstance(fields.get("equals"), str) and "one_of" not in fields
        if number_asked and self._take("times", "time"):
            return _of("count", events, self._window()) | fields
        if len(events) != 1 or self._at < len(self._tokens):
            end = "the end of the line" + (", for an attribute," if number_asked else "")
            times = ["times"] if number_asked else []
            self._refuse(times + ([end] if len(events) == 1 else [] if times else ["one name"]))
        return {"measure": {"statistic": "attribute", "attribute": events[0]}} | fields

    def _events(self) -> tuple[str, ...]:
        if self._take("any", then="event"):
            self._skip("event")
            return ()
        names = [self._text("an event")]
        while self._take("or"):
            names.append(self._text("an event"))
        return tuple(dict.fromkeys(names))

    def _either(self, others: tuple[str, ...] = ()) -> dict[str, Any]:
        """A range, or some values of a category."""
        if not self._take("is"):
            return self._range(others=("is", *others))
        values = [self._text("a value", OF_VALUES)]
        while self._take("or"):
            values.append(self._text("a value", OF_VALUES))
        return {"equals": values[0]} if len(values) == 1 else {"one_of": tuple(values)}

    def _range(self, *units: str, others: tuple[str, ...] = ()) -> dict[str, Any]:
        if self._take(">="):
            fields: dict[str, Any] = {"at_least": self._value()}
        elif self._take("="):
            fields = {"equals": self._value()}
        elif self._at_number():
            low = self._value()
            self._expect("to")
            fields = {"between": (low, self._value())}
        else:
            self._refuse([">= 3", "= 3", "3 to 5", *others])
        if units:
            self._expect(*units)
        return fields

    def _window(self) -> int | None:
        if self._at == len(self._tokens) or self._take("ever"):
            return None
        self._expect("in", "ever")
        days = self._value()
        if days < 1 or days != int(days):
            raise SettingsError(f"a window is a whole number of days, not {number(days)}")
        self._expect("days", "day")
        return int(days)

    def _value(self) -> float:
        if not self._at_number():
            self._refuse(["a number"])
        self._at += 1
        return float(self._tokens[self._at - 1].replace(",", ""))

    def _at_number(self) -> bool:
        here = self._tokens[self._at : self._at + 1]
        return bool(here) and NUMBER.fullmatch(here[0]) is not None

    def _text(self, what: str, reserved: set[str] = WORDS) -> str:
        here = self._tokens[self._at : self._at + 1]
        if not here or here[0] in reserved or not (here[0][0] == '"' or BARE.fullmatch(here[0])):
            self._refuse([what])
        self._at += 1
        text = unquoted(here[0]) if here[0][0] == '"' else here[0]
        if not text:
            raise SettingsError(f"{what} can't be an empty name")
        return text

    def _take(self, *words: str, then: str | None = None) -> str | None:
        """The next word if it is one of these (and followed by `then`)."""
        here = self._tokens[self._at : self._at + 2]
        if not here or here[0] not in words or (then is not None and here[1:] != [then]):
            return None
        self._at += 1
        return here[0]

    def _expect(self, *words: str) -> None:
        if not self._take(*words):
            self._refuse([words[0]])

    def _skip(self, *words: str) -> dict[str, Any]:
        for word in words:
            self._expect(word)
        return {}

    def _refuse(self, expected: list[str]) -> NoReturn:
        before = f" after `{' '.join(self._tokens[: self._at])}`" if self._at else ""
        here = self._tokens[self._at : self._at + 1]
        found = f"`{here[0]}`" if here else "nothing more"
        near = get_close_matches(here[0], expected, n=1, cutoff=0.5) if here else []
        hint = f"; did you mean {near[0]!r}?" if near else ""
        if here and here[0] in ("<", "<=", ">"):
            hint = "; there is no such sign: write >= 3, = 3 or 0 to 3"
        elif here and here[0] in WORDS and not near:
            hint = "; a name that is a word of the grammar stands in double quotes"
        raise SettingsError(f"expected {' or '.join(expected)}{before}, found {found}{hint}")


def _of(statistic: str, events: tuple[str, ...], days: int | None = None) -> dict[str, Any]:
    made = {"statistic": statistic, "events": events, "days": days}
    return {"measure": {key: value for key, value in made.items() if value is not None}}
