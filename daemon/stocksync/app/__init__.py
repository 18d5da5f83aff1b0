"""The composition root: the only room that knows all the others; the command line calls what stands here."""

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
)
from stocksync.app.daemon import Service, run, service
from stocksync.app.daemon_client import ask_whether_it_turns
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

__all__ = [
    "Service", "ask_whether_it_turns", "check", "decide", "decisions", "drift", "explain", "held", "history",
    "look_at_source", "look_at_target", "map_for", "migrate", "once", "plan", "poll_section", "retry", "run",
    "secret_in", "sections_for", "service", "status", "stock", "write_config", "write_secret",
]  # fmt: skip
