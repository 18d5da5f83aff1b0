"""Parameters of a question over HTTP, as all paths take them."""

from collections.abc import Mapping

from stocksync.errors import ConfigurationError

_MOST_DIGITS = 18


def refuse_unknown(query: Mapping[str, str], *known: str) -> None:
    """Name a parameter that a path does not take.

    Raises:
        ConfigurationError: there is one.

    """
    if unknown := sorted(set(query) - set(known)):
        *first, last = known
        raise ConfigurationError(f"unknown parameter {unknown[0][:40]!r}; there are {', '.join(first)} and {last}")


def whole_number(text: str) -> int | None:
    """Read a number of at most 18 digits; None where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None
