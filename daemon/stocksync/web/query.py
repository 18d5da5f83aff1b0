"""Parameters of a question over HTTP, as all paths take them."""

from collections.abc import Mapping

from stocksync.errors import ConfigurationError


def refuse_unknown(query: Mapping[str, str], *known: str) -> None:
    """Name a parameter that a path does not take.

    Raises:
        ConfigurationError: there is one.

    """
    if unknown := sorted(set(query) - set(known)):
        *first, last = known
        raise ConfigurationError(f"unknown parameter {unknown[0][:40]!r}; there are {', '.join(first)} and {last}")
