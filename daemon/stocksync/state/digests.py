"""Which products need no second thought, and by which row digest they are known."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Update,
    bindparam,
    func,
    null,
    select,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.catalogue import Catalogue
from stocksync.core.look_alike import folded
from stocksync.core.model import SettledCounts, SettledProduct
from stocksync.sqlrows import Columns, Rows, RowUpdate, at_rows, parameters, takes_arrays, unnested, update_rows
from stocksync.state.codec import spans_of
from stocksync.state.schema import LOOK_ALIKE_LENGTH, accounts, products
from stocksync.state.session import chunks, execute_by_id

_COUNTS = [products.c[name] for name in SettledCounts._fields]
_COUNTED = slice(2, 2 + len(_COUNTS))
_DIGEST = ("digest", "unchanged", "unmanaged", "unmapped", "managed")
_PAGE = 5000
UNSETTLED = dict.fromkeys(_DIGEST)
# Described once: that takes longer than to send them.
_OF: BindParameter[str] = bindparam("of")


def _catalogue(ids: ColumnElement[Any], digests: ColumnElement[Any], *, grouped: bool) -> CompoundSelect[Any]:
    """Ask for the account's own row, which is no product's, and those of its products: in one statement, not two."""
    noted = [accounts.c.rules, accounts.c.checked_up_to, accounts.c.unread]
    mine = [*map(_none_of, (ids, digests, *_COUNTS)), *noted]
    each = [ids, digests, *_COUNTS, *map(_none_of, noted)]
    of_products = select(*each).where(products.c.account == _OF)
    return union_all(
        select(*mine).where(accounts.c.account == _OF), of_products.group_by(*_COUNTS) if grouped else of_products
    )


def _none_of(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give what stands for a column in rows of another table."""
    return type_coerce(null(), column.type).label(None)


def _settled(row: Any) -> list[ColumnElement[bool]]:  # noqa: ANN401  the columns of the table, or of an alias
    return [row.account == _OF, row.digest.is_not(None)]


_EACH = _catalogue(products.c.product_id, products.c.digest, grouped=False)
_BY_COUNTS = _catalogue(func.array_agg(products.c.product_id), func.array_agg(products.c.digest), grouped=True)
"""A row for all products of which the same is counted: most databases' rows cost more to take than to find."""
_UNSETTLING = update(products).where(*_settled(products.c)).values(**UNSETTLED)
_IDS = unnested({"ids": products.c.product_id.type})
_UNSETTLING_EACH = at_rows(products, _IDS, {"product_id": "ids"}, _settled)[0].values(**UNSETTLED)


async def load_catalogue(connection: AsyncConnection, account: str) -> Catalogue:
    """Load every product's id, with its row digest and counts where it is settled: one narrow query."""
    known: dict[int, bytes | None] = {}
    alike: dict[tuple[Any, ...], set[int]] = {}
    rules, checked_up_to, unread = None, None, None
    grouped = takes_arrays(connection)
    for rows in (await connection.execute(_BY_COUNTS if grouped else _EACH, {"of": account})).partitions(_PAGE):
        for row in rows:
            ids, digests, counts = row[0], row[1], row[_COUNTED]
            if ids is None:
                rules, checked_up_to, unread = row[-3:]
            elif grouped:
                known.update(zip(ids, digests, strict=True))
                alike[counts] = set(ids)
            else:
                known[ids] = digests
                alike.setdefault(counts, set()).add(ids)
        await asyncio.sleep(0)  # lets heartbeats through
    counted = {SettledCounts(*counts): ids for counts, ids in alike.items() if counts[0] is not None}
    return Catalogue(rules or b"", known, counted, checked_up_to or 0, unread=spans_of(unread))


async def look_alikes(connection: AsyncConnection, account: str, skus: Iterable[str]) -> list[int]:
    """Name the products whose SKU is one of these, or looks like one."""
    keys = sorted({look_alike_key(sku) for sku in skus})
    mine = select(products.c.product_id).where(products.c.account == account)
    return [
        product_id
        for chunk in chunks(keys)
        for product_id in (await connection.execute(mine.where(products.c.look_alike.in_(chunk)))).scalars()
    ]


async def unsettle(connection: AsyncConnection, account: str, product_ids: Collection[int]) -> None:
    """Let the next cycle look at these products again, whatever their rows look like."""
    ids = sorted(product_ids)
    if not takes_arrays(connection):
        await execute_by_id(connection, _UNSETTLING, products.c.product_id, ids, {"of": account})
    elif ids:
        await connection.execute(*unsettling(account, ids))


def unsettling(account: str, product_ids: Sequence[int]) -> tuple[Update, Mapping[str, Any]]:
    """Give the statement that does so, and its parameters, for a database that takes arrays."""
    return _UNSETTLING_EACH, {**parameters({"ids": product_ids}), "of": account}


async def settle(
    connection: AsyncConnection, account: str, rules: bytes, settled: Mapping[int, SettledProduct]
) -> None:
    """Record the digests of products that hold what their rows ask for; one that is not known yet is left out.

    Other `rules` than those that are known unsettle all others; empty ones are no others.
    """
    if rules:
        mine = update(accounts).where(accounts.c.account == account, accounts.c.rules.is_distinct_from(rules))
        if (await connection.execute(mine.values(rules=rules))).rowcount:
            await connection.execute(_UNSETTLING, {"of": account})
    await update_rows(connection, settling(account, settled))


def settling(account: str, settled: Mapping[int, SettledProduct]) -> RowUpdate:
    """Give the rows to be updated with these digests."""
    each: Columns = {"product_id": sorted(settled)}
    each["digest"] = [settled[key].digest for key in each["product_id"]]
    for name in _DIGEST[1:]:
        each[name] = [getattr(settled[key].counts, name) for key in each["product_id"]]
    return RowUpdate(products, ["product_id"], Rows(each), {"account": account})


def look_alike_key(sku: str) -> str:
    """Give what SKUs have in common that a target may take for one; cut to what an index takes."""
    return folded(sku)[:LOOK_ALIKE_LENGTH]
