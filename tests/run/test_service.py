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

SETTINGS = Settings(timedelta(days=1000), timedelta(0), timedelta(minutes=5), timedelta(days=1), 0, 100, False, True)


class Refusing:
    """A Qoyod that knows nobody: each cycle ends at once, whose beginning is all there is to see."""

    async def read(self, *_: Any, **__: Any) -> Any:
        raise SourceRefused("no")

    def skew(self) -> None:
        return None


def test_hundreds_of_accounts_begin_one_after_the_other_and_a_later_one_is_not_kept_waiting() -> None:
    began: list[float] = []
    ended: list[Outcome] = []

    def hear(event: Event) -> None:
        if isinstance(event, CycleStarted):
            began.append(asyncio.get_running_loop().time())
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
        assert 85 < began[-1] < 95, "0.3 s lie between two, however many were claimed at once"
        assert max(sum(at <= other < at + 1 for other in began) for at in began) <= 4
        for lost in accounts[:50]:  # and found again, twice: each begins anew, once
            service.runners[lost.name].elected()
            service._line_up(service.runners[lost.name])
            service._line_up(service.runners[lost.name])
        service.runners[accounts[49].name].trigger()
        await asyncio.sleep(20)
        assert len(began) == 350
        accounts.append(account(300))
        now = asyncio.get_running_loop().time()
        await service.work_for(accounts)
        await asyncio.sleep(3)
        assert len(began) == 351
        assert began[-1] - now < 2, "alone it begins as soon as it is elected"
        service.stop()
        await running

    virtually(work)
    assert set(ended) == {Outcome.FAILED}
