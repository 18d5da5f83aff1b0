"""Many rows updated or inserted by one statement, where the database can; drivers send updates one by one."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Column, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.sqlrows import Columns, Rows, insert_rows, takes_arrays
from stocksync.targets.batch import Row
from stocksync.targets.given import joined, meeting, names_rows, packed
from stocksync.targets.layout import Layout

_FEW = 20
"""Rows that are sent one by one: what is refused in bulk is halved until it comes to them."""
_IN_COMMON = ("v_updated_at", "v_active")
"""What is the same in all rows of a batch."""


async def update_at_once(
    connection: AsyncConnection, layout: Layout, values: Mapping[Column[Any], BindParameter[Any]], rows: Sequence[Row]
) -> bool:
    """Update rows that are there; False where it was not done or did not reach each of them: then do it one by one.

    `values` are the columns with the bound parameters that set them; each row holds those and its key.
    """
    if len(rows) < _FEW or not names_rows(connection, layout):
        return False
    sent = [name for name in rows[0] if name not in _IN_COMMON]
    given, join = joined(connection, layout, sent)
    sets = {at: bound if bound.key in _IN_COMMON else given.c[bound.key] for at, bound in values.items()}
    statement = update(join)
    if takes_arrays(connection):
        statement = update(layout.table).where(*meeting(connection, layout, given))
    in_common = {name: value for name, value in rows[0].items() if name in _IN_COMMON}
    result = await connection.execute(statement.values(sets), in_common | packed(connection, rows, sent))
    return bool(result.rowcount == len(rows))


async def insert_at_once(connection: AsyncConnection, layout: Layout, rows: Sequence[Row]) -> bool:
    """Insert rows of one shape; False where it was not done: then do it one by one."""
    if len(rows) < _FEW or not takes_arrays(connection):
        return False
    columns = {field: column.key for field, column in layout.fields if field in rows[0]}
    each: Columns = {key: [row[field] for row in rows] for field, key in columns.items() if field not in _IN_COMMON}
    same = {key: rows[0][field] for field, key in columns.items() if field in _IN_COMMON}
    await insert_rows(connection, insert(layout.table), Rows(each, same), comes_again=False)
    return True
