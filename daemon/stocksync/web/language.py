"""The language of a page: its words, and how it writes figures, lengths of time and instants."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from aiohttp import web
from markupsafe import Markup, escape

from stocksync.arabic import COMMA, SEMICOLON
from stocksync.arabic.sentences import in_plain_english, of_a_row
from stocksync.arabic.translation import length_in_arabic, translated
from stocksync.core.health import in_words
from stocksync.core.model import Figure, Removal, show
from stocksync.web.texts import CATALOGUE

_DIGITS: dict[int, str | int] = {
    **{ord(str(digit)): 0x660 + digit for digit in range(10)},
    ord("."): "\u066b",
    ord(","): "\u066c",
    ord("%"): "\u066a",
}
"""As Arabic writes figures in Saudi Arabia."""
_FOREIGN = Markup('<bdi lang="en" dir="auto">{}</bdi>')
COMMAND = Markup('<code class="type" dir="ltr">{}</code>')
"""A command to type; the page's script puts a button beside it that copies it."""
_LONGEST = 1000
_QUOTED = re.compile("`([^`]+)`")
_TYPED = re.compile(
    r"(?<=; right: )stocksync approve [\w-]+$|`stocksync check`$|(?<=look with: )stocksync plan$|"
    r"(?<=; type: )stocksync migrate$"
)
"""Commands at the end of sentences of ours."""
_PREFERENCE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*")


def _arabic_figures(text: str) -> str:
    return text.translate(_DIGITS)


class _InMarkup:
    """Writes Arabic with its markup: what runs another way is kept to itself."""

    def sentence(self, template: str, parts: Mapping[str, Markup]) -> Markup:
        marked = _QUOTED.sub(COMMAND.format(r"\1"), template)
        return Markup('<bdi dir="rtl">{}</bdi>').format(Markup(marked).format(**parts))  # noqa: S704  ours

    def joined(self, sign: str, parts: Iterable[Markup]) -> Markup:
        return escape(sign).join(parts)

    def words(self, text: str) -> Markup:
        return escape(_arabic_figures(text))

    def figure(self, text: str) -> Markup:
        # A sign stands left of its figure, and so does what follows it: percent.
        direction = "rtl" if text.endswith("%") else "ltr"
        return Markup('<bdi dir="{}">{}</bdi>').format(direction, _arabic_figures(text))

    def as_typed(self, text: str) -> Markup:
        return escape(text)

    def value(self, text: str, *, left_to_right: bool = False) -> Markup:
        return Markup('<bdi dir="{}">{}</bdi>').format("ltr" if left_to_right else "auto", text)

    def foreign(self, text: str) -> Markup:
        return _FOREIGN.format(text)


_IN_MARKUP = _InMarkup()


@dataclass(frozen=True, slots=True)
class Language:
    """One of those that the pages speak."""

    code: str

    @property
    def direction(self) -> str:
        """How its lines run."""
        return "rtl" if self.code == "ar" else "ltr"

    @property
    def other(self) -> str:
        """The code of the other one."""
        return "en" if self.code == "ar" else "ar"

    @property
    def comma(self) -> str:
        """What stands between the parts of an enumeration."""
        return COMMA if self.code == "ar" else ", "

    @property
    def semicolon(self) -> str:
        """What stands between sentences that belong together."""
        return SEMICOLON if self.code == "ar" else "; "

    def text(self, key: str, **values: object) -> Markup:
        """Give a sentence with its values, which are escaped where they are no markup."""
        return Markup(CATALOGUE[self.code][key]).format(**values)  # noqa: S704  the catalogue is ours

    def word(self, kind: str, name: str) -> Markup:
        """Give the word for a value of ours, such as an outcome; one that has none stands as it is."""
        known = CATALOGUE[self.code].get(f"{kind}.{name}")
        return escape(name.replace("_", " ")) if known is None else Markup(known)  # noqa: S704  the catalogue is ours

    def said(self, sentence: str) -> Markup:
        """Give what our code says; words that are not its own, such as a database's, stand as they are."""
        if not sentence:
            return Markup()
        if len(sentence) > _LONGEST:  # a trigger may say as much as it likes
            sentence = sentence[:_LONGEST] + "…"
        if row := of_a_row(sentence):  # where in Qoyod's answer it is, only who looks for it wants to know
            plain = self.said(row) if self.code == "ar" else _FOREIGN.format(in_plain_english(row))
            return Markup('<span title="{}">{}</span>').format(sentence, plain)
        if self.code == "en":
            command = _TYPED.search(sentence)
            if command is None:
                return _FOREIGN.format(sentence)
            return _FOREIGN.format(sentence[: command.start()]) + COMMAND.format(command[0].strip("`"))
        return translated(sentence, _IN_MARKUP) or self.text("as_it_was_said", words=_FOREIGN.format(sentence))

    def value(self, text: str) -> Markup:
        """Give what stands in a row: mostly a figure, sometimes words of ours."""
        known = translated(text, _IN_MARKUP) if self.code == "ar" and len(text) <= _LONGEST else None
        return known or Markup("<bdi>{}</bdi>").format(text)

    def number(self, value: float | Decimal | int) -> str:  # noqa: PYI041  an int is written without decimals
        """Write a number, its thousands apart."""
        if isinstance(value, Decimal):
            whole, point, rest = show(value).partition(".")
            return self._figures(f"{int(whole):,}{point}{rest}")
        return self._figures(f"{value:,}" if isinstance(value, int) else f"{value:,.1f}")

    def figure(self, value: Figure | None) -> Markup:
        """Write a quantity; what is not known is said so, and what was removed too."""
        if value is None:
            return self.text("quantity.unknown")
        if isinstance(value, Removal):
            return self.word("change", value.value)
        return Markup('<bdi dir="ltr">{}</bdi>').format(self._figures(show(value) or ""))

    def span(self, span: timedelta) -> str:
        """Write a length of time in its two largest units."""
        words = in_words(span)
        return _arabic_figures(length_in_arabic(words)) if self.code == "ar" else words

    def moment(self, at: datetime) -> Markup:
        """Write an instant with its date; the page's script puts it on the reader's own clock."""
        return self._time(at, "moment", "%Y-%m-%d %H:%M:%S UTC")

    def clock(self, at: datetime) -> Markup:
        """Write an instant as a time of day; its date stands in the machine's form."""
        return self._time(at, "clock", "%H:%M:%S UTC")

    def _time(self, at: datetime, style: str, form: str) -> Markup:
        aware = at.astimezone(UTC)
        shown = self._figures(f"{aware:{form}}")
        template = Markup('<time datetime="{}" data-style="{}">{}</time>')
        return template.format(aware.isoformat(), style, shown)

    def _figures(self, text: str) -> str:
        return _arabic_figures(text) if self.code == "ar" else text


COOKIE = "stocksync_language"
"""Keeps what the switch was set to; it says nothing else."""
LANGUAGES: Mapping[str, Language] = {code: Language(code) for code in CATALOGUE}
ENGLISH = LANGUAGES["en"]


def spoken(request: web.Request) -> Language:
    """Choose the language of an answer."""
    return choose(
        request.query.get("lang", ""), request.cookies.get(COOKIE, ""), request.headers.get("Accept-Language", "")
    )


def choose(asked: str, kept: str, accepted: str) -> Language:
    """Choose by what the switch asks for, what was chosen before, and what the browser accepts; English at last."""
    found = [match for part in accepted[:500].split(",") if (match := _PREFERENCE.fullmatch(part))]
    weighed = [(float(match.group(2) or 1), str(match.group(1)).lower()) for match in found]
    preferred = [code for weight, code in sorted(weighed, key=lambda one: -one[0]) if weight > 0]
    for code in (asked, kept, *preferred):
        if code in LANGUAGES:
            return LANGUAGES[code]
    return ENGLISH
