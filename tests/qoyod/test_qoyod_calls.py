"""How long a 429 asks to wait, and several accounts on one budget."""

import asyncio
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from qoyod_catalogue import Catalogue, answer, row, source_over
from qoyod_told import Told
from virtual_time import LoopClock, virtually

from stocksync.core.model import Verdict
from stocksync.qoyod.budget import Budget
from stocksync.qoyod.calls import retry_after

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def at(minute: int, second: int) -> str:
    return format_datetime(NOW.replace(minute=minute, second=second), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 30 "}, 30),
        ({"retry-after": "0"}, 1),
        ({}, 60),
        ({"retry-after": ""}, 60),
        ({"retry-after": "soon"}, 60),
        ({"retry-after": "-5"}, 60),
        ({"retry-after": "1.5"}, 60),
        ({"retry-after": "9" * 400}, 900),
        ({"retry-after": at(2, 0)}, 120),
        ({"retry-after": at(2, 0), "date": at(1, 30)}, 30),
        ({"retry-after": at(0, 0), "date": at(1, 30)}, 1),
        ({"retry-after": "Thu, 99 Foo 2026 00:00:00 GMT"}, 60),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_a_minute(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers, NOW) == seconds


def test_accounts_of_one_tenant_share_its_budget_and_another_tenant_does_not_notice() -> None:
    throttled, calm = (Catalogue([row(number) for number in range(1, 40)]) for _ in range(2))
    sent: list[float] = []
    storm = [answer("slow", 429, **{"retry-after": "30"}) for _ in range(5)]
    throttled.faults.append(lambda _: storm.pop() if storm else None)
    throttled.between = lambda: sent.append(LoopClock().monotonic())
    told = Told()

    async def timed(catalogue: Catalogue, budget: Budget, size: int) -> float:
        began = LoopClock().monotonic()
        reading = await source_over(catalogue, told=told, budget=budget, per_page=size).read()
        assert reading.verdict is Verdict.COMPLETE
        return LoopClock().monotonic() - began

    async def work() -> list[float]:
        shared, other = Budget(60, LoopClock()), Budget(60, LoopClock())
        return await asyncio.gather(timed(throttled, shared, 1), timed(throttled, shared, 2), timed(calm, other, 1))

    hot, whole, alone = virtually(work)
    assert min(hot, whole) > 60
    assert alone < 60
    assert len(told.waits) == 5
    worst = max(sum(1 for other in sent if start <= other <= start + 60) for start in sent)
    assert worst <= 60
