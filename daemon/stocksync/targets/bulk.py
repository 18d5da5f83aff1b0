"""Many updates in one statement for MariaDB, whose protocol takes updates one by one and waits for each."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Column, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.targets.batch import Row
from stocksync.targets.given import joined, names_rows, packed
from stocksync.targets.layout import Layout

_FEW = 20
_PER_ROW = ("v_other", "v_quantity")
"""What differs from row to row; the instant and the flag are the same in all."""


async def update_at_once(
    connection: AsyncConnection, layout: Layout, values: Mapping[Column[Any], BindParameter[Any]], rows: Sequence[Row]
) -> bool:
    """Update rows that are there; False where it was not done or did not reach each of them: then do it one by one.

    `values` are the columns with the bound parameters that set them; each row holds those and its key.
    """
    if len(rows) < _FEW or connection.dialect.name == "postgresql" or not names_rows(connection, layout):
        return False
    sent = [name for name in rows[0] if name.startswith("b_") or name in _PER_ROW]
    given, join = joined(connection, layout, sent)
    sets = {at: given.c[bound.key] if bound.key in _PER_ROW else bound for at, bound in values.items()}
    same_in_all = {name: value for name, value in rows[0].items() if name not in sent}
    result = await connection.execute(update(join).values(sets), same_in_all | packed(connection, layout, rows, sent))
    return bool(result.rowcount == len(rows))
