"""Keeps secrets, and characters that would act on a terminal, out of the log.

A secret that was read is known by its value (`known_secrets`); one that nobody told us of, by its form.
"""

import re
from collections.abc import Mapping, MutableMapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from stocksync.core.jsonable import jsonable
from stocksync.known_secrets import MASK, hidden

_SECRET_KEY = re.compile(r"(api_?key|tokens?|secrets?|authorization|passw(or)?d|passphrase|credentials?|cookie)$")
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:@/\"']*):[^\s\"']*@", re.IGNORECASE)
_SCHEME = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"\b((?:api[-_]?key|authorization|[a-z_]*token|[a-z_]*secret|password)[\"']?\s*[:=]\s*[\"']?)"
    r"(?!\s*(?:bearer|basic)\b)[^\s\"',;&}]+",
    re.IGNORECASE,
)
_PLAIN = (int, float, Decimal, datetime, timedelta, Enum)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def masked(value: Any, key: str = "") -> Any:  # noqa: ANN401  whatever a log line may hold
    """Give `value` with secrets replaced: whole under a telling key, inside text by value and by form."""
    if key and value and _SECRET_KEY.search(key.lower().replace("-", "_")) and not isinstance(value, bool):
        return MASK
    if isinstance(value, Mapping):
        return {hidden(str(name)): masked(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(item) for item in value]
    if isinstance(value, str | BaseException):
        return masked_text(str(value))
    if value is None or isinstance(value, _PLAIN):
        return value
    try:
        plain = jsonable(value)
    except TypeError:
        plain = repr(value)
    return masked(plain)


def masked_text(text: str) -> str:
    """Replace what is a secret, or looks like one, inside a sentence or a URL."""
    text = hidden(text)
    text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    return _ASSIGNED.sub(rf"\1{MASK}", text)


def mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask a whole log line (a structlog processor)."""
    return {name: masked(value, name) for name, value in event.items()}


def defuse(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control and direction characters, which a SKU or a server may hold (a structlog processor)."""
    safe = dict(event)
    for name, value in event.items():
        if isinstance(value, str):
            line = value if name == "exception" else value.replace("\n", "\\n").replace("\t", "\\t")
            safe[name] = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", line)
    return safe
