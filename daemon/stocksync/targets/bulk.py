"""Many updates in one statement for MariaDB, whose protocol takes updates one by one and waits for each."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    and_,
    bindparam,
    collate,
    column,
    func,
    literal_column,
    types,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.targets import dialects
from stocksync.targets.batch import Row
from stocksync.targets.keys import Key
from stocksync.targets.layout import Layout

_SINCE = (10, 6)
"""The first MariaDB with JSON_TABLE."""
_FEW = 20
_PER_ROW = ("v_other", "v_quantity")
"""What differs from row to row; the instant and the flag are the same in all."""


async def update_at_once(
    connection: AsyncConnection, layout: Layout, values: Mapping[Column[Any], BindParameter[Any]], rows: Sequence[Row]
) -> bool:
    """Update rows that are there; False where it was not done or did not reach each of them: then do it one by one.

    `values` are the columns with the bound parameters that set them; each row holds those and its key.
    """
    if len(rows) < _FEW or not _possible(connection, layout):
        return False
    sent = [name for name in rows[0] if name.startswith("b_") or name in _PER_ROW]
    given = _table_of(layout, sent)
    sets = {at: given.c[bound.key] if bound.key in _PER_ROW else bound for at, bound in values.items()}
    found = [_same(key, given.c[name]) for key, name in zip(layout.keys, ("b_match", "b_place"), strict=False)]
    packed = json.dumps([[_plain(row[name]) for name in sent] for row in rows])
    same_in_all = {name: value for name, value in rows[0].items() if name not in sent}
    result = await connection.execute(update(layout.table).where(*found).values(sets), same_in_all | {"packed": packed})
    return bool(result.rowcount == len(rows))


def _possible(connection: AsyncConnection, layout: Layout) -> bool:
    dialect: Any = connection.dialect
    if not getattr(dialect, "is_mariadb", False) or dialect.server_version_info < _SINCE:
        return False
    return all(key.letters or isinstance(key.column.type, types.Integer) for key in layout.keys)


def _table_of(layout: Layout, sent: Sequence[str]) -> Any:  # noqa: ANN401  SQLAlchemy's alias of a function
    keys = dict(zip(("b_match", "b_place"), layout.keys, strict=False))
    kinds = {name: _kind(keys.get(name)) for name in sent}
    paths = ", ".join(f"{name} {kind} PATH '$[{at}]'" for at, (name, kind) in enumerate(kinds.items()))
    rows = func.json_table(bindparam("packed", type_=types.Text()), literal_column(f"'$[*]' COLUMNS ({paths})"))
    return rows.table_valued(*(column(name) for name in sent), name="given")


def _kind(key: Key | None) -> str:
    if key is None:
        return "LONGTEXT CHARACTER SET utf8mb4"
    return "VARCHAR(700) CHARACTER SET utf8mb4" if key.letters else "BIGINT"


def _same(key: Key, value: ColumnElement[Any]) -> ColumnElement[bool]:
    if key.letters is None:
        found: ColumnElement[bool] = key.column == value
        return found
    # In the column's own character set and collation, or its index would not be used.
    alike = key.column == collate(dialects.using(value, key.letters.charset), key.letters.collation)
    return and_(alike, dialects.to_the_letter(key, value))


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, int) else str(value)
