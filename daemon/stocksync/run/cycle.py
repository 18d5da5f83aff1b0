"""One poll cycle: read, doubt, compare, plan, remember, write, report."""

import asyncio
from uuid import uuid4

import structlog

from stocksync.core.answers import Preview
from stocksync.core.events import CycleEnded, CycleStarted
from stocksync.core.model import Verdict
from stocksync.core.pace import READING_SHARE
from stocksync.core.report import CycleReport, Outcome
from stocksync.errors import (
    InvariantBroken,
    LeaseLost,
    StateError,
    StocksyncError,
    TargetError,
    Unauthorized,
)
from stocksync.known_secrets import hidden
from stocksync.ports import Lease, Progress
from stocksync.run.account import Account
from stocksync.run.accounting import describe, enter
from stocksync.run.carry_out import CarryOut
from stocksync.run.finishing import finish
from stocksync.run.focus import catalogue_of, in_focus
from stocksync.run.held_plans import decided_of, waiting_for
from stocksync.run.phases import Phases
from stocksync.run.prepare import prepare
from stocksync.threads import off_loop

log = structlog.get_logger(__name__)

_ASKING_SHARE = (1 + READING_SHARE) / 2
"""Share of the deadline after which Qoyod is asked nothing more: the rest is for writing."""


class Cycle:
    """One run over one account under one lease."""

    def __init__(
        self,
        account: Account,
        lease: Lease,
        progress: Progress | None = None,
        *,
        full: bool = False,
        confirm: bool = False,
    ) -> None:
        """Take what the cycle works with; `progress` hears of pages.

        With `confirm` every live row is held against what was acknowledged, with `full` every product is looked at too.
        """
        self._account = account
        self._lease = lease
        self._progress = progress
        self._full = full
        self._confirm = full or confirm
        self._began = account.clock.monotonic()
        self.report = new_report(account, lease)
        self.phases = Phases(self.report, account.clock)
        self._carry_out = CarryOut(account, lease, self.report, self.phases)
        self._rows = 0
        self._large: list[object] = []
        """What a cycle of so many rows was made of: to let go of a million cells would hold up the loop."""

    async def run(self) -> CycleReport:
        """Run to the end or to the deadline; every failure but cancellation ends in the report.

        Raises:
            asyncio.CancelledError: the service stops; the batch under way was finished first.

        """
        account, report = self._account, self.report
        self._began, seconds = account.clock.monotonic(), account.settings.deadline.total_seconds()
        with structlog.contextvars.bound_contextvars(account=account.name, cycle_id=report.cycle_id):
            account.publish(CycleStarted(account.name, report.started_at))
            try:
                async with asyncio.timeout(seconds) as deadline:
                    await self._steps()
            except asyncio.CancelledError:
                report.outcome = Outcome.STOPPED
                raise
            except TimeoutError as error:
                late = deadline.expired()
                report.outcome = Outcome.DEADLINE if late else Outcome.FAILED
                report.error = f"not done within poll.deadline of {seconds:g} s" if late else str(error)
            except StocksyncError as error:
                self._failed(error)
            except Exception as error:
                log.exception("cycle_crashed")
                report.error = hidden(f"unexpected {type(error).__name__}: {error}; please report this")
            finally:
                report.ended_at = account.clock.now()
                skew = account.source.skew()
                report.clock_skew_seconds = None if skew is None else skew.total_seconds()
                try:
                    await finish(account.state.end(self._lease, report, self._carry_out.unrecorded))
                except StateError as error:
                    log.warning("cycle_not_recorded", error=str(error))
                account.publish(CycleEnded(report))
            await off_loop(self._rows, self._large.clear)
        return report

    def _failed(self, error: StocksyncError) -> None:
        outcomes = {Unauthorized: Outcome.UNAUTHORIZED, LeaseLost: Outcome.STOPPED}
        self.report.outcome = outcomes.get(type(error), Outcome.FAILED)
        self.report.error = str(error)
        if isinstance(error, TargetError):
            self.report.target_failed = True
            self._account.forget_capabilities()
        if isinstance(error, InvariantBroken):
            log.error("invariant_broken", error=str(error))

    async def _steps(self) -> None:
        account, report = self._account, self.report
        await account.state.begin(self._lease, report)
        with self.phases.phase("read"):
            catalogue = await catalogue_of(account, full=self._full)
            until, settled = self._share(READING_SHARE), await off_loop(len(catalogue.known), catalogue.settled)
            reading = await account.source.read(self._progress, until=until, first=catalogue.unread, settled=settled)
            report.verdict, report.reasons = reading.verdict, reading.reasons
            report.pages, report.unread, report.total = reading.pages, reading.unread, reading.total
        if reading.verdict is Verdict.EMPTY:
            report.outcome = Outcome.EMPTY
            return
        answered = await account.look_again()
        async with account.turns.turn(), account.writing:
            with self.phases.phase("prepare"):
                focus = await in_focus(account, self._lease, reading, catalogue, confirm=self._confirm)
                seed, until = report.epoch + report.started_at.second, self._share(_ASKING_SHARE)
                portions = await prepare(account, focus, seed, until)
                enter(report, portions.figures, account.limits)
                describe(report, portions.whole)
            await self._carry_out.run(portions, answered=answered)
        report.target_contact = account.clock.now()
        report.outcome = Outcome.HELD if portions.whole.plan.held else Outcome.DONE
        self._rows, self._large = focus.rows, [catalogue, settled, reading, focus, portions]

    def _share(self, share: float) -> float:
        """Give the instant, by the monotonic clock, at which so much of the deadline is over."""
        return self._began + share * self._account.settings.deadline.total_seconds()


async def preview(account: Account, progress: Progress | None = None, *, full: bool = False) -> Preview:
    """Do everything of a cycle but the writing.

    Raises:
        SourceError, TargetError, StateError, ConfigurationError: the same that would fail a cycle.

    """
    report = new_report(account, None)
    catalogue = await catalogue_of(account, full=full)
    reading = await account.source.read(progress, settled=catalogue.settled())
    report.verdict, report.pages, report.total = reading.verdict, reading.pages, reading.total
    if reading.verdict is Verdict.EMPTY:
        report.outcome, report.reasons = Outcome.EMPTY, reading.reasons
        return Preview(report, (), None, {})
    focus = await in_focus(account, None, reading, catalogue, confirm=full)
    portions = await prepare(account, focus, seed=report.started_at.second, whole=True)
    prepared = portions.whole
    enter(report, portions.figures, account.limits)
    describe(report, prepared)
    report.counts.check()
    report.outcome = Outcome.HELD if prepared.plan.held else Outcome.DONE
    report.ended_at = account.clock.now()
    names = {product.id: product.name for product in focus.reading.products.values()}
    places = account.rules.places.names({**focus.snapshot.locations, **reading.locations})
    waiting = (prepared.plan.held, waiting_for(focus.snapshot.plans, "heal"))
    held, healing = (plan and plan.located(places) for plan in waiting)
    decided = [plan.located(places) for plan in decided_of(prepared)]
    return Preview(report, prepared.plan.apply, held, names, decided, places, healing)


def new_report(account: Account, lease: Lease | None, kind: str = "") -> CycleReport:
    """Start a report with an id of its own; `kind` marks what is no poll cycle."""
    return CycleReport(
        account=account.name,
        cycle_id=f"{kind}{uuid4().hex[:12]}",
        started_at=account.clock.now(),
        epoch=lease.epoch if lease else 0,
    )
