"""The configuration in force as it may be logged: every value, no secret."""

import re
from typing import Any

from stocksync.config.model import Config
from stocksync.dsn import shown


def effective(config: Config) -> dict[str, Any]:
    """Give all values as they would stand in the file; passwords in URLs are masked."""
    masked: dict[str, Any] = _masked(config.model_dump(mode="json"))
    return masked


def _masked(value: Any, key: str = "") -> Any:  # noqa: ANN401  any value of a configuration
    if isinstance(value, dict):
        return {name: _masked(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    if key == "proxy":
        return re.sub(r"://[^/]*@", "://***@", value)
    return shown(value) if key == "url" and value else value
