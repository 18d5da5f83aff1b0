"""Many rows in one statement for MariaDB, as a table made of JSON text: its driver sends updates one by one."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import FromClause, Join, Text, bindparam, column, func, literal_column
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles

_SINCE = (10, 6)
"""The first MariaDB with JSON_TABLE, and with SKIP LOCKED."""
_PACKED = "packed"


class StraightJoin(Join):
    """A join that MariaDB makes in this order: from the rows that are named to the other table, by its index.

    Left to itself it may walk that table instead, and lock or wait for rows that nobody named.
    """

    inherit_cache = True


@compiles(StraightJoin)
def _straight(join: StraightJoin, compiler: Any, **how: Any) -> str:  # noqa: ANN401
    how.pop("from_linter", None)
    sides = [compiler.process(side, **{**how, "asfrom": True}) for side in (join.left, join.right)]
    how.pop("asfrom", None)
    return f"{sides[0]} STRAIGHT_JOIN {sides[1]} ON {compiler.process(join.onclause, **how)}"


def takes_json(connection: AsyncConnection) -> bool:
    """Whether rows can be sent as JSON, to stand in a statement as a table."""
    dialect: Any = connection.dialect
    return bool(getattr(dialect, "is_mariadb", False)) and dialect.server_version_info >= _SINCE


def json_rows(kinds: Mapping[str, str]) -> FromClause:
    """Give the table that rows sent as JSON make; `kinds` are its columns, each with its type in SQL."""
    paths = ", ".join(f"{name} {kind} PATH '$[{at}]'" for at, (name, kind) in enumerate(kinds.items()))
    rows = func.json_table(bindparam(_PACKED, type_=Text()), literal_column(f"'$[*]' COLUMNS ({paths})"))
    return rows.table_valued(*map(column, kinds), name="given")


def packed(rows: Iterable[Sequence[object]]) -> dict[str, str]:
    """Give the bound value of such a table; what JSON has no number for is sent as text, bytes in hexadecimal."""
    texts = [
        [
            value
            if value is None or isinstance(value, int)
            else value.hex()
            if isinstance(value, bytes)
            else str(value)
            for value in row
        ]
        for row in rows
    ]
    return {_PACKED: json.dumps(texts)}
