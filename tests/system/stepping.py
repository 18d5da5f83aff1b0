"""`python stepping.py FILE …`: runs `stocksync …` where the clock can be set: FILE holds by how many seconds."""

import sys
import time
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import apscheduler.schedulers.base

import stocksync.app.wiring
import stocksync.observe.heartbeat
import stocksync.run.scheduler
import stocksync.run.watchdog
from stocksync.cli import main

_set_by = Path(sys.argv.pop(1))
_true_time = time.time


def _seconds() -> float:
    with suppress(OSError, ValueError):
        return float(_set_by.read_text())
    return 0.0


class Wall(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + timedelta(seconds=_seconds())


for module in (apscheduler.schedulers.base, stocksync.app.wiring, stocksync.observe.heartbeat, stocksync.run.scheduler):
    module.datetime = Wall  # type: ignore[attr-defined]
stocksync.run.watchdog.GRACE_SECONDS = 1.0  # five seconds are long in a test
time.time = lambda: _true_time() + _seconds()
main()
