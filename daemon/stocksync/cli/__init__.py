"""The commands: the only place that prints."""

from stocksync.cli.entry import main

__all__ = ["main"]
