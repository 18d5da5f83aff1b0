"""What happens, as log lines: one canonical line per cycle, and one for each change of state."""

from dataclasses import asdict
from typing import Any

import structlog

from stocksync.core.drift import AuditReport
from stocksync.core.events import (
    AccountRetired,
    AuditEnded,
    CycleEnded,
    Event,
    LeaseChanged,
    RequestEnded,
    RequestThrottled,
    TriggerSkipped,
)
from stocksync.core.model import show
from stocksync.core.report import CycleReport, Outcome

log = structlog.get_logger(__name__)

_REASONS = 5
_REASON_LENGTH = 200
_WORRYING = frozenset({Outcome.FAILED, Outcome.UNAUTHORIZED, Outcome.DEADLINE, Outcome.HELD})


def cycle_line(report: CycleReport) -> dict[str, Any]:
    """Give the fields of the line that stands for a whole cycle; times in seconds."""
    line: dict[str, Any] = {
        "account": report.account,
        "cycle_id": report.cycle_id,
        "outcome": report.outcome.value,
        "verdict": report.verdict.value if report.verdict else None,
        "pages": report.pages,
        **asdict(report.counts),
        "seconds": report.seconds,
        "phases": {phase: round(spent, 3) for phase, spent in report.phases.items()},
    }
    reasons = [reason[:_REASON_LENGTH] for reason in report.reasons[:_REASONS]]
    if (more := len(report.reasons) - len(reasons)) > 0:
        reasons.append(f"and {more} more")
    orphaned = {place: show(units) for place, units in report.orphaned.items()}
    optional = {
        "reasons": reasons,
        "error": report.error,
        "plan": report.plan_id,
        "waits": report.effect,
        "orphaned": orphaned,
        "set_aside": report.refusal[:_REASON_LENGTH],
    }
    return line | {name: value for name, value in optional.items() if value}


class EventLog:
    """Hears events and writes log lines."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        """Cycles of each account that failed in a row."""
        self._throttles: dict[str, int] = {}
        self._epochs: dict[str, int | None] = {}

    def hear(self, event: Event) -> None:
        """Write what is worth a line; a refused credential is not said here, as the reader says it with the reason."""
        match event:
            case CycleEnded(report):
                self._cycle(report)
            case AuditEnded(report):
                self._audit(report)
            case LeaseChanged(account, epoch, ending):
                self._lease(account, epoch, ending=ending)
            case RequestThrottled(account, seconds):
                # A cycle may meet hundreds: the 1st, 2nd, 4th, 8th … is said.
                count = self._throttles[account] = self._throttles.get(account, 0) + 1
                if _is_power_of_two(count):
                    log.warning("throttled", account=account, wait_seconds=round(seconds, 1), count=count)
            case TriggerSkipped(account, reason):
                log.debug("trigger_skipped", account=account, reason=reason)
            case RequestEnded(account, endpoint, code, seconds):
                log.debug("request", account=account, endpoint=endpoint, code=code, seconds=round(seconds, 3))
            case AccountRetired(account):
                for memory in (self._failures, self._throttles, self._epochs):
                    memory.pop(account, None)
            case _:  # a cycle's one line comes at its end, and the budget changes with every request
                pass

    def _cycle(self, report: CycleReport) -> None:
        """Write the cycle's line, and the change of state if it is one."""
        line = cycle_line(report)
        if report.outcome in _WORRYING or report.unwell:
            log.warning("cycle", **line)
        else:
            log.info("cycle", **line)
        self._throttles.pop(report.account, None)
        before = self._failures.get(report.account, 0)
        now = self._failures[report.account] = report.failures_after(before)
        if now > before and _is_power_of_two(now):
            log.error("account_failing", account=report.account, consecutive=now, error=report.error)
        elif before and not now:
            log.info("account_recovered", account=report.account, after=before)

    def _audit(self, report: AuditReport) -> None:
        """Write what an audit found."""
        if report.error:
            log.warning("audit_failed", account=report.account, error=report.error)
            return
        found = {cause: count for cause, count in report.cells.items() if count}
        write = log.warning if found else log.info
        held = {"held": report.held, "plan": report.plan_id} if report.held else {}
        write("audit", account=report.account, compared=report.compared, cells=found, healed=report.healed, **held)
        if report.lost:
            todo = f"stocksync drift --heal --account {report.account}"
            log.error("target_lost_rows", account=report.account, rows=report.lost, todo=todo)

    def _lease(self, account: str, epoch: int | None, *, ending: bool) -> None:
        """Say who writes, where that changed."""
        if account in self._epochs and self._epochs[account] == epoch:
            return
        self._epochs[account] = epoch
        if epoch is None:
            log.info("lease_given_back" if ending else "stands_by", account=account)
        else:
            log.info("became_writer", account=account, epoch=epoch)


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
