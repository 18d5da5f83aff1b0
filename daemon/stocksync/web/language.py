"""The language of a page: its words, and how it writes figures, lengths of time and instants."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from aiohttp import web
from markupsafe import Markup, escape

from stocksync.arabic import COMMA, UNITS
from stocksync.arabic.sentences import FIGURES, TECHNICAL, WITHIN, in_arabic, in_plain_english
from stocksync.core.health import in_words
from stocksync.core.model import Figure, Removal, show
from stocksync.web.texts import CATALOGUE

_DIGITS: dict[int, str | int] = {
    **{ord(str(digit)): 0x660 + digit for digit in range(10)},
    ord("."): "\u066b",
    ord(","): "\u066c",
}
"""As Arabic writes figures in Saudi Arabia."""
_FOREIGN = Markup('<bdi lang="en" dir="auto">{}</bdi>')
COMMAND = Markup('<code class="type" dir="ltr">{}</code>')
"""A command to type; the page's script puts a button beside it that copies it."""
_LONGEST = 1000
_ROW = re.compile(r"\$\S*: (.+)", re.DOTALL)
_QUOTED = re.compile("`([^`]+)`")
_TYPED = re.compile(r"(?<=; right: )stocksync approve [\w-]+$|`stocksync check`$|(?<=look with: )stocksync plan$")
"""Commands at the end of sentences of ours."""
_PREFERENCE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*")


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
        if row := _ROW.fullmatch(sentence):  # where in Qoyod's answer it is, only who looks for it wants to know
            plain = self.said(row[1]) if self.code == "ar" else _FOREIGN.format(in_plain_english(row[1]))
            return Markup('<span title="{}">{}</span>').format(sentence, plain)
        if self.code == "en":
            command = _TYPED.search(sentence)
            if command is None:
                return _FOREIGN.format(sentence)
            return _FOREIGN.format(sentence[: command.start()]) + COMMAND.format(command[0].strip("`"))
        return self._known(sentence) or self.text("as_it_was_said", words=_FOREIGN.format(sentence))

    def value(self, text: str) -> Markup:
        """Give what stands in a row: mostly a figure, sometimes words of ours."""
        known = self._known(text) if self.code == "ar" and len(text) <= _LONGEST else None
        return known or Markup("<bdi>{}</bdi>").format(text)

    def _known(self, sentence: str) -> Markup | None:
        """Put a sentence of ours, or several, into this language; None where it holds none."""
        known = in_arabic(sentence)
        if known is not None:
            template, parts = known
            filled = {name: self._part(name, part) for name, part in parts.items()}
            marked = _QUOTED.sub(COMMAND.format(r"\1"), template)
            said = Markup(marked).format(**filled)  # noqa: S704  the templates are ours
            return Markup('<bdi dir="rtl">{}</bdi>').format(said)
        found = [(part, self._known(part)) for part in sentence.split("; ")] if "; " in sentence else []
        if not any(said for _, said in found):
            return None
        return Markup("؛ ").join(said or _FOREIGN.format(part) for part, said in found)

    def _part(self, name: str, part: str) -> Markup:
        if name in WITHIN:
            return self._known(part) or _FOREIGN.format(part)
        if name in {"span", "plan"}:  # a plan stands within a command, which runs from left to right as it is
            return escape(self._length(part) if name == "span" else part)
        if name == "pages":
            return self._pages(part)
        if name == "near":
            choices = re.split(r", (?!which)| or ", part)
            return escape(self.comma).join(self._known(one) or Markup("<bdi>{}</bdi>").format(one) for one in choices)
        if name == "side":
            return self.word("side", part)
        isolated = Markup('<bdi dir="ltr">{}</bdi>' if name in TECHNICAL else "<bdi>{}</bdi>")  # noqa: S704  as above
        return isolated.format(self._figures(part) if name in FIGURES else part)

    def _pages(self, part: str) -> Markup:
        """Name pages: `page 3`, `pages 3, 4 and 2 more`."""
        numbers, _, more = part.partition(" ")[2].partition(" and ")
        said = self._figures(numbers.replace(", ", self.comma))
        if more:
            return self.text("pages.more", pages=said, count=self._figures(more.removesuffix(" more")))
        return self.text("pages.one" if numbers.isdecimal() else "pages.several", pages=said)

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
        return self._length(words) if self.code == "ar" else words

    def _length(self, words: str) -> str:
        return " ".join(UNITS.get(part, self._figures(part)) for part in words.split())

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
        return text.translate(_DIGITS) if self.code == "ar" else text


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
    for code in (asked, kept, *_by_preference(accepted)):
        if code in LANGUAGES:
            return LANGUAGES[code]
    return ENGLISH


def _by_preference(header: str) -> Iterable[str]:
    found = [match for part in header[:500].split(",") if (match := _PREFERENCE.fullmatch(part))]
    weighed = [(float(match.group(2) or 1), str(match.group(1)).lower()) for match in found]
    return [code for weight, code in sorted(weighed, key=lambda one: -one[0]) if weight > 0]
