"""Tells what happens to everybody who listens, and keeps what goes wrong in one of them from everybody else."""

from collections.abc import Callable

import structlog

from stocksync.core.events import Event

log = structlog.get_logger(__name__)

Listener = Callable[[Event], None]
"""Must return at once: it runs where the event happens."""


class Bus:
    """Hands each event to each listener, in order: a fault in looking on must never stop a poll."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners
        self._complained: set[tuple[Listener, type[Event]]] = set()

    def publish(self, event: Event) -> None:
        """Tell everybody; what a listener raises is logged the first time that it does so about such an event."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001  see the class
                failed = listener, type(event)
                if failed not in self._complained:
                    self._complained.add(failed)
                    name = getattr(listener, "__qualname__", repr(listener))
                    log.warning("listener_failed", listener=name, about=type(event).__name__, error=repr(error))
