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

__all__ = [
    "Service", "ask_whether_it_turns",
    "check", "decide", "decisions", "drift", "explain", "held", "history", "migrate", "once", "plan",
    "retry", "run", "service", "status", "stock",
]  # fmt: skip
