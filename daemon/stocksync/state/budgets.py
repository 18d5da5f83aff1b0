"""Request budgets, one row each: reserved and forbidden by one statement, in the database's clock.

The statements calculate what core/budget.py says, where the reasons stand; a contract test holds them to each other.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, case, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import Insert

from stocksync.core.budget import FULL, LOWEST, RECOVERY, SET_BACK, Pace, Reservation
from stocksync.state.schema import budgets
from stocksync.state.session import Assigned, upsert
from stocksync.state.types import statement_time

Number = ColumnElement[Any]
Extreme = Callable[..., Number]

_COUNT = "given_count"
_now = type_coerce(statement_time(), BigInteger)


async def reserve(connection: AsyncConnection, budget: str, pace: Pace, count: int) -> Reservation:
    """Take the next slots of a budget."""
    row = await _returned(connection, {"budget": budget, _COUNT: count}, _reserving(connection.dialect.name, pace))
    spacing = pace.interval * FULL // row.share
    return Reservation(row.seen_at, row.next_at - count * spacing, spacing, count)


@lru_cache(maxsize=64)  # to describe it takes longer than the database takes to answer
def _reserving(dialect: str, pace: Pace) -> Insert:
    least, greatest = _least_and_greatest(dialect)
    earliest, count = _now - pace.saved, bindparam(_COUNT, type_=BigInteger)

    def assign(_new: object) -> Assigned:
        known = _Known(least, greatest)
        first = greatest(known.next_at, earliest)
        taken = count * _divided(pace.interval * FULL, known.share)
        return known.assigned(next_at=first + taken)

    first = {"next_at": earliest + count * pace.interval, "forbidden_until": 0, "share": FULL, "seen_at": _now}
    return upsert(budgets, dialect, assign).values(first)


async def forbid(connection: AsyncConnection, budget: str, duration: int) -> None:
    """Let nothing go for a while, and slow the pace."""
    least, greatest = _least_and_greatest(connection.dialect.name)
    end = _now + duration

    def assign(_new: object) -> Assigned:
        known = _Known(least, greatest)
        until = greatest(known.forbidden_until, end)
        slowed = greatest(LOWEST, _divided(known.share, 2))
        share = case((known.forbidden_until <= _now, slowed), else_=known.share)
        return known.assigned(next_at=greatest(known.next_at, until), share=share, forbidden_until=until)

    first = {"next_at": end, "forbidden_until": end, "share": FULL // 2, "seen_at": _now}
    statement = upsert(budgets, connection.dialect.name, assign).values(first)
    await connection.execute(statement, {"budget": budget})


class _Known:
    """The row as it is now, calculated by the database: the pace recovers, a clock that was set back is followed."""

    def __init__(self, least: Extreme, greatest: Extreme) -> None:
        seen = budgets.c.seen_at
        back = case((seen > _now + SET_BACK, seen - _now), else_=0)
        self.next_at: Number = budgets.c.next_at - back
        self.forbidden_until: Number = budgets.c.forbidden_until - back
        calm = greatest(0, _now - greatest(seen - back, self.forbidden_until))
        self.share: Number = least(FULL, budgets.c.share + _divided(calm, RECOVERY))

    def assigned(self, **changed: Number) -> Assigned:
        """Give all assignments in an order in which none reads what another has changed."""
        # MariaDB lets an assignment see those before it: `next_at` is read by no other, `seen_at` by all.
        rest = {"share": self.share, "forbidden_until": self.forbidden_until}
        ordered = {"next_at": changed.pop("next_at"), **rest, **changed}
        return [*ordered.items(), ("seen_at", _now)]


async def _returned(connection: AsyncConnection, given: Mapping[str, object], statement: Insert) -> Any:  # noqa: ANN401  a row
    columns = budgets.c.seen_at, budgets.c.next_at, budgets.c.share
    if connection.dialect.insert_returning:
        return (await connection.execute(statement.returning(*columns), given)).one()
    # MySQL: the row is locked until the commit, so this is what was written.
    await connection.execute(statement, given)
    return (await connection.execute(select(*columns).where(budgets.c.budget == given["budget"]))).one()


def _divided(number: Number | int, by: Number | int) -> Number:
    return type_coerce(number, BigInteger) // by


def _least_and_greatest(dialect: str) -> tuple[Extreme, Extreme]:
    lite = dialect == "sqlite"
    return (func.min, func.max) if lite else (func.least, func.greatest)
