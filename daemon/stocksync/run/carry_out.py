"""Writing what was planned, portion by portion: while one is written, the next is planned and the last one recorded."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass

from stocksync.core.batch_size import BatchSize
from stocksync.core.report import CycleReport
from stocksync.errors import EverythingRefused, StateError
from stocksync.ports import Lease, SnapshotUpdate
from stocksync.run.account import Account
from stocksync.run.accounting import describe, enter, figures_of
from stocksync.run.columns import retry_columns
from stocksync.run.finishing import finish, finishing, last_chance, meanwhile
from stocksync.run.held_plans import remember_plan
from stocksync.run.phases import Phases
from stocksync.run.portions import Portions
from stocksync.run.prepared import CyclePlan
from stocksync.run.remember import observed_of, outcome_of
from stocksync.run.writer import Writer
from stocksync.threads import off_loop


@dataclass(frozen=True, slots=True)
class _Written:
    """A portion that was handed to the target, and perhaps not acknowledged as a whole yet."""

    index: int
    prepared: CyclePlan
    writer: Writer


class CarryOut:
    """What becomes of the portions of one cycle."""

    def __init__(self, account: Account, lease: Lease, report: CycleReport, phases: Phases) -> None:
        """Take whose portions they are, the report they go into, and what measures the phases of the cycle."""
        self._account = account
        self._lease = lease
        self._report = report
        self._phases = phases
        self.unrecorded = SnapshotUpdate()
        """What the last portion leaves behind: it is recorded with the cycle's end."""
        self._size = BatchSize(account.settings.batch_size)
        self._taken = False
        """Whether the target has taken any row: then it does not refuse all of them."""
        self._written: _Written | None = None

    async def run(self, portions: Portions, *, answered: bool) -> None:
        """Write all of them; `answered` tells whether the target was heard of in this cycle.

        Raises:
            EverythingRefused: the target has taken no row of any portion.
            MoreThanWeighed: a guard would hold what is left by now.
            TargetError, StateError: the rest was not written.

        """
        if len(portions.figures) > 1:
            # What was found in rows must not be lost with portions that are not reached.
            self.unrecorded = SnapshotUpdate(corrected=dict(portions.whole.snapshot.corrected))
            await self._record()
        try:
            refused, asked = await self._each(portions)
        except BaseException:  # it is what is told; of what goes wrong besides there is a line in the log
            await last_chance(asyncio.ensure_future(self._leave(portions)))
            raise
        await self._leave(portions)
        if refused and not self._taken:
            raise EverythingRefused(refused.popitem()[1])
        for index in refused:  # it takes rows: what it refuses of these is a matter of single rows
            await self._again(portions, index)
        if not (answered or asked):
            # That the target is away must not wait for a change: it is asked for some row.
            first = await self._account.state.cells_after(self._account.name, None, 1)
            await self._account.target.read([row for row, _ in first])

    async def _each(self, portions: Portions) -> tuple[dict[int, str], bool]:
        """Write one after the other; give which the target refused as a whole, and whether it was asked for any row."""
        index, asked = 0, False
        refused: dict[int, str] = {}
        prepared = await self._planned(portions.plan(index))
        while prepared is not None:
            async with meanwhile(portions.plan(index + 1)) as following:
                asked = asked or bool(prepared.plan.apply)
                try:
                    await self._write(portions, index, prepared)
                except EverythingRefused as error:
                    refused[index] = str(error)  # the error itself would hold all rows
                    portions.put_off(index, prepared)
                try:
                    prepared = await self._planned(following)
                finally:
                    del following  # as in `_planned`
            index += 1
        return refused, asked

    async def _again(self, portions: Portions, index: int) -> None:
        prepared = await self._planned(portions.plan(index))
        if prepared is None:
            return
        try:
            await self._write(portions, index, prepared)
        except BaseException:
            await last_chance(asyncio.ensure_future(self._leave(portions)))
            raise
        await self._leave(portions)

    async def _planned(self, plan: Awaitable[CyclePlan | None]) -> CyclePlan | None:
        try:
            with self._phases.phase("prepare"):
                return await plan
        finally:
            del plan  # its error would hold this frame, which holds it, and with it all rows

    async def _write(self, portions: Portions, index: int, prepared: CyclePlan) -> None:
        """Remember and write a portion, while what the one before leaves is accounted for and recorded."""
        writer = Writer(self._account, self._lease, self._report.cycle_id, self._size, taken=self._taken)
        if self._account.shared or not (self._written and self._written.prepared.plan.apply):
            # A database that is both has one transaction at a time. And what is recorded once, with the first portion,
            # is recorded before anything of the second, also where the first had no intents to go with.
            await self._leave(portions)
            await self._record()
        concluding = self._conclude(portions, self._written)
        self._written = _Written(index, prepared, writer)
        async with finishing(concluding):
            try:
                await self._push(writer, prepared)
            finally:
                self._taken = writer.has_taken
                if writer.pushed.met:
                    portions.look_for_rows()

    async def _push(self, writer: Writer, prepared: CyclePlan) -> None:
        account, changes = self._account, prepared.plan.apply
        with self._phases.phase("remember"):
            seen = await off_loop(prepared.size, observed_of, prepared, account.clock.now())
            await writer.observe(seen, changes)
            await remember_plan(account, self._lease, prepared)
        with self._phases.phase("write"):
            await writer.write(changes)
            await retry_columns(writer, prepared, account.clock.now())

    async def _conclude(self, portions: Portions, written: _Written | None) -> None:
        if written is not None:
            await self._account_for(portions, written)
        await self._record()

    async def _record(self) -> None:
        if not self.unrecorded.is_empty:
            await finish(self._account.state.observe(self._lease, self._report.cycle_id, self.unrecorded))
            self.unrecorded = SnapshotUpdate()

    async def _leave(self, portions: Portions) -> None:
        """Account for the portion that was written last, whatever became of it."""
        written, self._written = self._written, None
        if written is None:
            return
        with suppress(StateError):  # what could not be recorded of the one before has another chance
            await self._record()
        await self._account_for(portions, written)

    async def _account_for(self, portions: Portions, written: _Written) -> None:
        """Wait for a portion to be acknowledged, and put what became of it into the report."""
        account, prepared = self._account, written.prepared
        try:
            await finish(written.writer.acknowledged())
        finally:
            pushed = written.writer.pushed
            self.unrecorded = await off_loop(prepared.size, outcome_of, prepared, pushed, account.clock.now())
            portions.figures[written.index] = await off_loop(prepared.size, figures_of, prepared, pushed)
            enter(self._report, portions.figures, account.limits)
            describe(self._report, portions.whole)
            self._report.counts.check()
