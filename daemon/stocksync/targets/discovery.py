"""A database that nobody has described yet: which tables there are, and what their columns hold."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnClause, Connection, Inspector, column, inspect, literal, select, table, types
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.core.proposal import ColumnSketch, Holds, TableSketch
from stocksync.sqlengine import reading
from stocksync.targets.faults import translated
from stocksync.targets.reflect import OF_THE_SERVER

_MOST_TABLES = 300
_MOST_VALUES = 200
_HOLDS: tuple[tuple[type[types.TypeEngine[Any]], Holds], ...] = (
    (types.Boolean, Holds.FLAG),
    (types.Integer, Holds.WHOLE),
    (types.Numeric, Holds.NUMBER),
    (types.DateTime, Holds.MOMENT),
    (types.String, Holds.TEXT),
    (types.Uuid, Holds.TEXT),
)


async def survey(engine: AsyncEngine, where: str) -> list[TableSketch]:
    """Describe every table and view of the database, at most 300; `where` names it in errors.

    Raises:
        TargetUnavailable: it does not answer, or does not let us in.

    """
    with translated(where):
        async with reading(engine) as connection:
            return await connection.run_sync(lambda inner: list(_tables(inner)))


async def values_of(engine: AsyncEngine, where: str, table_name: str, column_name: str) -> list[str]:
    """Give the distinct values of a column as text, in order, at most 200.

    Raises:
        TargetUnavailable: as for `survey`.

    """
    wanted: ColumnClause[Any] = column(column_name)
    query = select(wanted).select_from(_named(table_name)).where(wanted.is_not(None)).distinct().limit(_MOST_VALUES)
    with translated(where):
        async with reading(engine) as connection:
            return sorted(str(value) for value in (await connection.execute(query)).scalars())


def _tables(connection: Connection) -> Iterator[TableSketch]:
    inspector = inspect(connection)
    schemas: list[str | None] = [None]
    if inspector.dialect.name == "postgresql":
        hidden = {*OF_THE_SERVER, inspector.default_schema_name}
        schemas += [schema for schema in inspector.get_schema_names() if schema not in hidden]
    left = _MOST_TABLES
    for schema in schemas:
        names = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
        for name in names[:left]:
            yield _sketch(connection, inspector, schema, name)
        left -= min(left, len(names))


def _sketch(connection: Connection, inspector: Inspector, schema: str | None, name: str) -> TableSketch:
    columns = []
    for one in inspector.get_columns(name, schema):
        if one.get("computed"):
            continue
        kind = one["type"].data_type if isinstance(one["type"], DOMAIN) else one["type"]
        holds = next((holds for of, holds in _HOLDS if isinstance(kind, of)), Holds.OTHER)
        filled = one.get("default") or one.get("identity") or one.get("autoincrement")
        columns.append(ColumnSketch(one["name"], holds, required=not (one["nullable"] or filled)))
    full_name = f"{schema}.{name}" if schema else name
    query = select(literal(1)).select_from(_named(full_name)).limit(1)
    try:
        with connection.begin_nested():
            empty = connection.execute(query).first() is None
    except DBAPIError:  # a table that we may not read is as good as a full one: nothing is inserted there unasked
        empty = False
    return TableSketch(full_name, tuple(columns), filled=not empty)


def _named(full_name: str) -> Any:  # noqa: ANN401  table() and Table share no useful type
    schema, dot, name = full_name.rpartition(".")
    return table(name, schema=schema) if dot else table(full_name)
