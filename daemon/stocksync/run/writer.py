"""Intend, apply, acknowledge: the only way a figure reaches the target."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from stocksync.core.batch_size import BatchSize
from stocksync.core.model import Cell, Change, SourceFigures
from stocksync.errors import EverythingRefused, RowsLocked, RowsRefused, TargetUnavailable
from stocksync.ports import BatchResult, Lease, SnapshotUpdate
from stocksync.retries import until_no_conflict
from stocksync.run.account import Account
from stocksync.run.finishing import finish, last_chance
from stocksync.run.state_tasks import StateTasks
from stocksync.run.write_result import WriteResult
from stocksync.threads import off_loop

FENCE_MARGIN = timedelta(seconds=5)
"""A lease must last this much longer when a batch begins; targets roll back what pauses for nearly as long."""
_HOPELESS = 20
"""Rows refused, with none accepted, before the target itself is called broken."""
_QUEUE_SECONDS = 10.0
"""For how long rows that others hold are waited for one by one; each takes at most the target's time for a lock."""
_CROWDED = 50
"""Waits for others' locks in vain, before the rest is left to the next cycle."""


class Writer:
    """Writes batches under one lease; a batch once begun is finished even when the cycle is cancelled."""

    def __init__(
        self, account: Account, lease: Lease, cycle_id: str, size: BatchSize | None = None, *, taken: bool = False
    ) -> None:
        """Take the lease that fences every commit, and what the cycle has learned.

        That is the batch size, and whether the target has taken a row: then it does not refuse all of them.
        """
        self._account = account
        self._lease = lease
        self._cycle_id = cycle_id
        self._size, self._taken = size, taken
        self.pushed = WriteResult()
        self._last: Change | None = None
        self._probed: Change | None = None
        self._waits = 0
        self._next: Sequence[Change] = ()
        """The batch whose intents are committed ahead of its turn."""
        self._aside = StateTasks()

    async def observe(self, seen: SnapshotUpdate, changes: Sequence[Change]) -> None:
        """Take what was read, to be recorded with the intents of `changes`, which are pushed next: one commit for both.

        Without a change, whoever asked for it records what is left in `pushed`. One transaction for a batch and its
        acknowledgement has no intents: there it is recorded now.
        """
        if changes and self._account.shared:
            await self._account.state.observe(self._lease, self._cycle_id, seen)
            return
        self.pushed.pending = await off_loop(len(changes), _with_intents, seen, changes)
        self.pushed.unrecorded = seen

    async def push(self, changes: Sequence[Change]) -> None:
        """Write changes in batches and have them acknowledged; what became of them is in `pushed`, also after an error.

        Raises:
            TargetError, StateError: the rest was not written; open intents are written again next time.

        """
        await self.write(changes)
        await finish(self.acknowledged())

    async def acknowledged(self) -> None:
        """Wait until all that was written is acknowledged: `pushed` is complete then."""
        await self._aside.done()

    async def write(self, changes: Sequence[Change]) -> None:
        """Write changes in batches, but leave the acknowledgement of the last one to `acknowledged`."""
        if changes:
            await self._account.target.make()
        self._last = changes[-1] if changes else None
        size = self._size or BatchSize(self._account.settings.batch_size)
        start, clock = 0, self._account.clock
        smooth, shared = True, self._account.shared
        try:
            while start < len(changes):
                batch = self._next or changes[start : start + size.next_of(len(changes) - start)]
                start += len(batch)
                ahead = size.next_of(len(changes) - start) if smooth and size.has_grown and not shared else 0
                following = changes[start : start + ahead]
                began, troubled = clock.monotonic(), self._troubled
                await finish(self._write_between(batch, following))
                smooth = self._troubled == troubled
                size.learn(clock.monotonic() - began, smooth=smooth)
            if self.pushed.waiting:
                await finish(self.acknowledged())
                await self._wait_for_rows()
        except asyncio.CancelledError:
            await last_chance(asyncio.ensure_future(self.acknowledged()))
            raise

    async def retry_columns(self, left_out: Sequence[tuple[Change, str]]) -> None:
        """Set again what rows were written without beside their figures, which stand; repeated, it is harmless.

        Raises:
            TargetError, StateError: nothing of it was set.

        """
        target = self._account.target
        if self._account.shared:
            async with self._account.state.transaction(self._lease) as transaction:
                refused = await target.retry_columns(left_out, _no_fence, transaction)
        else:
            refused = await target.retry_columns(left_out, self._fence)
        self.pushed.completed = [change.cell for change, _ in left_out if change.cell not in refused]
        self.pushed.incomplete = [(change, refused[change.cell]) for change, _ in left_out if change.cell in refused]

    @property
    def has_taken(self) -> bool:
        """Whether the target has taken any row."""
        return self._taken or bool(self.pushed.applied)

    @property
    def _troubled(self) -> int:
        return len(self.pushed.refused) + len(self.pushed.waiting)

    async def _wait_for_rows(self) -> None:
        """Try again what others hold, now that nothing else waits with it: one row after the other, for a while."""
        queue = await self._again(change for change, _ in self.pushed.waiting)
        clock = self._account.clock
        until = clock.monotonic() + _QUEUE_SECONDS
        held: list[tuple[Change, str]] = []
        while queue and clock.monotonic() < until:
            await finish(self._deliver([queue.pop(0)[0]], patient=True))
            held += self._taken_out()
        held += await self._again(change for change, _ in queue)
        known = next((reason for _, reason in held if reason), "another transaction holds the row")
        self.pushed.waiting = [(change, reason or known) for change, reason in held]
        if len(held) >= _HOPELESS and not self.has_taken:
            # All rows are held: that is no matter of single rows, and the target is called away.
            reasons = [reason for _, reason in self.pushed.waiting]
            self.pushed.waiting.clear()
            raise TargetUnavailable(f"{len(reasons)} rows cannot be written now: {reasons[0]}")

    async def _again(self, changes: Iterable[Change]) -> list[tuple[Change, str]]:
        """Try changes once more without waiting; give those that still wait."""
        again, size = list(changes), self._account.settings.batch_size
        self.pushed.waiting = []
        for start in range(0, len(again), size):
            await finish(self._deliver(again[start : start + size]))
        return self._taken_out()

    def _taken_out(self) -> list[tuple[Change, str]]:
        held, self.pushed.waiting = self.pushed.waiting, []
        return held

    async def _write_between(self, batch: Sequence[Change], following: Sequence[Change]) -> None:
        """Write a batch while the state acknowledges the one before and takes the intents of the one that follows.

        Each of them is intended before it is written, and acknowledged after: of two batches instead of one the intents
        stay open where the process dies, and of a third where an acknowledgement fails.
        """
        if not (following or self._next or self._aside.acknowledges):
            await self._write(batch)
            return
        try:
            await self._intended(batch)
            if following:
                self._next = following
                self._aside.intend(self._intend(following))
            write = self._account.target.write
            written = await write(self._untried(batch), self._fence, patient=False, cycle_id=self._cycle_id)
            await self._aside.acknowledged()
        except (RowsRefused, RowsLocked) as error:
            await self._aside.done()
            await self._bisect(batch, error)
        except asyncio.CancelledError:
            self._aside.cancel()
            raise
        except Exception:
            # The state is not left in the middle: a commit under way would be lost, and its connection with it.
            await self._aside.done()
            raise
        else:
            self._taken = self.has_taken or bool(written.applied)
            self._note_troubles(written)
            self._aside.acknowledge(self._acknowledge(written))

    async def _intended(self, batch: Sequence[Change]) -> None:
        if self._next:
            self._next = ()
            await self._aside.intended()
        else:
            await self._intend(batch)

    async def _acknowledge(self, written: BatchResult) -> None:
        await self._account.state.acknowledge(self._lease, self._cycle_id, written)
        self._note_done(written)

    async def _write(self, batch: Sequence[Change]) -> None:
        await self._intend(batch)
        await self._deliver(batch)

    async def _intend(self, batch: Sequence[Change]) -> None:
        batch = self._untried(batch)
        if batch and not self._account.shared:
            seen, pending = self.pushed.unrecorded, self.pushed.pending
            read = {change.cell: pending[change.cell] for change in batch if change.cell in pending}
            # How far the cross-check has come is recorded with the cycle's end, which writes the account's row anyway.
            told = replace(seen, cells={**seen.cells, **read}, checked_up_to=None)
            await self._account.state.intend(self._lease, self._cycle_id, batch, told)
            self.pushed.unrecorded = SnapshotUpdate(checked_up_to=seen.checked_up_to)
            for cell in read:
                del pending[cell]

    def _untried(self, batch: Sequence[Change]) -> Sequence[Change]:
        """Leave out what a probe has written before its turn: its intent is closed."""
        return [change for change in batch if change is not self._probed]

    async def _deliver(self, batch: Sequence[Change], *, patient: bool = False) -> None:
        batch = self._untried(batch)
        if not batch:
            return
        try:
            written = await self._commit(batch, patient=patient)
        except (RowsRefused, RowsLocked) as error:
            await self._bisect(batch, error)
        else:
            self._note_done(written)
            self._note_troubles(written)

    async def _bisect(self, batch: Sequence[Change], error: RowsRefused | RowsLocked) -> None:
        if isinstance(error, RowsLocked):
            self._waits += 1
            if self._waits > _CROWDED:
                raise TargetUnavailable(f"too many rows wait for other transactions: {error}") from error
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._deliver(batch[:middle])
            await self._deliver(batch[middle:])
        elif isinstance(error, RowsLocked):
            self.pushed.waiting.append((batch[0], str(error)))
        else:
            self.pushed.refused.append((batch[0], str(error)))
            if len(self.pushed.refused) == _HOPELESS and not self.has_taken:
                await self._probe(error)

    async def _probe(self, error: RowsRefused) -> None:
        """Tell a target that refuses everything from bad rows that happen to come first, by trying the last one."""
        last, self._last = self._last, None
        if last is not None and last not in (change for change, _ in self.pushed.refused):
            await self._write([last])
            self._probed = last
        if not self.has_taken:
            self.pushed.refused.clear()
            self.pushed.waiting.clear()
            raise EverythingRefused(f"the target refuses every row: {error}") from error

    async def _commit(self, batch: Sequence[Change], *, patient: bool) -> BatchResult:
        write, state, cycle_id = self._account.target.write, self._account.state, self._cycle_id

        async def within_the_states() -> BatchResult:
            async with state.transaction(self._lease) as transaction:
                written = await write(batch, _no_fence, transaction, patient=patient, cycle_id=cycle_id)
                await transaction.acknowledge(cycle_id, written)
            return written

        if self._account.shared:
            # A target repeats its own transaction where that gave way to another; this one is the state's.
            return await until_no_conflict(within_the_states)
        written = await write(batch, self._fence, patient=patient, cycle_id=cycle_id)
        await state.acknowledge(self._lease, cycle_id, written)
        return written

    async def _fence(self) -> None:
        await self._account.state.confirm(self._lease, FENCE_MARGIN)

    def _note_troubles(self, written: BatchResult) -> None:
        self.pushed.refused += written.ambiguous
        self.pushed.met += written.met
        self.pushed.waiting += [(change, "") for change in written.waiting]

    def _note_done(self, written: BatchResult) -> None:
        self.pushed.applied += written.applied
        self.pushed.skipped += written.skipped
        self.pushed.left_out |= written.left_out
        self.pushed.altered |= written.altered


def _with_intents(seen: SnapshotUpdate, changes: Sequence[Change]) -> dict[Cell, tuple[SourceFigures, datetime]]:
    """Take out what is recorded together with its intent."""
    cells = (change.cell for change in changes if change.cell not in seen.replacing)
    return {cell: seen.cells.pop(cell) for cell in cells if cell in seen.cells}


async def _no_fence() -> None:
    """The state's own transaction has checked the lease already."""
