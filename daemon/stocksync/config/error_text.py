"""Validation errors as a person wants them: where, what, what stood there, and what was likely meant."""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from stocksync.config.model import Config
from stocksync.config.section import section_in
from stocksync.config.sources import Loc
from stocksync.config.values import Word

_SECRET_KEY = re.compile(r"secret|passw|passphrase|pwd|token|credential|api[_-]?key|^key$|^auth", re.IGNORECASE)
_SENSITIVE = re.compile(r"secret|token|passw|_env$|_file$|^url$|^proxy$|_url$|^client_id$|^auth$", re.IGNORECASE)
_NAME = re.compile(str(get_args(Word)[1].pattern))
_SHOWN = 60

_TEXTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "bool_parsing": lambda _: "must be true or false",
    "bool_type": lambda _: "must be true or false",
    "decimal_parsing": lambda _: "must be a number",
    "decimal_type": lambda _: "must be a number",
    "dict_type": lambda _: "must be a table",
    "enum": lambda given: f"must be one of {_plain(given['expected'])}",
    "finite_number": lambda _: "must be a number",
    "greater_than_equal": lambda given: f"must be at least {given['ge']}",
    "int_from_float": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number",
    "int_type": lambda _: "must be a whole number",
    "less_than_equal": lambda given: f"must be at most {given['le']}",
    "literal_error": lambda given: f"must be one of {_plain(given['expected'])}",
    "model_type": lambda _: "must be a section",
    "string_pattern_mismatch": lambda _: "must be 1 to 64 of a-z, 0-9, _ and -",
    "string_too_long": lambda given: f"must be at most {given['max_length']} characters long",
    "string_too_short": lambda _: "must not be empty",
    "string_type": lambda _: "must be text in quotes",
    "tuple_type": lambda _: "must be a list: [[{name}]] in double brackets",
    "value_error": lambda given: str(given["error"]),
}


def path_of(loc: Loc, data: Any) -> str:  # noqa: ANN401  the raw configuration, of any shape
    """Name a place as people see it, with accounts by their name: accounts.main.poll.interval."""
    parts = [part for part in loc if part != "[key]"]
    if len(parts) > 1 and parts[0] == "accounts" and isinstance(parts[1], int):
        parts[0:2] = [f"accounts.{_name(parts[1], data)}"] if _name(parts[1], data) else [f"accounts[{parts[1]}]"]
    return re.sub(r"^(http\.tokens)\.(\d+)", r"\1[\2]", ".".join(str(part) for part in parts))


def text_of(error: ErrorDetails) -> str:
    """Say what is wrong with a value, and what it was unless that might give a secret away."""
    if "[key]" in error["loc"]:
        return 'must be the id of a Qoyod location: write { 1 = "MAIN" }, Qoyod\'s id first' + _got(error)
    word = _TEXTS.get(error["type"])
    text = word(error.get("ctx", {})) if word else error["msg"]
    text = text.replace("{name}", ".".join(map(str, error["loc"])))
    return text + _got(error)


def stranger(loc: Loc, path: str) -> tuple[str, tuple[Loc, ...]]:
    """Word an unknown key; give also the places that were likely meant, which need no problem of their own."""
    *parents, key = loc
    section: type[BaseModel] | None = Config
    for part in parents:
        if section is not None and not isinstance(part, int):
            field = section.model_fields.get(part)
            section = section_in(field.annotation) if field else None
    known = list(section.model_fields) if section else []
    if _SECRET_KEY.search(str(key)):
        stem = "client_secret" if "client" in str(key).lower() else "secret"
        places = [name for name in known if name.endswith(("_env", "_file")) and name.startswith(stem)]
        names = " or ".join(places) or "secret_env or secret_file in [accounts.auth]"
        text = "a secret never stands in the configuration: put it into an environment variable or a file,"
        return f"{text} and name that in {names}", tuple((*parents, name) for name in places)
    close = difflib.get_close_matches(str(key).lower().replace("-", "_"), known, n=1)
    if close:
        return f'no such key; did you mean "{close[0]}"?', ((*parents, close[0]),)
    elsewhere = [place for place in _places(Config) if place.rpartition(".")[2] == key]
    if elsewhere:
        return f"no such key here; did you mean {' or '.join(elsewhere[:3])}?", ()
    here = f"; {path.rpartition('.')[0] or 'there'} knows {', '.join(known)}" if known else ""
    return f"no such key{here}", ()


def _plain(expected: str) -> str:
    words = re.sub(r"<\w+\.\w+: (.+?)>", r"\1", expected)
    return words.replace("'", "").replace(" or ", ", ")


def _got(error: ErrorDetails) -> str:
    leaf = next((str(part) for part in reversed(error["loc"]) if not isinstance(part, int) and part != "[key]"), "")
    value = error["input"]
    if any(_SENSITIVE.search(str(part)) for part in (leaf, *error["loc"][2:3])):
        return "" if isinstance(value, str) else f" (got {_kind(value)})"
    if value is None or isinstance(value, dict | list) or error["type"] in {"model_type", "dict_type", "tuple_type"}:
        return f" (got {_kind(value)})"
    shown = value.isoformat() if isinstance(value, date | time) else value
    text = json.dumps(shown, ensure_ascii=False, default=str)
    return f" (got {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'})"


def _kind(value: object) -> str:
    kinds = {str: "text", bool: "true or false", int: "a number", float: "a number", dict: "a section", list: "a list"}
    return kinds.get(type(value), "nothing" if value is None else "something else")


def _name(index: int, data: Any) -> str:  # noqa: ANN401  the raw configuration, of any shape
    listed = data.get("accounts") if isinstance(data, dict) else None
    if not isinstance(listed, list) or index >= len(listed):
        return ""
    names = [account.get("name") if isinstance(account, dict) else None for account in listed]
    name = names[index]
    unique = isinstance(name, str) and _NAME.match(name) and names.count(name) == 1
    return str(name) if unique else ""


def _places(section: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield f"{path}{name}"
        inner = section_in(field.annotation)
        if inner:
            yield from _places(inner, f"{path}{name}.")
