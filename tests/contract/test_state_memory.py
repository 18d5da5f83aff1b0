"""What simulations rely on beyond the contract: crashes at named points, and a store that outlives them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from leasing import claim

from stocksync.core.model import Cell, Change
from stocksync.memory import MemoryState
from stocksync.ports import BatchResult

CHANGE = Change(11, "MAIN", "BW-001", None, Decimal(5), ((3, Decimal(5)),))
TTL = timedelta(minutes=1)


class Crash(Exception):
    pass


class Still:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


def crash_at(wanted: str):
    def crash(point: str) -> None:
        if point == wanted:
            raise Crash(point)

    return crash


@pytest.mark.parametrize(("point", "intent"), [("before intend", None), ("after intend", Decimal(5))])
async def test_a_crash_before_the_commit_forgets_and_one_after_it_does_not(point: str, intent: Decimal | None) -> None:
    dying = MemoryState(Still(), crash_points=crash_at(point))
    lease = await claim(dying, "main", "one", TTL)
    assert lease is not None
    with pytest.raises(Crash):
        await dying.intend(lease, "c1", [CHANGE])
    survivor = MemoryState(Still(), dying.store)
    cells = (await survivor.snapshot("main")).cells
    assert (cells[Cell(11, "MAIN")].intent if cells else None) == intent


@pytest.mark.parametrize(("point", "rows"), [("before transaction", 0), ("after transaction", 1)])
async def test_target_and_acknowledgement_crash_as_one(point: str, rows: int) -> None:
    target: list[Change] = []
    dying = MemoryState(Still(), crash_points=crash_at(point))
    lease = await claim(dying, "main", "one", TTL)
    assert lease is not None

    async def commit() -> None:
        async with dying.transaction(lease) as transaction:
            transaction.connection.deferred.append(lambda: target.append(CHANGE))
            await transaction.acknowledge("c1", BatchResult(applied=[CHANGE]))

    with pytest.raises(Crash):
        await commit()
    assert len(target) == rows
    assert len(await MemoryState(Still(), dying.store).history("main", 11, 9)) == rows
