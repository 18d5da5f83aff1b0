"""What the page shows beside the status: the newest changes, the last day, a tenant's budget, products by any word."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, and_, func, or_, select, true, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.budget import SECOND, BudgetRow
from stocksync.core.model import Figure, figure_of, whole_number
from stocksync.core.overview import SPAN, STEP, Day, FoundProduct, RecentChange, day_of
from stocksync.state.digests import look_alike_key
from stocksync.state.schema import budgets, cycles, ledger, products

_MANY = 200
"""Accounts from which on the newest of all are taken: a list of thousands takes longer than the rest."""
_QUARTER = int(STEP.total_seconds()) * SECOND


async def newest_changes(connection: AsyncConnection, accounts: Sequence[str], limit: int) -> list[RecentChange]:
    """Give the changes that were applied last, the newest first; they lack their locations' names."""
    bears = and_(products.c.account == ledger.c.account, products.c.product_id == ledger.c.product_id)
    query = (
        select(ledger, products.c.name)
        .select_from(ledger.outerjoin(products, bears))
        .where(ledger.c.account.in_(accounts) if len(accounts) < _MANY else true())
        .order_by(ledger.c.id.desc())
        .limit(limit)
    )
    return [
        RecentChange(
            row.at, row.account, row.product_id, row.sku, row.name or "", row.place, "",
            figure_of(row.before), _figure(row.read_back or row.after), row.cause, row.id,
        )
        for row in await connection.execute(query)
    ]  # fmt: skip


async def last_day(connection: AsyncConnection, account: str, now: datetime) -> Day:
    """Give an account's polls and changes of the last day."""
    began = cycles.c.started_at
    ended = select(began, cycles.c.outcome).where(
        cycles.c.account == account, began > now - SPAN, cycles.c.ended_at.is_not(None)
    )
    polls = [(row.started_at, row.outcome or "") for row in await connection.execute(ended)]
    quarter = (type_coerce(ledger.c.at, BigInteger) // _QUARTER).label("quarter")
    written = (
        select(quarter, func.count().label("count"))
        .where(ledger.c.account == account, ledger.c.at > now - SPAN)
        .group_by(quarter)
    )
    counted = {int(row.quarter): int(row[1]) for row in await connection.execute(written)}
    return day_of(now, polls, counted)


async def budget_row(connection: AsyncConnection, budget: str) -> BudgetRow | None:
    """Give a tenant's budget as it was when it was last used; None where it never was."""
    columns = (budgets.c.next_at, budgets.c.forbidden_until, budgets.c.share, budgets.c.seen_at)
    row = (await connection.execute(select(*columns).where(budgets.c.budget == budget))).first()
    return None if row is None else BudgetRow(*row)


async def search(connection: AsyncConnection, accounts: Sequence[str], text: str, limit: int) -> list[FoundProduct]:
    """Find products by SKU or id, else by a part of the SKU or of the name; living ones first."""
    word = text.strip()
    if not word:
        return []
    known = select(products.c.account, products.c.product_id, products.c.sku, products.c.name, products.c.gone_at)
    known = known.where(products.c.account.in_(accounts))
    exact = [products.c.look_alike == look_alike_key(word), products.c.sku == word]
    if (product_id := whole_number(word)) is not None:
        exact.append(products.c.product_id == product_id)
    lower = word.lower()
    part = (
        func.lower(products.c.sku).contains(lower, autoescape=True),
        func.lower(products.c.name).contains(lower, autoescape=True),
    )
    order = (products.c.gone_at.is_not(None), products.c.sku, products.c.account, products.c.product_id)
    found: dict[tuple[str, int], FoundProduct] = {}
    for conditions in (exact, part):
        for row in await connection.execute(known.where(or_(*conditions)).order_by(*order).limit(limit)):
            one = FoundProduct(row.account, row.product_id, row.sku, row.name, gone=row.gone_at is not None)
            found.setdefault((one.account, one.product_id), one)
    return list(found.values())[:limit]


def _figure(text: str) -> Figure:
    figure = figure_of(text)
    assert figure is not None  # noqa: S101  for the type checker: a text is always a figure
    return figure
