"""The configuration in force as it may be logged: every value, no secret."""

import re
from typing import Any

from stocksync.config.model import Config
from stocksync.config.section import DatabaseSection
from stocksync.dsn import shown
from stocksync.errors import ConfigurationError
from stocksync.known_secrets import MASK


def effective(config: Config) -> dict[str, Any]:
    """Give all values as they would stand in the file; databases by where they lead, passwords masked."""
    values: dict[str, Any] = _masked(config.model_dump(mode="json"))
    values["state"]["url"] = _leads_to(config.state)
    for account, section in zip(values["accounts"], config.accounts, strict=True):
        account["target"]["url"] = _leads_to(section.target)
    return values


def _leads_to(section: DatabaseSection) -> str:
    try:
        return shown(section.dsn())
    except ConfigurationError:
        return ""


def _masked(value: Any, key: str = "") -> Any:  # noqa: ANN401  any value of a configuration
    if isinstance(value, dict):
        return {name: _masked(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    if key == "heartbeat_url" and value:
        return MASK
    return re.sub(r"://[^/]*@", "://***@", value) if key == "proxy" else value
