"""Holds answers in JSON against what docs/http.md says of their records."""

from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from stocksync.web.reference import RECORDS, keys_of

ONLY_THERE = {"health", "changes_total", "effect"}
"""Keys that stand in `/api/status` alone, as the page says."""


def record_in(hint: Any) -> Any:
    if is_dataclass(hint):
        return hint
    return next((found for inner in get_args(hint) if (found := record_in(inner))), None)


def held_against(value: Any, record: Any) -> None:
    """Hold an answer, and all in it, against what the page says of its record."""
    if isinstance(value, list):
        for each in value:
            held_against(each, record)
    elif isinstance(value, dict):
        assert record in RECORDS
        assert keys_of(record) - ONLY_THERE <= set(value) <= keys_of(record), record
        for name, hint in get_type_hints(record).items():
            if (inner := record_in(hint)) and value.get(name):
                held_against(value[name], inner)
