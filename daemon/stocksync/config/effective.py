"""The configuration in force as it may be logged: every value, no secret."""

from typing import Any

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from stocksync.config.model import Config


def effective(config: Config) -> dict[str, Any]:
    """Give all values as they would stand in the file; passwords in URLs are masked."""
    masked: dict[str, Any] = _masked(config.model_dump(mode="json"))
    return masked


def _masked(value: Any, key: str = "") -> Any:  # noqa: ANN401  any value of a configuration
    if isinstance(value, dict):
        return {name: _masked(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    return _url(value) if key == "url" and value else value


def _url(value: str) -> str:
    try:
        url = make_url(value)
    except ArgumentError:
        return "***"
    # Drivers also take a password as a parameter, which hide_password leaves in sight.
    return url.set(query={}).render_as_string(hide_password=True) + ("?…" if url.query else "")
