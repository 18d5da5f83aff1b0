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

__all__ = [
    "Service", "check", "decide", "decisions", "drift", "explain", "held", "history", "migrate", "once", "plan",
    "retry", "run", "service", "status", "stock",
]  # fmt: skip
