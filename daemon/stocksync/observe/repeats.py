"""Keeps a trouble that lasts from filling the log: said once, then more and more seldom, with how often it was met."""

import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from stocksync.core.repetition import Repetition
from stocksync.core.report import Outcome

REPEATING = frozenset({
    "absence_unresolved", "altered_by_target", "audit_failed", "audit_not_recorded", "batch_given_up",
    "columns_not_tried", "columns_refused", "cross_check_failed", "cycle_crashed", "cycle_not_recorded",
    "lease_lost", "lease_not_released", "lookup_failed", "lookup_not_pushed", "notices_failed", "page_failed",
    "pagination_missing", "per_page_clamped", "question_failed", "reading_doubted", "rows_held_by_others",
    "rows_not_walked", "rows_outside_filter", "sku_filter_not_followed", "state_view_failed",
    "throttling_not_shared", "trigger_failed", "writer_not_reached",
})  # fmt: skip
"""Events that come with each poll, audit or look-up for as long as their cause lasts."""
_WHY = ("error", "reason", "reasons", "because")
_WORKED = frozenset({Outcome.DONE.value, Outcome.HELD.value})


class Repeats:
    """A structlog processor; what was met often bears `met`, and a cycle that works again bears what is `over`."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing said."""
        self._now, self._repetition = now, Repetition()

    def __call__(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Let a line pass, with what it is to say beside; DropEvent where it is not its turn."""
        event, account = str(line.get("event")), str(line.get("account", ""))
        if event == "cycle" and line.get("outcome") in _WORKED and (over := self._repetition.worked(account)):
            line["over"] = over
        if event in REPEATING:
            why = next((str(line[name]) for name in _WHY if line.get(name)), "")
            count = self._repetition.meet(account, event, why, self._now())
            if not count:
                raise structlog.DropEvent
            if count > 1:
                line["met"] = count
        return line
