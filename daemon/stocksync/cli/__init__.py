"""The commands: the only place that prints."""

import gc

gc.disable()  # what is imported makes two hundred thousand objects, and all of them stay

from stocksync.cli.entry import main  # noqa: E402  with the collector at rest

gc.enable()
gc.freeze()  # nor is it looked through later on

__all__ = ["main"]
