"""Where things that happen are told."""

from collections.abc import Callable

from stocksync.core.events import Event

Publish = Callable[[Event], None]
"""Tells everybody who listens. Neither raises nor waits, so it may be called in the middle of anything."""
