"""Reports as JSON: one way for the HTTP answers and for `--json`.

Quantities are strings without an exponent, instants ISO 8601 in UTC, lengths of time seconds. No text shows a secret.
"""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any

from stocksync.core.model import Change, show
from stocksync.known_secrets import hidden


def jsonable(value: object) -> Any:  # noqa: ANN401, PLR0911  JSON has no narrower type; one line per kind of value
    """Turn a value of core or ports, and all it holds, into what JSON knows.

    Raises:
        TypeError: the value is of a kind that reports are not made of.

    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, Decimal):
        return show(value)
    if isinstance(value, float):
        return round(value, 6) if isfinite(value) else None
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, timedelta):
        return round(value.total_seconds(), 6)
    return _compound(value)


def dumps(value: object, *, indent: int | None = None) -> bytes:
    """Give a value as UTF-8 JSON; text that is no valid Unicode stays readable as escapes."""
    text = json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False, indent=indent)
    return text.encode("utf-8", errors="backslashreplace")


def instant(at: datetime) -> str:
    """Give an instant as `2026-08-31T12:00:00Z`, with fractions only where it has some."""
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _compound(value: object) -> Any:  # noqa: ANN401
    if is_dataclass(value) and not isinstance(value, type):
        record = _named({each.name: getattr(value, each.name) for each in fields(value)})
        if isinstance(value, Change):
            record["kind"] = value.kind.value
            del record["rivals"]  # what the target is to watch while it writes: nothing that a reader asks for
        return record
    if hasattr(value, "_asdict"):
        return _named(value._asdict())
    if isinstance(value, Mapping):
        return {_key(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return [jsonable(item) for item in sorted(value)]
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _named(items: Mapping[str, Any]) -> dict[str, Any]:
    # `parts` alone is pairs whose meaning JSON would lose.
    return {
        name: [{"location": location, "quantity": show(quantity)} for location, quantity in item]
        if name == "parts"
        else jsonable(item)
        for name, item in items.items()
    }


def _key(key: object) -> str:
    if isinstance(key, Enum):
        return str(key.value)
    if isinstance(key, str | int):
        return str(key)
    raise TypeError(f"{type(key).__name__} cannot be a key in JSON")
