"""Many rows named in one statement, as a table beside the user's: each is found by its whole key, and no other."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Join,
    and_,
    bindparam,
    collate,
    column,
    func,
    literal_column,
    types,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles

from stocksync.sqlrows import parameters, unnested
from stocksync.targets import dialects
from stocksync.targets.batch import Row
from stocksync.targets.layout import Layout

_SINCE = (10, 6)
"""The first MariaDB with JSON_TABLE, and with SKIP LOCKED."""
KEYS = ("b_match", "b_place")


class StraightJoin(Join):
    """A join that MariaDB makes in this order: from the rows that are named to the user's table, by its index.

    Left to itself it may walk the user's table instead, and lock or wait for rows that nobody named.
    """

    inherit_cache = True


@compiles(StraightJoin)
def _straight(join: StraightJoin, compiler: Any, **how: Any) -> str:  # noqa: ANN401
    how.pop("from_linter", None)
    sides = [compiler.process(side, **{**how, "asfrom": True}) for side in (join.left, join.right)]
    how.pop("asfrom", None)
    return f"{sides[0]} STRAIGHT_JOIN {sides[1]} ON {compiler.process(join.onclause, **how)}"


def names_rows(connection: AsyncConnection, layout: Layout) -> bool:
    """Whether the database knows such tables, and keys like these can stand in them."""
    dialect: Any = connection.dialect
    if dialect.name == "postgresql":
        return True
    if not getattr(dialect, "is_mariadb", False) or dialect.server_version_info < _SINCE:
        return False
    return all(key.letters or isinstance(key.column.type, types.Integer) for key in layout.keys)


def joined(connection: AsyncConnection, layout: Layout, names: Sequence[str]) -> tuple[FromClause, Join]:
    """Give the table of named rows and its join with the user's; `names` are the keys, then what else is sent."""
    if connection.dialect.name == "postgresql":
        columns = {**dict(zip(KEYS, (key.column for key in layout.keys), strict=False)), **dict(layout.fields)}
        arrays = unnested({name: columns[name].type for name in names})
        return arrays, Join(arrays, layout.table, and_(*meeting(connection, layout, arrays)))
    kinds = dict.fromkeys(names, "LONGTEXT CHARACTER SET utf8mb4")
    for key, name in zip(layout.keys, KEYS, strict=False):
        kinds[name] = "VARCHAR(700) CHARACTER SET utf8mb4" if key.letters else "BIGINT"
    paths = ", ".join(f"{name} {kinds[name]} PATH '$[{at}]'" for at, name in enumerate(names))
    rows = func.json_table(bindparam("packed", type_=types.Text()), literal_column(f"'$[*]' COLUMNS ({paths})"))
    given = rows.table_valued(*(column(name) for name in names), name="given")
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
    given = ([row[name] for name in names] for row in rows)
    plain = [[value if value is None or isinstance(value, int) else str(value) for value in row] for row in given]
    return {"packed": json.dumps(plain)}
