"""Which STOCKSYNC_* variables mean something; one that does not is a mistake, for it would be ignored in silence."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from stocksync.config.model import Config
from stocksync.config.section import section_in

PREFIX = "STOCKSYNC_"
CONFIG_FILE = f"{PREFIX}CONFIG"
"""Names the file to read, where no --config does."""

_TESTS = {f"{PREFIX}REQUIRE", f"{PREFIX}SOAK_SECONDS"}
"""Our own test runs set these, and start commands."""
# What Kubernetes sets in every pod beside a service named stocksync, or stocksync-something.
_KUBERNETES = re.compile(
    r"STOCKSYNC_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_KUBERNETES_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://", re.IGNORECASE)


def strangers(environ: Mapping[str, str], data: Mapping[str, Any]) -> Iterator[str]:
    """Name the variables that mean nothing, with what was likely meant; `data` is the raw configuration."""
    named = set(_named_in(data))
    for name, value in sorted(environ.items()):
        upper = name.upper()
        if not upper.startswith(PREFIX) or name in named or upper in {CONFIG_FILE, *_TESTS}:
            continue
        port = upper == f"{PREFIX}PORT" or (upper.endswith("_PORT") and _KUBERNETES_ADDRESS.match(value))
        # Below a section every key is judged like those of the file.
        section = upper.removeprefix(PREFIX).partition("__")[0].lower()
        if port or _KUBERNETES.fullmatch(upper) or section in Config.model_fields:
            continue
        by_words = {_words(known): known for known in _known(data)}
        close = difflib.get_close_matches(_words(upper), by_words, n=1, cutoff=0.75)
        what = "no such section" if "__" in upper else "stocksync knows no such variable"
        meant = f"did you mean {by_words[close[0]]}?" if close else "sections and keys are joined by two underscores"
        yield f"{name}: {what}; {meant}"


def _named_in(data: object) -> Iterator[str]:
    """Give the variables that the configuration itself names, in `secret_env`, `url_env` and the like."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if str(key).endswith("_env") and isinstance(value, str):
                yield value
            yield from _named_in(value)
    if isinstance(data, list | tuple):
        for value in data:
            yield from _named_in(value)


def _words(name: str) -> str:
    return re.sub("_+", "_", name)


def _known(data: Mapping[str, Any]) -> Iterator[str]:
    yield CONFIG_FILE
    for name, field in Config.model_fields.items():
        inner = section_in(field.annotation)
        if inner is None:
            yield f"{PREFIX}{name.upper()}"
            continue
        entries = [""]
        if name == "accounts":
            listed = data.get("accounts")
            accounts = listed if isinstance(listed, list) else []
            names = [str(each.get("name", index)) for index, each in enumerate(accounts) if isinstance(each, Mapping)]
            entries = [f"{each.upper()}__" for each in names or ["0"]]
        for entry in entries:
            yield from _keys(inner, f"{PREFIX}{name.upper()}__{entry}")


def _keys(section: type[BaseModel], start: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        yield f"{start}{name.upper()}"
        if inner is not None:
            yield from _keys(inner, f"{start}{name.upper()}__")
