"""The example file and the reference page, made from the declarations of the keys."""

import json
import textwrap
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stocksync.config.account import OWN_COLUMNS, AccountConfig, ColumnsConfig, StatementsConfig
from stocksync.config.model import Config, TokenConfig
from stocksync.config.section import section_in

_WIDTH = 118
_EXAMPLES = {
    "accounts.name": "main",
    "accounts.auth.secret_env": "QOYOD_API_KEY",
    "accounts.target.url_env": "TARGET_DATABASE_URL",
    "http.tokens.name": "order-desk",
    "http.tokens.secret_env": "ORDER_DESK_TOKEN",
    "accounts.poll.filter.category_id": 7,
    "accounts.target.statements.write": "UPDATE stock SET qty = :quantity WHERE sku = :sku AND depot = :location",
    "accounts.target.statements.read": "SELECT qty FROM stock WHERE sku = :sku AND depot = :location",
    "accounts.target.statements.delete": "DELETE FROM stock WHERE sku = :sku AND depot = :location",
    "accounts.target.statements.deactivate": "UPDATE stock SET on_sale = 0 WHERE sku = :sku AND depot = :location",
}
_LISTS: set[type[BaseModel]] = {AccountConfig, TokenConfig}
_OPTIONAL: set[type[BaseModel]] = {StatementsConfig, TokenConfig}
"""Sections that stand in the example as a comment."""
_REQUIRED = ("accounts.name", "accounts.auth.secret_env", "accounts.target.url_env")
_EXAMPLE_HEAD = """\
# Every key of stocksync with its default. Only what is marked REQUIRED must be given; leave out the rest.
# Any value may come from the environment instead: STOCKSYNC_STATE__URL, STOCKSYNC_ACCOUNTS__MAIN__POLL__INTERVAL.
# Secrets never stand here: name the environment variable or the file that holds them.
# `stocksync check --config FILE` says what is well and what to do about the rest.
"""
_REFERENCE_HEAD = """\
# Configuration

Made by `python -m stocksync.config .` from the declarations in `daemon/stocksync/config/`; a test compares.

stocksync reads `config.toml` in the working directory, else `/etc/stocksync/config.toml`; `--config FILE` or the
variable `STOCKSYNC_CONFIG` names another. Unknown keys and unknown `STOCKSYNC_…` variables are errors, and all problems
are told at once, one line each, with exit code 2.

- **Environment.** `STOCKSYNC_` and the key, sections joined by two underscores: `STOCKSYNC_STATE__URL`,
  `STOCKSYNC_HTTP__LISTEN`. Accounts go by name or number: `STOCKSYNC_ACCOUNTS__MAIN__POLL__INTERVAL`,
  `STOCKSYNC_ACCOUNTS__0__NAME`. The environment wins over the file. A table is given as a JSON object. What an `…_env`
  key names, and what Kubernetes sets for a service named stocksync, is no mistake.
- **Relative paths** of SQLite files start at the working directory. Under systemd, which starts services in `/`, the
  state's starts at `$STATE_DIRECTORY` (the unit's `StateDirectory=`): commands typed by hand then need the whole path
  in `state.url`, or that variable.
- **Secrets** stand in an environment variable (`…_env` names it) or a file (`…_file`; `$CREDENTIALS_DIRECTORY/name` for
  systemd), never in the TOML. A file is read anew where Qoyod refuses the credential: a rotated key needs no restart.
- **Accounts in files of their own**: `accounts_dir = "accounts.d"` reads each `*.toml` of that folder as one account,
  with the keys of `[[accounts]]` at its top (`[auth]`, `[target]` …); the file's name is the account's where it says
  none. A faulty file harms its own account alone: the others run, `check` and the log (`account_file_refused`) name it,
  the alert StocksyncReloadRefused fires, and at a reload the account goes on as it was.
- **Changes** are taken up on SIGHUP (`systemctl reload stocksync`): accounts appear, change and vanish without
  disturbing the others, and `log` is followed. `state`, `http`, tokens too, and `notify` take effect at the next
  start; the log names what waits for that (`restart_needed`). A faulty file changes nothing, nor does one with an
  account whose secret cannot be read: `reload_refused` names every problem. Environment variables are those of the
  start.
- **Durations** are written `"500ms"`, `"30s"`, `"15m"`, `"1h"`, `"90d"`, `"1h30m"`; **shares** `"15%"` (or `0.15`).
"""


def example() -> str:
    """Give config.example.toml."""
    lines = [_EXAMPLE_HEAD]
    lines += [line for name, field in _keys(Config) for line in _entry("", Config, name, field, "")]
    lines.append("")
    for path, section in _sections(Config):
        prefix = "# " if section in _OPTIONAL else ""
        lines += [f"# {line}" for line in _wrapped(_about(section))]
        lines += [f"{prefix}{_title(path, section)}"]
        lines += [line for name, field in _keys(section) for line in _entry(path, section, name, field, prefix)]
        lines.append("")
    return "\n".join(lines)


def reference() -> str:
    """Give docs/configuration.md."""
    parts = [_REFERENCE_HEAD, _table("At the top", "", Config)]
    for path, section in _sections(Config):
        parts.append(_table(f"`{_title(path, section)}`", path, section))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _title(path: str, section: type[BaseModel]) -> str:
    return f"[[{path}]]" if section in _LISTS else f"[{path}]"


def _table(title: str, path: str, section: type[BaseModel]) -> str:
    rows = []
    for name, field in _keys(section):
        value, kind = _default(section, name), field.annotation
        declared = kind if isinstance(kind, type) and issubclass(kind, Enum) else get_args(kind)
        choices = [one.value if isinstance(one, Enum) else one for one in declared if isinstance(one, Enum | str)]
        others = ", ".join(f"`{_toml(choice)}`" for choice in choices if choice != value)
        shown = "" if value is None or value == "" else f"`{_toml(value)}`"
        default = f"{shown}; or {others}" if others else shown
        cell = "required" if f"{path}.{name}" in _REQUIRED else default
        rows.append(f"| `{name}` | {cell} | {sentence_of(field)} |")
    return "\n".join([f"## {title}\n", f"{_about(section)}\n", "| key | default | |", "|---|---|---|", *rows])


def _sections(section: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    if path:
        yield path, section
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        if inner:
            yield from _sections(inner, f"{path}.{name}".lstrip("."))


def _keys(section: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    return ((name, field) for name, field in section.model_fields.items() if not section_in(field.annotation))


def _entry(path: str, section: type[BaseModel], name: str, field: FieldInfo, prefix: str) -> Iterator[str]:
    required = f"{path}.{name}" in _REQUIRED
    yield from (f"# {line}" for line in _wrapped(("REQUIRED. " if required else "") + sentence_of(field)))
    value = _EXAMPLES.get(f"{path}.{name}", _default(section, name))
    optional = section.model_fields[name].default is None and section is not ColumnsConfig
    yield f"{prefix or ('# ' if optional else '')}{name} = {_toml(value)}"


def _default(section: type[BaseModel], name: str) -> Any:  # noqa: ANN401  the default of any key
    instance = OWN_COLUMNS if section is ColumnsConfig else section()
    return instance.model_dump(mode="json")[name]


def _toml(value: Any) -> str:  # noqa: ANN401  the value of any key
    if isinstance(value, str) and value.replace(".", "", 1).isdecimal():
        return value
    return json.dumps(value, ensure_ascii=False)


def sentence_of(field: FieldInfo) -> str:
    """Give the sentence that a key is declared with, in one line."""
    return " ".join((field.description or "").split())


def _about(section: type[BaseModel]) -> str:
    return " ".join((section.__doc__ or "").split())


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
