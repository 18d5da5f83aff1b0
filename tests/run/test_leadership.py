"""Leases of sync groups over a state in memory: who leads, what is given back, and what is told of it."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from leasing import claim
from structlog.testing import capture_logs
from virtual_time import LoopClock, virtually

from stocksync.core.events import Event, LeaseChanged
from stocksync.errors import StateInUse, StateUnavailable
from stocksync.memory import MemoryState, MemoryStore
from stocksync.ports import Lease
from stocksync.run.leases import LEASE, Leadership, lead

PAIR = ("a", "b")


class State(MemoryState):
    """A state that may be away, may lose an answer to a release, and tells how often it was asked."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(LoopClock(), store)
        self.away = False
        self.silent = False
        self.asked: list[str] = []

    async def claim(
        self, groups: Sequence[Sequence[str]], owner: str, ttl: timedelta, address: str = ""
    ) -> list[Lease]:
        self._note("claim")
        return await super().claim(groups, owner, ttl, address)

    async def renew(self, held: Sequence[Lease], ttl: timedelta) -> list[Lease]:
        self._note("renew")
        if self.silent:
            await asyncio.sleep(1000)
        return await super().renew(held, ttl)

    async def release(self, lease: Lease) -> None:
        self._note(f"release {lease.account}")
        await super().release(lease)

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if self.away:
            raise StateUnavailable("the database is away")


class Bench:
    """One store, and processes that lead over it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.events: list[Event] = []
        self.elected: list[tuple[str, int]] = []

    def process(self, owner: str, *groups: Sequence[str]) -> tuple[Leadership, State]:
        state = State(self.store)
        told = lambda lease: self.elected.append((lease.account, lease.epoch))  # noqa: E731
        return Leadership(state, self.events.append, owner, groups, elected=told, address=f"{owner}:9464"), state

    def owners(self) -> dict[str, str]:
        return {account: mine.owner for account, mine in self.store.accounts.items()}


def bench(work: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def life() -> None:
        await work(Bench())

    virtually(life)


def test_whole_groups_are_claimed_and_each_election_is_told_with_its_address() -> None:
    async def work(on: Bench) -> None:
        first, state = on.process("one", ("b", "a"), ("c",), ("a", "b"))
        await first.claim()
        assert on.elected == [("a", 1), ("b", 1), ("c", 1)]
        assert on.events == [LeaseChanged("a", 1), LeaseChanged("b", 1), LeaseChanged("c", 1)]
        assert sorted(first.leases) == ["a", "b", "c"]
        holder = await state.writer("a")
        assert holder is not None
        assert (holder.owner, holder.address) == ("one", "one:9464")
        assert on.store.of("a").expires_at == LoopClock().now() + LEASE
        state.asked.clear()
        await first.claim()
        assert state.asked == [], "what is held is not claimed again"

    bench(work)


def test_who_cannot_have_a_group_stands_by_and_tells_so() -> None:
    async def work(on: Bench) -> None:
        await on.process("one", PAIR)[0].claim()
        on.events.clear()
        second, _ = on.process("two", PAIR, ("c",))
        await second.claim()
        assert sorted(second.leases) == ["c"]
        assert sorted(on.events, key=str) == sorted(
            [LeaseChanged("a", None), LeaseChanged("b", None), LeaseChanged("c", 1)], key=str
        )
        assert on.elected[-1] == ("c", 1)
        on.elected.clear()
        await asyncio.sleep(LEASE.total_seconds())
        await second.claim()
        assert on.elected == [("a", 2), ("b", 2)]

    bench(work)


def test_leases_are_renewed_for_as_long_as_they_are_kept_and_given_up_at_the_end() -> None:
    async def work(on: Bench) -> None:
        first, state = on.process("one", PAIR)
        keeping = asyncio.create_task(first.keep())
        await asyncio.sleep(100)
        assert on.elected == [("a", 1), ("b", 1)]
        assert on.owners() == {"a": "one", "b": "one"}
        left = on.store.of("a").expires_at - LoopClock().now()
        assert LEASE - timedelta(seconds=3.1) <= left <= LEASE
        assert state.asked.count("renew") == pytest.approx(100 / 3, abs=2)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        on.events.clear()
        await first.release()
        assert first.leases == {}
        assert on.events == [LeaseChanged("a", None, ending=True), LeaseChanged("b", None, ending=True)]
        assert on.owners() == {"a": "", "b": ""}

    bench(work)


def test_a_stand_by_takes_over_within_a_second_of_a_lease_s_end_and_the_old_writer_hears_of_it() -> None:
    async def work(on: Bench) -> None:
        first, _ = on.process("one", PAIR, ("c",))
        await first.claim()
        second, _ = on.process("two", PAIR, ("c",))
        standing_by = asyncio.create_task(second.keep())
        await asyncio.sleep(LEASE.total_seconds() + 1.1)
        assert on.owners() == {"a": "two", "b": "two", "c": "two"}
        on.events.clear()
        with capture_logs() as logs:
            await first._renew()
        assert first.leases == {}
        assert {event.account for event in on.events if isinstance(event, LeaseChanged)} == {"a", "b", "c"}
        assert {event.epoch for event in on.events if isinstance(event, LeaseChanged)} == {None}
        assert [(entry["event"], entry["account"]) for entry in logs] == [("lease_lost", "a"), ("lease_lost", "c")]
        assert logs[0]["error"] == "account a: another writer took over, or the lease has run out"
        assert on.owners() == {"a": "two", "b": "two", "c": "two"}, "what is another's is not given back"
        standing_by.cancel()
        await asyncio.gather(standing_by, return_exceptions=True)

    bench(work)


def test_of_a_group_in_which_one_lease_is_lost_the_others_are_given_back() -> None:
    async def work(on: Bench) -> None:
        first, state = on.process("one", PAIR, ("c",))
        await first.claim()
        mine = on.store.of("a")
        mine.owner, mine.epoch = "two", 9
        on.events.clear()
        await first._renew()
        assert on.events == [LeaseChanged("a", None), LeaseChanged("b", None)]
        assert sorted(first.leases) == ["c"]
        assert "release b" in state.asked
        assert "release a" not in state.asked
        assert on.owners() == {"a": "two", "b": "", "c": "one"}

    bench(work)


def test_with_nothing_held_nothing_is_renewed() -> None:
    async def work(on: Bench) -> None:
        first, state = on.process("one", PAIR)
        await first._renew()
        assert state.asked == []

    bench(work)


def test_an_account_that_left_the_configuration_is_given_back_and_one_that_changed_gets_a_new_epoch() -> None:
    async def work(on: Bench) -> None:
        first, state = on.process("one", ("a",), ("b",), ("c",))
        await first.claim()
        on.events.clear()
        await first.regroup([("b",), ("c",)], afresh=["c"])
        assert sorted(first.leases) == ["b"]
        assert on.events == [LeaseChanged("a", None), LeaseChanged("c", None)]
        on.elected.clear()
        await first.claim()
        assert on.elected == [("c", 2)]
        assert on.owners() == {"a": "", "b": "one", "c": "one"}
        assert state.asked.count("claim") == 2

    bench(work)


def test_what_was_claimed_for_an_account_that_left_meanwhile_is_given_back() -> None:
    async def work(on: Bench) -> None:
        first, state = on.process("one", ("a",), ("b",))
        claiming = state.claim

        async def slow(*args: Any) -> list[Lease]:
            claimed = await claiming(*args)
            await first.regroup([("b",)])
            return claimed

        state.claim = slow  # type: ignore[method-assign]
        await first.claim()
        assert sorted(first.leases) == ["b"]
        assert on.owners() == {"a": "", "b": "one"}
        assert on.events == [LeaseChanged("a", None), LeaseChanged("b", 1)]

    bench(work)


def test_a_state_that_is_away_is_told_of_once_and_asked_until_it_is_back() -> None:
    async def work(on: Bench) -> None:
        first, state = on.process("one", PAIR)
        state.away = True
        keeping = asyncio.create_task(first.keep())
        with capture_logs() as logs:
            await asyncio.sleep(5.5)
            assert logs == [{"event": "state_unavailable", "log_level": "warning", "error": "the database is away"}]
            assert state.asked == ["claim"] * 6, "each second"
            state.away = False
            await asyncio.sleep(2)
            assert sorted(first.leases) == ["a", "b"]
            state.away = True
            await asyncio.sleep(10)
            assert len(logs) == 2, "another time away is another line"
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        with capture_logs() as logs:
            await first.release()
        assert [(entry["event"], entry["account"], entry["error"]) for entry in logs] == [
            ("lease_not_released", "a", "the database is away"), ("lease_not_released", "b", "the database is away"),
        ]  # fmt: skip
        assert on.events[-1] == LeaseChanged("b", None, ending=True)

    bench(work)


def test_one_piece_of_work_holds_the_lease_and_gives_it_back() -> None:
    async def work(on: Bench) -> None:
        state = State(on.store)
        account = SimpleNamespace(name="a", state=state, publish=on.events.append, group=PAIR)
        async with lead(account, "once") as lease:  # type: ignore[arg-type]
            assert (lease.account, lease.owner) == ("a", "once")
            await asyncio.sleep(60)
            assert on.owners() == {"a": "once", "b": "once"}
            with pytest.raises(
                StateInUse, match=r"^account a: another process is the writer, or died less than 12 s ago"
            ):
                async with lead(account, "another"):  # type: ignore[arg-type]
                    pass
        assert on.owners() == {"a": "", "b": ""}
        with pytest.raises(ZeroDivisionError):
            async with lead(account, "once"):  # type: ignore[arg-type]
                raise ZeroDivisionError
        assert on.owners() == {"a": "", "b": ""}
        assert await claim(state, "a", "next", LEASE) is not None

    bench(work)


def test_a_renewal_without_an_answer_keeps_no_work_from_ending() -> None:
    async def work(on: Bench) -> None:
        state = State(on.store)
        account = SimpleNamespace(name="a", state=state, publish=on.events.append, group=("a",))
        async with lead(account, "once"):  # type: ignore[arg-type]
            state.silent = True
            await asyncio.sleep(4)
        assert LoopClock().monotonic() < 4 + 5.1
        assert on.owners() == {"a": ""}

    bench(work)
