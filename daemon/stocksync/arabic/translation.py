"""The walk through what our code says: each sentence put into Arabic, its parts too, as its reader writes them."""

import re
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from stocksync.arabic import COMMA, FIGURE_WORDS, SEMICOLON, SIDES, UNITS
from stocksync.arabic.sentences import FIGURES, TECHNICAL, WITHIN, in_arabic

# "…, which has no SKU" goes on with one product.
_BETWEEN_CHOICES = re.compile(r", (?!which)| or ")

Said = TypeVar("Said", bound=str)


class Writer(Protocol[Said]):
    """How a page, or a message, writes what is said."""

    def sentence(self, template: str, parts: Mapping[str, Said]) -> Said:
        """Fill in a sentence of ours; between backquotes stands a command."""

    def joined(self, sign: str, parts: Iterable[Said]) -> Said:
        """Put a sign of ours between parts."""

    def words(self, text: str) -> Said:
        """Write words or figures of ours, which run as the sentence does."""

    def figure(self, text: str) -> Said:
        """Write a figure of ours, whose sign stays before it."""

    def as_typed(self, text: str) -> Said:
        """Write what stands within a command."""

    def value(self, text: str, *, left_to_right: bool = False) -> Said:
        """Write a name or a value, whose direction is its own."""

    def foreign(self, text: str) -> Said:
        """Write what others say."""


def translated(sentence: str, writer: Writer[Said]) -> Said | None:
    """Put a sentence of ours, or several, into Arabic; None where it holds none. Words of others stand as they are."""
    if (known := in_arabic(sentence)) is not None:
        template, parts = known
        return writer.sentence(template, {name: _part(name, part, writer) for name, part in parts.items()})
    found = [(part, translated(part, writer)) for part in sentence.split("; ")] if "; " in sentence else []
    if not any(said for _, said in found):
        return None
    return writer.joined(SEMICOLON, (said or writer.foreign(part) for part, said in found))


def length_in_arabic(words: str) -> str:
    """Put a length of time, as `in_words` says it, into Arabic."""
    return " ".join(UNITS.get(word, word) for word in words.split())


def _part(name: str, part: str, writer: Writer[Said]) -> Said:
    if name in WITHIN:
        return translated(part, writer) or writer.foreign(part)
    if words := _word(name, part):
        return writer.words(words)
    if name in {"plan", "command"}:
        return writer.as_typed(part)
    if name == "numbers":
        return writer.joined(COMMA, map(writer.words, part.split(", ")))
    if name == "near":
        choices = _BETWEEN_CHOICES.split(part)
        return writer.joined(COMMA, (translated(one, writer) or writer.value(one) for one in choices))
    return writer.figure(part) if name in FIGURES else writer.value(part, left_to_right=name in TECHNICAL)


def _word(name: str, part: str) -> str:
    if name == "span":
        return length_in_arabic(part)
    return SIDES.get(part, "") if name == "side" else FIGURE_WORDS.get(part, "") if name in FIGURES else ""
