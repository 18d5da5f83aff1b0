"""The activities: today's cycle and audit, under a lease claimed for their time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from stocksync.core.report import WELL, CycleReport, Outcome
from stocksync.errors import LeaseLost, StateInUse, StocksyncError
from stocksync.fleet.job import AUDIT, POLL, Job
from stocksync.ports import Lease, StateQueries
from stocksync.run.account import Account
from stocksync.run.audit import audit
from stocksync.run.cycle import Cycle
from stocksync.run.poll_leases import PollLeases

log = structlog.get_logger(__name__)

_BEAT_SECONDS = 1.0
_BUSY = timedelta(seconds=10)
_AT_ONCE = timedelta(seconds=1)

Lend = Callable[[str], AbstractAsyncContextManager[Account]]
"""Gives an account of this name for a time; raises StocksyncError where there is none."""


@dataclass(slots=True)
class Progress:
    """What heartbeats tell, so that Temporal's page shows how far an attempt is."""

    phase: str = "waiting for the lease"
    done: int = 0
    of: int = 0
    cycle: Cycle | None = None

    def pages(self, done: int, of: int) -> None:
        """Hear of pages that were read."""
        self.done, self.of = done, of

    def details(self) -> dict[str, Any]:
        """Give phase and pages as they stand."""
        return {"phase": self.cycle.phases.now if self.cycle else self.phase, "pages": self.done, "of": self.of}


class Activities:
    """What a worker does; each call is one attempt at one job."""

    def __init__(self, lend: Lend, leases: PollLeases, register: StateQueries) -> None:
        """Take what accounts, leases and audits come from."""
        self._lend, self._leases, self._register = lend, leases, register
        self.at_work: dict[str, Progress] = {}
        """By account and kind, for those who look on."""
        self.done = 0
        """Attempts that ended, whatever became of them."""

    @activity.defn(name=POLL)
    async def poll(self, job: Job) -> dict[str, Any]:
        """Run one cycle; gives its figures.

        Raises:
            ApplicationError: it failed; whether it is tried again before its next time depends on why.

        """
        progress = Progress()
        async with self._leading(job, progress) as (account, lease):
            cycle = progress.cycle = Cycle(account, lease, progress.pages, confirm=self._leases.must_compare(lease))
            report = await cycle.run()
            if report.worked:
                self._leases.compared(lease)
        if report.outcome is Outcome.STOPPED:
            raise _refused(job, lease, report.error)
        if report.outcome not in WELL:
            raise ApplicationError(report.error, _figures(report), type=report.outcome.value, non_retryable=True)
        return _figures(report)

    @activity.defn(name=AUDIT)
    async def audit(self, job: Job) -> dict[str, Any]:
        """Compare the live target with the snapshot; gives what differed.

        Raises:
            ApplicationError: it failed.

        """
        progress = Progress()
        async with self._leading(job, progress) as (account, lease):
            progress.phase = "audit"
            report = await audit(account, self._register, lease, heal=account.settings.heal)
        if report.error:
            raise ApplicationError(report.error, type="failed", non_retryable=True)
        cells = {cause: count for cause, count in report.cells.items() if count}
        return {"compared": report.compared, "cells": cells, "healed": report.healed, "lost": report.lost}

    @asynccontextmanager
    async def _leading(self, job: Job, progress: Progress) -> AsyncIterator[tuple[Account, Lease]]:
        name = f"{job.kind} {job.account}"
        self.at_work[name] = progress
        beating = asyncio.create_task(_beat(progress))
        lease: Lease | None = None
        try:
            async with self._lend(job.account) as account, self._leases.lead(account) as lease:
                yield account, lease
        except StateInUse as error:
            raise ApplicationError(str(error), type="busy", next_retry_delay=_BUSY) from error
        except LeaseLost as error:
            raise _refused(job, lease, str(error)) from error
        except StocksyncError as error:
            raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
        except asyncio.CancelledError:
            _tell_cancelled(job, lease)
            raise
        finally:
            beating.cancel()
            self.done += 1
            if self.at_work.get(name) is progress:
                del self.at_work[name]


async def _beat(progress: Progress) -> None:
    while True:
        activity.heartbeat(progress.details())
        await asyncio.sleep(_BEAT_SECONDS)


def _refused(job: Job, lease: Lease | None, why: str) -> ApplicationError:
    """Say that an attempt may write nothing more; if it is still the one that counts, it is made again at once."""
    _log_refused(job, lease, because=why)
    return ApplicationError(why, type="lease_lost", next_retry_delay=_AT_ONCE)


def _tell_cancelled(job: Job, lease: Lease | None) -> None:
    if activity.is_worker_shutdown():
        # Raised as a failure that may be tried again: as a cancellation it would end the workflow.
        raise ApplicationError("the worker stops", type="drained", next_retry_delay=_AT_ONCE)
    details = activity.cancellation_details()
    if details is not None and (details.not_found or details.timed_out):
        _log_refused(job, lease, because="it was taken for dead: its heartbeats stayed out for too long")


def _log_refused(job: Job, lease: Lease | None, because: str) -> None:
    attempt, epoch = activity.info().attempt, lease.epoch if lease else None
    log.warning(
        "attempt_refused", account=job.account, kind=job.kind, attempt=attempt, epoch=epoch, because=because,
        effect="it writes nothing more; the poll goes on elsewhere",
    )  # fmt: skip


def _figures(report: CycleReport) -> dict[str, Any]:
    """Give what Temporal's page shows of a cycle: figures alone, no SKU."""
    return {
        "cycle_id": report.cycle_id,
        "outcome": report.outcome.value,
        "verdict": report.verdict.value if report.verdict else None,
        "epoch": report.epoch,
        "pages": report.pages,
        "total": report.total,
        **asdict(report.counts),
        "seconds": report.seconds,
    }
