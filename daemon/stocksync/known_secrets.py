"""The secrets this process has read, so that none of them is ever shown: not in a log, an error, a page or an answer.

Whoever reads a secret remembers it here; whoever shows text hides in it what is remembered. A form that gives a secret
away (`password=…`) is looked for in `observe.masking`; here it is the value itself, however it is encoded.
"""

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

MASK = "***"
_SHORTEST = 4
"""Shorter ones would hide half of every sentence; only their form can tell them."""
_STRONG = 8
_ALIGNMENTS = 3
"""Base64 writes three bytes as four characters: what a value looks like depends on where it begins."""

_NUMBERED = {'"': ("&#34;", "&quot;"), "'": ("&#39;", "&apos;"), " ": ("+",)}

_values: dict[str, None] = {}


class _Patterns:
    anywhere: re.Pattern[str] | None = None
    words: re.Pattern[str] | None = None


def remember(*secrets: str | None) -> None:
    """Note secrets that were read; empty ones and those that are known already cost nothing."""
    new = [each for each in secrets if each and len(each) >= _SHORTEST and each not in _values]
    if new:
        _values.update(dict.fromkeys(new))
        _compile()


def hidden(text: str) -> str:
    """Give a text without any remembered secret."""
    if _Patterns.words is not None:
        text = _Patterns.words.sub(MASK, text)
    return hidden_in_document(text)


def hidden_in_document(text: str) -> str:
    """As `hidden`, for text with a syntax of its own, such as HTML, where a secret like `title` must break nothing."""
    return text if _Patterns.anywhere is None else _Patterns.anywhere.sub(MASK, text)


def forget() -> None:
    """Remember nothing any more, as at the start."""
    _values.clear()
    _compile()


def _compile() -> None:
    # The longest first: one secret may begin with another.
    ordered = sorted(_values, key=len, reverse=True)
    anywhere = [_spelling(each) for each in ordered if not _is_word(each)]
    anywhere += [rf"[\w+/-]*{re.escape(core)}[\w+/-]*=*" for each in ordered for core in _in_base64(each)]
    words = [_spelling(each) for each in ordered if _is_word(each)]
    _Patterns.anywhere = re.compile("|".join(anywhere)) if anywhere else None
    _Patterns.words = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)") if words else None


def _is_word(secret: str) -> bool:
    """Whether a secret may stand in a sentence by chance (`postgres`): it is hidden as a whole word only."""
    if len(secret) < _STRONG or secret.isdigit():
        return True
    return secret.isascii() and secret.isalpha() and secret[1:].islower() and len(secret) < 2 * _STRONG


def _spelling(secret: str) -> str:
    """Give a pattern for a secret as it stands in text, URLs, JSON, HTML and Python's repr, sign by sign."""
    return "".join(_sign(sign) for sign in secret)


def _sign(sign: str) -> str:
    if sign.isascii() and sign.isalnum():
        return sign
    if sign == "\\":
        return r"(?:\\+|%5[Cc])"
    plain = {sign, html.escape(sign), *_NUMBERED.get(sign, ())}
    escaped = {json.dumps(sign)[1:-1], repr(sign)[1:-1], repr(sign.encode(errors="replace"))[2:-1]}
    quoted = re.escape(quote(sign, safe="", errors="replace"))
    # JSON within JSON doubles its backslashes.
    forms = {re.escape(form).replace(r"\\", r"\\+") for form in plain | escaped} | {f"(?i:{quoted})"}
    slashes = r"\\*" if sign in "\"'" else ""
    return f"{slashes}(?:{'|'.join(sorted(forms, key=len, reverse=True))})"


def _in_base64(secret: str) -> Iterator[str]:
    """Give what of a secret's Base64 does not depend on what stands before and after it."""
    content = secret.encode(errors="replace")
    for before in range(_ALIGNMENTS if len(content) >= _STRONG else 0):
        encoded = base64.b64encode(bytes(before) + content).decode()
        first = -(-before * 4 // 3)
        core = encoded[first : len(content) * 4 // 3 + first - 1]
        yield core
        yield core.translate(str.maketrans("+/", "-_"))
