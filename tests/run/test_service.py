"""When a process begins with the accounts that it was elected for, in virtual time."""

import asyncio
from datetime import timedelta
from typing import Any

from virtual_time import LoopClock, virtually

from stocksync.core.desired_state import Rules
from stocksync.core.events import CycleEnded, CycleStarted, Event
from stocksync.core.guards import Limits
from stocksync.core.policy import LocationMap, Policy
from stocksync.core.report import Outcome
from stocksync.errors import SourceRefused
from stocksync.memory import MemoryState, MemoryStore
from stocksync.run.account import Account, Settings
from stocksync.run.service import Service

SETTINGS = Settings(timedelta(days=1000), timedelta(0), timedelta(minutes=5), timedelta(days=1000), 0, 100, False, True)


class Refusing:
    """A Qoyod that knows nobody: each cycle ends at once, whose beginning is all there is to see."""

    async def read(self, *_: Any, **__: Any) -> Any:
        raise SourceRefused("no")

    def skew(self) -> None:
        return None


def test_hundreds_of_accounts_begin_one_after_the_other_and_a_later_one_is_not_kept_waiting() -> None:
    began: list[tuple[float, str]] = []
    ended: list[Outcome] = []

    def hear(event: Event) -> None:
        if isinstance(event, CycleStarted):
            began.append((asyncio.get_running_loop().time(), event.account))
        elif isinstance(event, CycleEnded):
            ended.append(event.report.outcome)

    async def work() -> None:
        state: Any = MemoryState(LoopClock(), MemoryStore())
        source: Any = Refusing()

        def account(number: int) -> Account:
            return Account(
                f"a{number:03}", source, source, state, False, Rules(Policy(), LocationMap({}, "reject", "")), Limits(),
                SETTINGS, LoopClock(), hear, source,
            )  # fmt: skip

        accounts = [account(number) for number in range(300)]
        service = Service(accounts, state, "one")
        running = asyncio.create_task(service.run())
        await asyncio.sleep(100)
        assert len(began) == len(ended) == 300
        times = [at for at, _ in began]
        assert 85 < times[-1] < 95, "0.3 s lie between two, however many were claimed at once"
        assert max(sum(at <= other < at + 1 for other in times) for at in times) <= 4

        service._leadership.leases.clear()  # the state was away: all are elected anew
        await asyncio.sleep(10)
        service._leadership.leases.clear()  # and again, while most are still in line
        service.runners["a299"].trigger()  # without a lease
        await asyncio.sleep(5)
        service.runners["a298"].trigger()  # by the scheduler, before its turn
        await asyncio.sleep(0)
        del began[:]
        await asyncio.sleep(100)
        names = [name for _, name in began]
        assert len(names) == len(set(names)), "one that is in line, or has begun, begins once"
        assert set(names) >= {f"a{number:03}" for number in range(60, 298)}
        assert "a298" not in names

        del began[:]
        accounts.append(account(300))
        now = asyncio.get_running_loop().time()
        await service.work_for(accounts)
        await asyncio.sleep(3)
        assert [name for _, name in began] == ["a300"]
        assert began[0][0] - now < 2, "alone it begins as soon as it is elected"
        service.stop()
        await running

    virtually(work)
    assert set(ended) == {Outcome.FAILED}
