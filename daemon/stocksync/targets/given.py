"""Many rows named in one statement, as a table beside the user's: each is found by its whole key, and no other."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Join, and_, collate, types
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.sqljson import StraightJoin, json_rows, takes_json
from stocksync.sqljson import packed as packed_as_json
from stocksync.sqlrows import parameters, unnested
from stocksync.targets import dialects
from stocksync.targets.batch import Row
from stocksync.targets.layout import Layout

KEYS = ("b_match", "b_place")


def names_rows(connection: AsyncConnection, layout: Layout) -> bool:
    """Whether the database knows such tables, and keys like these can stand in them."""
    if connection.dialect.name == "postgresql":
        return True
    return takes_json(connection) and all(
        key.letters or isinstance(key.column.type, types.Integer) for key in layout.keys
    )


def joined(connection: AsyncConnection, layout: Layout, names: Sequence[str]) -> tuple[FromClause, Join]:
    """Give the table of named rows and its join with the user's; `names` are the keys, then what else is sent."""
    if connection.dialect.name == "postgresql":
        columns = {**dict(zip(KEYS, (key.column for key in layout.keys), strict=False)), **dict(layout.fields)}
        arrays = unnested({name: columns[name].type for name in names}, comes_again=False)
        return arrays, Join(arrays, layout.table, and_(*meeting(connection, layout, arrays)))
    kinds = dict.fromkeys(names, "LONGTEXT CHARACTER SET utf8mb4")
    for key, name in zip(layout.keys, KEYS, strict=False):
        kinds[name] = "VARCHAR(700) CHARACTER SET utf8mb4" if key.letters else "BIGINT"
    given = json_rows(kinds)
    return given, StraightJoin(given, layout.table, and_(*meeting(connection, layout, given)))


def meeting(connection: AsyncConnection, layout: Layout, given: FromClause) -> list[ColumnElement[bool]]:
    """Give the conditions by which the user's rows are the named ones."""
    alike: list[ColumnElement[bool]] = []
    for key, name in zip(layout.keys, KEYS, strict=False):
        value = given.c[name]
        if connection.dialect.name == "postgresql":
            alike.append(dialects.same(key, value, "postgresql"))
        elif key.letters is None:
            alike.append(key.column == value)
        else:
            # In the column's own character set and collation, or its index would not be used.
            collated = collate(dialects.using(value, key.letters.charset), key.letters.collation)
            alike.append(and_(key.column == collated, dialects.to_the_letter(key, value)))
    return [*alike, *layout.conditions]


def packed(connection: AsyncConnection, rows: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    """Give the bound values of such a table."""
    if connection.dialect.name == "postgresql":
        return parameters({name: [row[name] for row in rows] for name in names})
    return packed_as_json([row[name] for name in names] for row in rows)
