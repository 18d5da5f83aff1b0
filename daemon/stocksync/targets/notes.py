"""What a person should know of a table before figures go there; none of it keeps us from writing."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, inspect

from stocksync.targets.layout import Layout
from stocksync.targets.live import soft_deletion
from stocksync.targets.settings import TargetSettings


def notes_on(
    connection: Connection, layout: Layout, reflected: Mapping[str, Any], settings: TargetSettings
) -> Iterator[str]:
    """Tell of a missing index, inexact figures, rows that were deleted and stay, no transactions."""
    if not layout.unique:
        names = ", ".join(key.column.name for key in layout.keys)
        yield (
            f"{settings.table}: no unique index covers ({names}):"
            " look-ups may be slow, and nothing keeps duplicates out"
        )
    if layout.quantity.inexact:
        yield (
            f"{settings.table}: column {layout.quantity.column.name!r} cannot keep every figure: a 4-byte float has"
            " about 7 digits, 16777217.3 becomes another number; NUMERIC(20, 6) keeps them"
        )
    place = name, schema = layout.table.name, layout.table.schema
    if not settings.live:
        mapped = {column.name for column in layout.table.columns}
        yield from soft_deletion(inspect(connection), place, reflected, mapped)
    inspector = inspect(connection)
    if connection.dialect.name not in {"mysql", "mariadb"} or name in inspector.get_view_names(schema):
        return
    options = inspector.get_table_options(name, schema)
    engine = str(options.get("mysql_engine") or options.get("mariadb_engine") or "InnoDB")
    if engine.casefold() != "innodb":
        yield f"{name}: its engine {engine} has no transactions: half of a batch may stay after a fault; use InnoDB"


def lacking(reflected: Mapping[str, Any], mapped: set[str]) -> tuple[str, ...]:
    """Name the columns that a new row must give and that no field is mapped to."""
    names = []
    for name, column in reflected.items():
        filled = column.get("default") is not None or column.get("computed") or column.get("identity")
        generated = column.get("autoincrement") is True or column.get("primary_key")
        if name not in mapped and not (column["nullable"] or filled or generated):
            names.append(name)
    return tuple(names)
