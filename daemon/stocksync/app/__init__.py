"""The composition root: the only room that knows all the others; the command line calls what stands here."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stocksync.app.checking import check
    from stocksync.app.commands import (
        decide,
        decisions,
        drift,
        explain,
        held,
        history,
        migrate,
        once,
        plan,
        retry,
        status,
        stock,
        stock_of_many,
    )
    from stocksync.app.daemon import Service, run, service
    from stocksync.app.daemon_client import ask_whether_it_turns
    from stocksync.app.feed import changes, levels
    from stocksync.app.fleet import applying, fleet_status
    from stocksync.app.initialise import (
        look_at_source,
        look_at_target,
        map_for,
        poll_section,
        secret_in,
        sections_for,
        write_config,
        write_secret,
    )
    from stocksync.app.serve import run_serve
    from stocksync.app.worker import run_worker

__all__ = [
    "Service", "applying", "ask_whether_it_turns", "changes", "check", "decide", "decisions", "drift", "explain",
    "fleet_status", "held", "history", "levels", "look_at_source", "look_at_target", "map_for", "migrate", "once",
    "plan", "poll_section", "retry", "run", "run_serve", "run_worker", "secret_in", "sections_for", "service",
    "status", "stock", "stock_of_many", "write_config", "write_secret",
]  # fmt: skip

_HOMES = {
    "checking": {"check"},
    "daemon": {"Service", "run", "service"},
    "daemon_client": {"ask_whether_it_turns"},
    "feed": {"changes", "levels"},
    "fleet": {"applying", "fleet_status"},
    "initialise": {
        "look_at_source", "look_at_target", "map_for", "poll_section", "secret_in", "sections_for", "write_config",
        "write_secret",
    },
    "serve": {"run_serve"},
    "worker": {"run_worker"},
}  # fmt: skip
"""Module to what comes from it; everything else comes from `commands`."""


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever is asked for
    """Import what is asked for when it is: the daemon starts without what `check` and `init` alone need."""
    home = next((module for module, names in _HOMES.items() if name in names), "commands")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"stocksync.app.{home}"), name)
