"""Writing what was planned, portion by portion: while one is written, the next is planned and the last one recorded."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from stocksync.core.batch_size import BatchSize
from stocksync.core.report import CycleReport
from stocksync.errors import EverythingRefused, StocksyncError
from stocksync.ports import Lease, SnapshotUpdate
from stocksync.run.account import Account
from stocksync.run.accounting import describe, enter, figures_of
from stocksync.run.columns import retry_columns
from stocksync.run.finishing import end_after, finish, finishing, meanwhile
from stocksync.run.focus import rules_of
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
        self._unrecorded: list[SnapshotUpdate] = []
        self._size = BatchSize(account.settings.batch_size)
        self._taken = False
        """Whether the target has taken any row: then it does not refuse all of them."""
        self._written: _Written | None = None

    @property
    def unrecorded(self) -> SnapshotUpdate:
        """What the last portion leaves behind: it is recorded with the cycle's end."""
        return self._unrecorded[-1] if self._unrecorded else SnapshotUpdate()

    async def run(self, portions: Portions, *, answered: bool) -> None:
        """Write all of them; `answered` tells whether the target was heard of in this cycle.

        Raises:
            EverythingRefused: the target has taken no row of any portion.
            MoreThanWeighed: a guard would hold what is left by now.
            TargetError, StateError: the rest was not written.

        """
        if len(portions.figures) > 1:
            # What was found in rows must not be lost with portions that are not reached.
            self._unrecorded.append(SnapshotUpdate(corrected=dict(portions.whole.snapshot.corrected)))
            await finish(self._record())
        if portions.writes:
            await self._make_table(portions)
        async with self._accounted(portions):
            refused, asked = await self._each(portions)
        if refused and not self._taken:
            raise EverythingRefused(refused.popitem()[1])
        for index in refused:  # it takes rows: what it refuses of these is a matter of single rows
            prepared = await self._planned(portions.plan(index))
            if prepared is not None:
                async with self._accounted(portions):
                    await self._write(portions, index, prepared)
        if not (answered or asked):
            # That the target is away must not wait for a change: it is asked for some row.
            first = await self._account.state.cells_after(self._account.name, None, 1)
            await self._account.target.read([row for row, _ in first])

    async def _make_table(self, portions: Portions) -> None:
        """Make the target's own table, where it is still to be made: products are settled under its columns' types.

        Where that fails the writer fails too, after what was read is recorded: it makes the table for look-ups.
        """
        account, before = self._account, await self._account.capabilities()
        if not before.unmade:
            return
        try:
            await account.target.make()
            account.forget_capabilities()
            made = await account.capabilities()
        except StocksyncError:
            return
        # With other capabilities than were expected, somebody else's table perhaps, the next poll looks at all anew.
        if made == replace(before, unmade=False, layout=made.layout, notes=made.notes):
            portions.settle_under(await rules_of(account), made.layout)

    @asynccontextmanager
    async def _accounted(self, portions: Portions) -> AsyncIterator[None]:
        """Account for the last portion that the block writes, whatever becomes of the block."""
        try:
            yield
        except BaseException as error:
            await end_after(error, asyncio.ensure_future(self._leave(portions)))
            raise
        await finish(self._leave(portions))

    async def _each(self, portions: Portions) -> tuple[dict[int, str], bool]:
        """Write one after the other; give which the target refused as a whole, and whether it was asked for any row."""
        index, asked = 0, False
        refused: dict[int, str] = {}
        prepared = await self._planned(portions.plan(index))
        while prepared is not None:
            async with meanwhile(portions.plan(index + 1)) as following:
                asked = asked or bool(prepared.plan.apply)
                if words := await self._write(portions, index, prepared):
                    refused[index] = words
                    portions.put_off(index, prepared)
                try:
                    prepared = await self._planned(following)
                finally:
                    del following  # as in `_planned`
            index += 1
            if self._written and self._written.writer.pushed.met and portions.look_for_rows():
                prepared = await self._planned(portions.plan(index))
        return refused, asked

    async def _planned(self, plan: Awaitable[CyclePlan | None]) -> CyclePlan | None:
        try:
            with self._phases.phase("prepare"):
                return await plan
        finally:
            del plan  # its error would hold this frame, which holds it, and with it all rows

    async def _write(self, portions: Portions, index: int, prepared: CyclePlan) -> str:
        """Remember and write a portion, while what the one before leaves is accounted for and recorded.

        Gives the target's words where it has taken no row yet, neither of this portion nor of another.
        """
        writer = Writer(self._account, self._lease, self._report.cycle_id, self._size, taken=self._taken)
        before = self._written
        unopened = before is not None and before.index == 0 and not before.prepared.plan.apply
        if self._account.shared or unopened:
            # A database that is both has one transaction at a time. And what is recorded once, with the first portion,
            # goes before anything of the second, also where the first had no intents to go with.
            await finish(self._conclude(portions, before))
            before = None
        concluding, words = self._conclude(portions, before), ""
        self._written, before = _Written(index, prepared, writer), None
        async with finishing(concluding):
            try:
                await self._push(writer, prepared)
            except EverythingRefused as error:
                words = str(error)  # the error itself would hold all rows
            finally:
                self._taken = writer.has_taken
        return words

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
        while self._unrecorded:
            if not self._unrecorded[0].is_empty:
                await self._account.state.observe(self._lease, self._report.cycle_id, self._unrecorded[0])
            del self._unrecorded[0]

    async def _leave(self, portions: Portions) -> None:
        """Account for the portion that was written last, and leave what it leaves to the cycle's end."""
        written, self._written = self._written, None
        if written is not None:
            await self._account_for(portions, written)
        last = self._unrecorded.pop() if self._unrecorded else SnapshotUpdate()
        try:
            await self._record()  # what could not be recorded of the one before has another chance
        finally:
            self._unrecorded = [last]

    async def _account_for(self, portions: Portions, written: _Written) -> None:
        """Wait for a portion to be acknowledged, and put what became of it into the report."""
        account, prepared = self._account, written.prepared
        try:
            await written.writer.acknowledged()
        finally:
            pushed = written.writer.pushed
            self._unrecorded.append(await off_loop(prepared.size, outcome_of, prepared, pushed, account.clock.now()))
            portions.figures[written.index] = await off_loop(prepared.size, figures_of, prepared, pushed)
            enter(self._report, portions.figures, account.limits)
            describe(self._report, portions.whole)
            self._report.counts.check()
