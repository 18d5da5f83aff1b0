"""What a cycle does now, and how long each part of it took."""

from collections.abc import Iterator
from contextlib import contextmanager

from stocksync.core.report import CycleReport
from stocksync.ports import Clock


class Phases:
    """The phases of one cycle, measured into its report."""

    def __init__(self, report: CycleReport, clock: Clock) -> None:
        """Begin with none."""
        self._report = report
        self._clock = clock
        self.now = "begin"
        """Begin, read, prepare, remember or write."""

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the block's time as that phase's."""
        self.now = name
        started = self._clock.monotonic()
        try:
            yield
        finally:
            spent = self._clock.monotonic() - started
            self._report.phases[name] = self._report.phases.get(name, 0.0) + spent
