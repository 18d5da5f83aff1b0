"""How many cycles of an account failed in a row."""

from stocksync.core.report import CycleReport


class Failures:
    """Counts per account."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def note(self, report: CycleReport) -> tuple[int, int]:
        """Count one cycle; give the failures in a row before it and after it."""
        before = self._counts.get(report.account, 0)
        after = self._counts[report.account] = report.failures_after(before)
        return before, after

    def forget(self, account: str) -> None:
        """Drop an account."""
        self._counts.pop(account, None)
