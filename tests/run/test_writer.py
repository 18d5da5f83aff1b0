"""The writer over state and target in memory: what is committed, in which order, and what becomes of refused rows."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from leasing import claim
from structlog.testing import capture_logs
from virtual_time import EPOCH, LoopClock, virtually

from stocksync.core.allowance import Allowance
from stocksync.core.desired_state import Rules
from stocksync.core.guards import Limits
from stocksync.core.model import Cell, Change
from stocksync.core.policy import LocationMap, Policy
from stocksync.errors import LeaseLost, RowsLocked, StateUnavailable, TargetConflict, TargetError, TargetUnavailable
from stocksync.memory import MemoryState, MemoryTable, MemoryTarget
from stocksync.ports import BatchResult, Lease, SnapshotUpdate
from stocksync.run.account import Account, Settings
from stocksync.run.finishing import finish
from stocksync.run.lookup_share import LookupShare
from stocksync.run.writer import FENCE_MARGIN, Writer

TTL = timedelta(hours=1)
LIMIT = Decimal(1000)
REFUSED = Decimal(1000)
"""A figure that the table's constraint refuses."""
BEGAN = 1000
"""By the monotonic clock, which nobody may take for the time since."""


def change(product_id: int, after: Decimal = Decimal(7)) -> Change:
    return Change(product_id, "1", f"P-{product_id}", None, after, ((1, after),))


def changes(*ids: int, after: Decimal = Decimal(7)) -> list[Change]:
    return [change(one, after) for one in ids]


def ids(given: Iterable[Any]) -> list[int]:
    return [(one[0] if isinstance(one, tuple) else one).product_id for one in given]


class Target(MemoryTarget):
    """A table of which other transactions hold rows, and which tells what it was asked."""

    def __init__(self, calls: list[str]) -> None:
        super().__init__(MemoryTable(limit=LIMIT))
        self.calls = calls
        self.held: set[int] = set()
        self.lock_seconds = 1.0
        self.seconds = 0.0
        self.conflicts = 0
        self.fails_columns: dict[int, str] = {}
        self.cycles: set[str] = set()

    async def make(self) -> None:
        self.calls.append("make")

    async def write(
        self,
        changes: Sequence[Change],
        fence: Any,
        transaction: Any = None,
        *,
        patient: bool = True,
        cycle_id: str = "",
    ) -> BatchResult:
        await asyncio.sleep(self.seconds)
        held = [one for one in changes if one.product_id in self.held]
        if held and patient:
            await asyncio.sleep(self.lock_seconds)
            raise RowsLocked(f"another transaction holds {ids(held)}")
        if self.conflicts:
            self.conflicts -= 1
            raise TargetConflict("gave way")
        free = [one for one in changes if one not in held]
        written = await super().write(free, fence, transaction, patient=patient, cycle_id=cycle_id)
        written.waiting += held
        self.cycles.add(cycle_id)
        self.calls.append(f"write {ids(changes)}{' patiently' if patient else ''}")
        return written

    async def retry_columns(self, left_out: Any, fence: Any, transaction: Any = None) -> dict[Cell, str]:
        await fence()
        joined = "" if transaction is None else " in the state's transaction"
        self.calls.append(f"columns {ids(left_out)}{joined}")
        fails = self.fails_columns
        return {one.cell: fails[one.product_id] for one, _ in left_out if one.product_id in fails}


class State(MemoryState):
    """A state that tells what it was asked."""

    def __init__(self, calls: list[str]) -> None:
        super().__init__(LoopClock())
        self.calls = calls
        self.cycles: set[str] = set()

    async def observe(self, lease: Lease, cycle_id: str, seen: SnapshotUpdate) -> None:
        await super().observe(lease, cycle_id, seen)
        self.cycles.add(cycle_id)

    async def intend(self, lease: Lease, cycle_id: str, changes: Sequence[Change], read: Any = None) -> None:
        await super().intend(lease, cycle_id, changes, read)
        self.cycles.add(cycle_id)
        self.calls.append(f"intend {ids(changes)}")

    async def acknowledge(self, lease: Lease, cycle_id: str, written: BatchResult) -> None:
        await super().acknowledge(lease, cycle_id, written)
        self.calls.append(f"acknowledge {ids(written.applied)}")

    async def confirm(self, lease: Lease, margin: timedelta) -> None:
        await super().confirm(lease, margin)
        self.calls.append(f"confirm {margin.total_seconds():.0f} s")

    @asynccontextmanager
    async def transaction(self, lease: Lease) -> AsyncIterator[Any]:
        self.calls.append("begin")
        async with super().transaction(lease) as transaction:
            yield transaction
        self.calls.append("commit")


@dataclass
class Bench:
    """A writer and what stands beneath it."""

    writer: Writer
    target: Target
    state: State
    calls: list[str]
    lease: Lease
    account: Account

    @property
    def pushed(self) -> Any:
        return self.writer.pushed

    def rows(self) -> dict[int, Decimal | None]:
        return {row.product_id: row.quantity for row in self.target.table.rows}

    async def intents(self) -> set[int]:
        cells = (await self.state.snapshot("main")).cells
        return {cell.product_id for cell, one in cells.items() if one.intent is not None}


def settings(batch_size: int) -> Settings:
    return Settings(
        interval=timedelta(minutes=1), jitter=timedelta(0), deadline=timedelta(minutes=1),
        audit_interval=timedelta(hours=1), cross_check=0, batch_size=batch_size, heal=False, owns_table=True,
    )  # fmt: skip


def bench(work: Callable[[Bench], Coroutine[Any, Any, None]], *, shared: bool = False, batch_size: int = 2) -> None:
    """Run a test with a writer that holds the lease, in virtual time."""

    async def life() -> None:
        await asyncio.sleep(BEGAN)
        calls: list[str] = []
        state, target = State(calls), Target(calls)
        lease = await claim(state, "main", "one", TTL)
        assert lease is not None
        nothing = SimpleNamespace()
        account = Account(
            "main", nothing, target, state, shared, Rules(Policy(), LocationMap()), Limits(),  # type: ignore[arg-type]
            settings(batch_size), LoopClock(), lambda _event: None, LookupShare(Allowance.of(180), LoopClock()),
        )  # fmt: skip
        await work(Bench(Writer(account, lease, "c1"), target, state, calls, lease, account))

    virtually(life)


def test_each_batch_is_intended_then_fenced_and_written_then_acknowledged() -> None:
    async def work(on: Bench) -> None:
        on.target.seconds = 0.5  # neither quick nor slow: the size stays
        await on.writer.push(changes(1, 2, 3))
        assert on.calls == [
            "make",
            "intend [1, 2]", "confirm 5 s", "write [1, 2]", "acknowledge [1, 2]",
            "intend [3]", "confirm 5 s", "write [3]", "acknowledge [3]",
        ]  # fmt: skip
        assert on.rows() == {1: 7, 2: 7, 3: 7}
        assert await on.intents() == set()
        assert ids(on.pushed.applied) == [1, 2, 3]
        assert on.pushed.count == 3
        assert [row.cycle_id for row in on.state.store.of("main").ledger] == ["c1"] * 3
        assert on.target.cycles == {"c1"}

    bench(work)


def test_where_state_and_target_are_one_a_batch_and_its_acknowledgement_are_one_transaction() -> None:
    async def work(on: Bench) -> None:
        on.target.seconds = 0.5
        await on.writer.push(changes(1, 2, 3))
        assert on.calls == ["make", "begin", "write [1, 2]", "commit", "begin", "write [3]", "commit"]
        assert on.rows() == {1: 7, 2: 7, 3: 7}
        assert [row.change.product_id for row in on.state.store.of("main").ledger] == [1, 2, 3]
        assert [row.cycle_id for row in on.state.store.of("main").ledger] == ["c1"] * 3
        assert on.target.cycles == {"c1"}

    bench(work, shared=True)


def test_a_push_of_nothing_makes_no_table_and_asks_nothing() -> None:
    async def work(on: Bench) -> None:
        await on.writer.push([])
        assert on.calls == []

    bench(work)


def test_batches_grow_where_they_are_quick_and_do_not_where_a_row_is_refused_or_waits() -> None:
    async def work(on: Bench) -> None:
        await on.writer.push(changes(*range(1, 11)))
        assert [call for call in on.calls if call.startswith("intend")] == [
            "intend [1, 2]", "intend [3, 4, 5, 6]", "intend [7, 8, 9, 10]",
        ]  # fmt: skip
        for trouble in (change(20, REFUSED), change(21)):
            on.target.held = {21}
            on.calls.clear()
            await on.writer.push([*changes(11), trouble, *changes(12, 13, 14)])
            assert [call for call in on.calls if call.startswith("intend")] == [
                f"intend [11, {trouble.product_id}]", "intend [12, 13]", "intend [14]",
            ]  # fmt: skip

    bench(work)


def test_while_a_large_batch_is_written_the_state_acknowledges_the_last_and_intends_the_next() -> None:
    async def work(on: Bench) -> None:
        on.target.seconds = 0.3
        await on.writer.push(changes(*range(1, 17)))
        calls = [call for call in on.calls if not call.startswith("confirm")]
        assert calls[1:] == [
            "intend [1, 2]", "write [1, 2]", "acknowledge [1, 2]",
            "intend [3, 4, 5, 6]",
            "intend [7, 8, 9, 10]", "write [3, 4, 5, 6]",
            "acknowledge [3, 4, 5, 6]", "intend [11, 12, 13, 14, 15, 16]", "write [7, 8, 9, 10]",
            "acknowledge [7, 8, 9, 10]", "write [11, 12, 13, 14, 15, 16]",
            "acknowledge [11, 12, 13, 14, 15, 16]",
        ]  # fmt: skip
        assert ids(on.pushed.applied) == [*range(1, 17)]
        assert await on.intents() == set()

    bench(work)


def test_a_push_that_is_cancelled_acknowledges_what_was_written_and_leaves_open_only_what_was_not() -> None:
    async def work(on: Bench) -> None:
        on.target.seconds = 0.3
        push = asyncio.create_task(on.writer.push(changes(*range(1, 17))))
        await asyncio.sleep(0.8)  # the third batch is being written
        push.cancel()
        with pytest.raises(asyncio.CancelledError):
            await push
        assert set(on.rows()) == {*range(1, 11)}
        assert ids(on.pushed.applied) == [*range(1, 11)]
        assert await on.intents() == {*range(11, 17)}

    bench(work)


def test_a_row_refused_in_mid_flow_stands_alone_and_no_batch_is_lost() -> None:
    async def work(on: Bench) -> None:
        on.target.seconds = 0.3
        await on.writer.push([change(one, REFUSED if one == 8 else Decimal(7)) for one in range(1, 31)])
        assert set(on.rows()) == {*range(1, 31)} - {8}
        assert ids(on.pushed.refused) == [8]
        assert sorted(ids(on.pushed.applied)) == sorted({*range(1, 31)} - {8})
        assert await on.intents() == {8}

    bench(work)


def test_a_target_that_goes_away_in_mid_flow_leaves_written_what_is_acknowledged_and_open_what_is_not() -> None:
    class Leaving(Target):
        async def write(self, changes: Any, *args: Any, **how: Any) -> BatchResult:
            if any(one.product_id > 8 for one in changes):
                raise TargetUnavailable("gone")
            return await super().write(changes, *args, **how)

    async def work(on: Bench) -> None:
        on.account.target = leaving = Leaving(on.calls)
        leaving.seconds = 0.3
        with pytest.raises(TargetUnavailable):
            await on.writer.push(changes(*range(1, 31)))
        assert {row.product_id for row in leaving.table.rows} == {*range(1, 7)}
        assert ids(on.pushed.applied) == [*range(1, 7)]
        assert await on.intents() == {*range(7, 19)}, "of two batches"

    bench(work)


def test_a_state_that_goes_away_in_mid_flow_ends_the_push_and_what_was_written_stays_open() -> None:
    class Leaving(State):
        async def acknowledge(self, lease: Lease, cycle_id: str, written: BatchResult) -> None:
            if ids(written.applied) == [3, 4, 5, 6]:
                raise StateUnavailable("gone")
            await super().acknowledge(lease, cycle_id, written)

    async def work(on: Bench) -> None:
        on.state.__class__ = Leaving
        on.target.seconds = 0.3
        with pytest.raises(StateUnavailable):
            await on.writer.push(changes(*range(1, 31)))
        assert set(on.rows()) == {*range(1, 11)}, "the batch under way is finished"
        assert ids(on.pushed.applied) == [1, 2]
        # The batch that follows was intended beside the acknowledgement: it is written again like the others.
        assert await on.intents() == {*range(3, 19)}

    bench(work)


def test_a_push_that_is_cancelled_while_the_state_hangs_gives_up_all_at_once_and_leaves_nothing_running() -> None:
    class Hanging(State):
        async def acknowledge(self, lease: Lease, cycle_id: str, written: BatchResult) -> None:
            if ids(written.applied) == [3, 4, 5, 6]:
                await asyncio.sleep(3600)
            await super().acknowledge(lease, cycle_id, written)

        async def intend(self, lease: Lease, cycle_id: str, batch: Any, seen: Any = None) -> None:
            if batch[0].product_id > 10:
                await asyncio.sleep(3600)
            await super().intend(lease, cycle_id, batch, seen)

    async def work(on: Bench) -> None:
        on.state.__class__ = Hanging
        on.target.seconds = 0.3
        before = asyncio.all_tasks()
        push = asyncio.create_task(on.writer.push(changes(*range(1, 31))))
        await asyncio.sleep(0.8)
        began = asyncio.get_running_loop().time()
        push.cancel()
        with pytest.raises(asyncio.CancelledError):
            await push
        assert asyncio.get_running_loop().time() - began < 36
        assert asyncio.all_tasks() == before

    bench(work)


def test_slow_batches_do_not_grow() -> None:
    async def work(on: Bench) -> None:
        on.target.seconds = 0.41
        await on.writer.push(changes(*range(1, 7)))
        assert [call for call in on.calls if call.startswith("intend")] == [
            "intend [1, 2]", "intend [3, 4]", "intend [5, 6]",
        ]  # fmt: skip

    bench(work)


def test_what_was_read_is_recorded_with_its_intent_and_the_rest_with_the_first() -> None:
    async def work(on: Bench) -> None:
        pushed, other = changes(1, 2, 3), Cell(9, "1")
        seen = SnapshotUpdate(
            cells={one.cell: (one.parts, EPOCH) for one in pushed} | {other: (((1, Decimal(9)),), EPOCH)}
        )
        seen.replacing = frozenset({pushed[2].cell})
        await on.writer.observe(seen, pushed)
        assert (await on.state.snapshot("main")).cells == {}
        assert set(on.pushed.pending) == {one.cell for one in pushed[:2]}
        await on.writer.push(pushed[:1])
        assert {cell.product_id for cell in (await on.state.snapshot("main")).cells} == {1, 3, 9}
        assert set(on.pushed.pending) == {pushed[1].cell}
        await on.writer.push(pushed[1:])
        assert on.pushed.pending == {}
        assert on.pushed.unrecorded.is_empty
        cells = (await on.state.snapshot("main")).cells
        parts = {cell.product_id: one.parts for cell, one in cells.items()}
        assert parts == {one.product_id: one.parts for one in pushed} | {9: ((1, Decimal(9)),)}
        assert {one.source_at for one in cells.values()} == {EPOCH}
        assert on.state.cycles == {"c1"}

    bench(work)


def test_what_was_read_is_still_to_be_recorded_where_the_intents_were_not() -> None:
    async def work(on: Bench) -> None:
        seen = SnapshotUpdate(cells={Cell(9, "1"): (((1, Decimal(9)),), EPOCH)})
        await on.writer.observe(seen, changes(1))
        await on.state.release(on.writer._lease)
        with pytest.raises(LeaseLost):
            await on.writer.push(changes(1))
        assert on.pushed.unrecorded == seen

    bench(work)


def test_where_state_and_target_are_one_what_was_read_is_recorded_at_once() -> None:
    async def work(on: Bench) -> None:
        await on.writer.observe(SnapshotUpdate(cells={change(1).cell: (change(1).parts, EPOCH)}), changes(1))
        assert on.pushed.unrecorded.is_empty
        assert (await on.state.snapshot("main")).cells[change(1).cell].parts == change(1).parts

    bench(work, shared=True)


@pytest.mark.parametrize(("left", "writes"), [(FENCE_MARGIN, False), (FENCE_MARGIN + timedelta(seconds=1), True)])
def test_a_batch_begins_only_under_a_lease_that_outlasts_a_paused_transaction(left: timedelta, writes: bool) -> None:
    async def work(on: Bench) -> None:
        on.state.store.of("main").expires_at = LoopClock().now() + left
        if writes:
            await on.writer.push(changes(1))
        else:
            with pytest.raises(LeaseLost):
                await on.writer.push(changes(1))
        assert on.rows() == ({1: 7} if writes else {})
        assert await on.intents() == (set() if writes else {1})
        assert ids(on.pushed.applied) == ([1] if writes else [])

    bench(work)


def test_refused_rows_stand_alone_with_the_target_s_words_and_all_others_go_in() -> None:
    async def work(on: Bench) -> None:
        guilty = {3, 6}
        await on.writer.push([change(one, REFUSED if one in guilty else Decimal(7)) for one in range(1, 9)])
        assert set(on.rows()) == {1, 2, 4, 5, 7, 8}
        assert [(one.product_id, why) for one, why in on.pushed.refused] == [
            (one, "1000 is not below 1000") for one in (3, 6)
        ]
        assert ids(on.pushed.applied) == [1, 2, 4, 5, 7, 8]
        assert on.pushed.count == 8
        assert await on.intents() == guilty, "what to do about them is the cycle's to say"
        assert [call for call in on.calls if "intend" in call] == ["intend [1, 2, 3, 4, 5, 6, 7, 8]"]

    bench(work, batch_size=8)


def test_twenty_bad_rows_that_come_first_are_told_from_a_bad_target_by_the_last_one_which_is_written_once() -> None:
    async def work(on: Bench) -> None:
        await on.writer.push([*changes(*range(1, 31), after=REFUSED), *changes(31, 32)])
        assert ids(on.pushed.refused) == [*range(1, 31)]
        assert ids(on.pushed.applied) == [32, 31]
        assert on.target.table.writes == 2
        assert await on.intents() == {*range(1, 31)}, "the probe's is closed, and not opened again at its turn"
        assert [call for call in on.calls if call.startswith("intend") and "32" in call] == ["intend [32]"]

    bench(work)


@pytest.mark.parametrize("count", [20, 25])
def test_a_target_that_refuses_the_last_row_too_is_itself_at_fault_and_sets_none_aside(count: int) -> None:
    async def work(on: Bench) -> None:
        with pytest.raises(TargetError, match=r"^the target refuses every row: 1000 is not below 1000$"):
            await on.writer.push(changes(*range(1, count + 1), after=REFUSED))
        assert on.pushed.refused == []
        tried = [call for call in on.calls if call.startswith("intend")]
        assert tried[-1] == ("intend [19, 20]" if count == 20 else "intend [25]")

    bench(work)


def test_nineteen_refused_rows_are_rows_and_so_are_twenty_where_one_went_in() -> None:
    async def work(on: Bench) -> None:
        await on.writer.push(changes(*range(1, 20), after=REFUSED))
        assert len(on.pushed.refused) == 19

    async def with_one(on: Bench) -> None:
        await on.writer.push([*changes(99), *changes(*range(1, 25), after=REFUSED), *changes(98)])
        assert len(on.pushed.refused) == 24
        assert ids(on.pushed.applied) == [99, 98], "nothing is probed"

    bench(work)
    bench(with_one)


def test_a_row_that_another_transaction_holds_waits_and_is_tried_again_at_the_end() -> None:
    async def work(on: Bench) -> None:
        on.target.held = {2}
        await on.writer.push(changes(1, 2, 3))
        assert on.rows() == {1: 7, 3: 7}
        (waiting,) = on.pushed.waiting
        assert waiting == (change(2), "another transaction holds [2]")
        assert on.pushed.count == 3
        assert [call for call in on.calls if call.startswith("write")] == [
            "write [1, 2]", "write [3]", "write [2]",
        ], "at once, and once more without waiting; a patient try ended in a refusal"  # fmt: skip
        assert await on.intents() == {2}

    bench(work)


def test_a_row_that_is_let_go_meanwhile_is_written_by_the_same_cycle() -> None:
    async def work(on: Bench) -> None:
        on.target.held = {2, 3}
        asyncio.get_running_loop().call_later(0.5, on.target.held.discard, 3)
        await on.writer.push(changes(1, 2, 3))
        assert on.rows() == {1: 7, 3: 7}
        assert ids(on.pushed.waiting) == [2]
        assert "write [3] patiently" in on.calls

    bench(work)


def test_rows_that_others_hold_are_waited_for_one_by_one_and_for_ten_seconds_in_all() -> None:
    async def work(on: Bench) -> None:
        on.target.held, on.target.lock_seconds = {*range(2, 17)}, 3.0
        await on.writer.push(changes(*range(1, 17)))
        assert 12 <= LoopClock().monotonic() - BEGAN < 13, "four waits of three seconds, each begun before the tenth"
        assert ids(on.pushed.waiting) == [2, 3, 4, 5, *range(6, 17)]
        known = "another transaction holds [2]"
        assert [why for _, why in on.pushed.waiting[4:]] == [known] * 11, "the reason that is known stands for all"
        assert on.rows() == {1: 7}

    bench(work)


def test_a_row_that_nobody_was_asked_about_waits_for_another_transaction() -> None:
    async def work(on: Bench) -> None:
        on.target.held = {1}
        on.target.seconds = 11
        on.target.lock_seconds = 0
        on.account.settings = settings(1)

        class Elapsed(LoopClock):
            """Each look finds the time for the queue over."""

            looks = 0

            def monotonic(self) -> float:
                self.looks += 1
                return super().monotonic() + self.looks * 100

        on.account.clock = Elapsed()
        await on.writer.push(changes(1, 2))
        assert on.pushed.waiting == [(change(1), "another transaction holds the row")]

    bench(work)


def test_a_target_of_which_others_hold_every_row_is_away_and_none_of_them_waits() -> None:
    async def work(on: Bench) -> None:
        on.target.held = {*range(1, 21)}
        with pytest.raises(
            TargetUnavailable, match=r"^20 rows cannot be written now: another transaction holds \[1\]$"
        ):
            await on.writer.push(changes(*range(1, 21)))
        assert on.pushed.waiting == []

    async def nineteen(on: Bench) -> None:
        on.target.held = {*range(1, 20)}
        await on.writer.push(changes(*range(1, 20)))
        assert len(on.pushed.waiting) == 19

    async def one_goes_in(on: Bench) -> None:
        on.target.held = {*range(1, 31)}
        await on.writer.push(changes(*range(1, 32)))
        assert len(on.pushed.waiting) == 30

    bench(work)
    bench(nineteen)
    bench(one_goes_in)


def test_waits_in_vain_are_bounded_and_the_rest_is_left_to_the_next_cycle() -> None:
    async def work(on: Bench) -> None:
        on.target.held, on.target.lock_seconds = {*range(1, 200)}, 0.0
        with pytest.raises(TargetUnavailable, match=r"^too many rows wait for other transactions: .*holds \[51\]"):
            await on.writer.push(changes(*range(1, 201)))

    bench(work)


def test_a_batch_of_which_another_transaction_holds_a_row_in_mid_writing_is_bisected() -> None:
    class Late(Target):
        """Rows are found to be held only while they are written."""

        async def write(
            self, changes: Any, fence: Any, transaction: Any = None, *, patient: bool = True, cycle_id: str = ""
        ) -> BatchResult:
            if any(one.product_id in self.held for one in changes):
                raise RowsLocked("a row is held")
            return await super().write(changes, fence, transaction, patient=patient, cycle_id=cycle_id)

    async def work(on: Bench) -> None:
        on.account.target = late = Late(on.calls)
        late.held = {3}
        await on.writer.push(changes(1, 2, 3, 4))
        assert {row.product_id for row in late.table.rows} == {1, 2, 4}
        assert on.pushed.waiting == [(change(3), "a row is held")]

    bench(work, batch_size=4)


def test_a_shared_transaction_that_is_lost_takes_what_was_written_with_it() -> None:
    async def work(on: Bench) -> None:
        def lost(point: str) -> None:
            if point == "before transaction":
                raise StateUnavailable("the connection is lost")

        on.state.crash_points = lost
        with pytest.raises(StateUnavailable):
            await on.writer.push(changes(1))
        assert on.rows() == {}
        assert on.pushed.applied == []

    bench(work, shared=True)


def test_a_row_that_is_held_waits_in_a_shared_transaction_too() -> None:
    async def work(on: Bench) -> None:
        on.target.held = {2, 3}
        asyncio.get_running_loop().call_later(0.5, on.target.held.discard, 3)
        await on.writer.push(changes(1, 2, 3))
        assert on.rows() == {1: 7, 3: 7}
        assert on.pushed.waiting == [(change(2), "another transaction holds [2]")]
        assert [call for call in on.calls if "patiently" in call] == ["write [3] patiently"]

    bench(work, shared=True)


@pytest.mark.parametrize("conflicts", [2, 3])
def test_a_shared_transaction_that_gave_way_is_tried_three_times(conflicts: int) -> None:
    async def work(on: Bench) -> None:
        on.target.conflicts = conflicts
        if conflicts < 3:
            await on.writer.push(changes(1))
            assert on.rows() == {1: 7}
            assert LoopClock().monotonic() - BEGAN < 1
        else:
            with pytest.raises(TargetConflict):
                await on.writer.push(changes(1))
            assert on.rows() == {}
        assert on.calls.count("begin") == 3

    bench(work, shared=True)


def test_a_target_of_its_own_repeats_its_own_transactions() -> None:
    async def work(on: Bench) -> None:
        on.target.conflicts = 1
        with pytest.raises(TargetConflict):
            await on.writer.push(changes(1))

    bench(work)


@pytest.mark.parametrize("shared", [False, True])
def test_left_out_columns_are_set_again_and_told_apart_by_what_became_of_them(shared: bool) -> None:
    async def work(on: Bench) -> None:
        on.target.fails_columns = {2: "sku: duplicate"}
        await on.writer.retry_columns([(change(1), "sku: was held"), (change(2), "sku: was held")])
        asked = "columns [1, 2]"
        within = ["begin", f"{asked} in the state's transaction", "commit"]
        assert on.calls == (within if shared else ["confirm 5 s", asked])
        assert on.pushed.completed == [change(1).cell]
        assert on.pushed.incomplete == [(change(2), "sku: duplicate")]

    bench(work, shared=shared)


def test_all_that_a_target_tells_of_a_batch_is_kept_over_several() -> None:
    class Telling(Target):
        async def write(
            self, changes: Any, fence: Any, transaction: Any = None, *, patient: bool = True, cycle_id: str = ""
        ) -> BatchResult:
            written = await super().write(changes, fence, transaction, patient=patient, cycle_id=cycle_id)
            (one,) = written.applied
            written.left_out[one.cell] = f"sku of {one.product_id}"
            written.altered[one.cell] = Decimal(6)
            written.skipped.append(change(one.product_id + 10))
            written.ambiguous.append((change(one.product_id + 20), "two rows"))
            return written

    async def work(on: Bench) -> None:
        on.account.target = Telling(on.calls)
        on.account.settings = settings(1)
        on.account.target.seconds = 0.5  # type: ignore[attr-defined]
        await on.writer.push(changes(1, 2))
        assert on.pushed.left_out == {change(1).cell: "sku of 1", change(2).cell: "sku of 2"}
        assert on.pushed.altered == {change(1).cell: 6, change(2).cell: 6}
        assert ids(on.pushed.skipped) == [11, 12]
        assert [(one.product_id, why) for one, why in on.pushed.refused] == [(21, "two rows"), (22, "two rows")]
        assert on.pushed.count == 6

    bench(work)


@dataclass
class Step:
    """A piece of work that can be watched and let go on."""

    seconds: float
    """After its cancellation."""
    started: bool = False
    ended: str = ""
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None

    async def work(self) -> None:
        self.started = True
        try:
            await self.go_on.wait()
            if self.error is not None:
                raise self.error
            self.ended = "done"
        except asyncio.CancelledError:
            await asyncio.sleep(self.seconds)
            self.ended = "cancelled"
            raise


async def cancelled(step: Step) -> asyncio.Task[None]:
    task = asyncio.create_task(finish(step.work()))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.sleep(1)
    return task


def test_a_cancelled_cycle_waits_for_the_batch_under_way() -> None:
    async def life() -> None:
        step = Step(0)
        task = await cancelled(step)
        assert not task.done()
        step.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert step.ended == "done"

    with capture_logs() as logs:
        virtually(life)
    assert logs == []


def test_a_batch_that_does_not_end_is_given_up_after_its_last_chance() -> None:
    async def life() -> None:
        step = Step(1)
        task = await cancelled(step)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert step.ended == "cancelled", "it had the time to let go of its connections"
        assert LoopClock().monotonic() == 1 + 30 + 1

    with capture_logs() as logs:
        virtually(life)
    assert logs == [{"event": "batch_given_up", "log_level": "warning", "seconds": 30.0}]


def test_a_batch_that_does_not_let_go_is_left_after_five_more_seconds() -> None:
    async def life() -> None:
        step = Step(100)
        task = await cancelled(step)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert step.ended == ""
        assert LoopClock().monotonic() == 1 + 30 + 5

    virtually(life)


def test_a_second_cancellation_does_not_wait() -> None:
    async def life() -> None:
        step = Step(0)
        task = await cancelled(step)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)
        assert step.ended == "cancelled"
        assert LoopClock().monotonic() < 3

    virtually(life)


def test_a_batch_that_fails_while_the_cycle_is_stopped_is_told_of() -> None:
    async def life() -> None:
        step = Step(0, error=TargetError("no more room"))
        task = await cancelled(step)
        step.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    with capture_logs() as logs:
        virtually(life)
    assert logs == [{"event": "batch_failed_while_stopping", "log_level": "warning", "error": "no more room"}]
