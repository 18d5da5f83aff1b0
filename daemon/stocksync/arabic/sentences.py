"""Sentences that our code makes, in Arabic: they are known by their English form.

The core and the rooms around it speak one language, to logs, machines and terminals alike; pages and notices recognise
what they say (`sentence_texts`). Words of databases and of Qoyod stand as they are.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from string import Formatter

from stocksync.arabic import FIGURE_WORDS
from stocksync.arabic.sentence_texts import ARABIC

_QUANTITIES = ("before", "after", "sent", "made", "figure")
FIGURES = frozenset({
    "count", "managed", "checked", "share", "limit", "usual", "total", "size", "seconds", *_QUANTITIES,
})  # fmt: skip
"""Fields that hold a figure of ours."""
WITHIN = frozenset({"reason", "why", "words", "change", "pages"})
"""Fields that hold sentences, or parts of one, ours or others'."""
TECHNICAL = frozenset({"spot", "path", "where", "host", "kind", "field", "wanted", "found", "status"})
"""Fields that run from left to right, with whatever sign they begin."""
_ONE_SENTENCE = "[^;]+?"
_FORMS = {
    **dict.fromkeys(WITHIN, ".*?"),
    **dict.fromkeys(FIGURES, r"[\d,.]+%?"),
    **dict.fromkeys(_QUANTITIES, rf"-?[\d.]+|{'|'.join(FIGURE_WORDS)}"),
    "pages": r"pages? \d[\d, ]*(?: and \d+ more)?",
    "numbers": r"\d[\d, ]*",
    # Where in an answer of Qoyod's something is, as msgspec says it.
    "spot": r"\$[^\s:]*",
    "path": r"[^\s:]+",
    # As Python writes a text, or a number.
    "value": r"'[^;]*'|\"[^;]*\"|[^\s;:]+",
    "where": r"[^\s:]+",
    "host": r"[^\s]+",
    "kind": r"[\w.]+(?:\([\d, ]*\))?",
    "status": r"\d{3}",
    "id": r"\d+",
}


_ROW = re.compile(r"\$\S*: (.+)", re.DOTALL)


def _pattern(template: str) -> re.Pattern[str]:
    pattern = ""
    for text, name, _, _ in Formatter().parse(template):
        pattern += re.escape(text) + (f"(?P<{name}>{_FORMS.get(name, _ONE_SENTENCE)})" if name else "")
    return re.compile(pattern, re.DOTALL)


_PLAIN = [
    (_pattern(raw), plain)
    for raw, plain in {
        "Object missing required field `{field}`": "the field {field} is missing",
        "Expected `{wanted}`, got `{found}`": "{wanted} is expected where {found} stands",
        "Expected 1 or 0, got `{found}`": "1 or 0 is expected where {found} stands",
        "Expected a decimal, got `{found}`": "a number is expected where {found} stands",
    }.items()
]
"""What is wrong with a row of Qoyod's, as a reader of JSON says it, and as people do."""


def of_a_row(sentence: str) -> str:
    """Give what is wrong with a row of Qoyod's, without where in the answer it stands; "" where it is none of these."""
    found = _ROW.fullmatch(sentence)
    return found[1] if found else ""


def in_plain_english(sentence: str) -> str:
    """Say what is wrong with a row as people do; what is none of these stands as it is."""
    for pattern, plain in _PLAIN:
        if found := pattern.fullmatch(sentence):
            return plain.format(**found.groupdict())
    return sentence


@cache  # for whoever reads Arabic: 300 patterns take a while
def _known() -> list[tuple[re.Pattern[str], str]]:
    # What says most by itself is tried first: `{spot}: {reason}` is the form of many sentences.
    letters = {english: sum(len(text) for text, *_ in Formatter().parse(english)) for english in ARABIC}
    return [(_pattern(english), ARABIC[english]) for english in sorted(ARABIC, key=letters.__getitem__, reverse=True)]


@lru_cache(maxsize=2_000)
def in_arabic(sentence: str) -> tuple[str, Mapping[str, str]] | None:
    """Give the Arabic form of a sentence of ours, and what is to be filled in; None where it is none of them."""
    for pattern, arabic in _known():
        if found := pattern.fullmatch(sentence):
            return arabic, found.groupdict()
    return None
