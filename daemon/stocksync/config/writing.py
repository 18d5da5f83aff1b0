"""A configuration file for one user: only what differs from the defaults, each key with its sentence."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from stocksync.config.account import AccountConfig
from stocksync.config.model import Config
from stocksync.config.rendering import sentence_of
from stocksync.config.section import section_in

_WIDTH = 98


def document(values: Mapping[str, Any], head: str) -> str:
    """Write values, nested as in the file, as TOML with comments; `head` stands above them.

    Secrets are never among the values: only the names of their places.
    """
    lines = [f"# {line}" for line in head.splitlines()]
    return "\n".join([*lines, *_section(Config, values, "")]) + "\n"


def _section(section: type[BaseModel], values: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if name in values and not section_in(field.annotation):
            yield from (f"# {line}" for line in textwrap.wrap(sentence_of(field), _WIDTH))
            yield f"{name} = {_value(values[name])}"
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        if name not in values or inner is None:
            continue
        is_list = inner is AccountConfig
        for one in values[name] if is_list else [values[name]]:
            below = f"{path}.{name}".lstrip(".")
            yield from ("", f"[[{below}]]" if is_list else f"[{below}]")
            yield from _section(inner, one, below)


def _value(value: Any) -> str:  # noqa: ANN401  the value of any key
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
