"""Looking at the user's table before the first figure goes there."""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Named
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Inspector, MetaData, Table, false, inspect, select, text, update
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.schema import CreateTable

from stocksync.errors import ConfigurationError
from stocksync.targets.keys import CharacterSet
from stocksync.targets.layout import Layout
from stocksync.targets.live import live_condition, partial_index_fits
from stocksync.targets.mapping import Mapping, choice
from stocksync.targets.notes import lacking, notes_on
from stocksync.targets.own_table import own_table
from stocksync.targets.rights import objection_to
from stocksync.targets.settings import MatchBy, TargetSettings

_ON_CONFLICT = re.compile(r"\bON\s+CONFLICT\s+(?:REPLACE|IGNORE|FAIL|ROLLBACK)\b", re.IGNORECASE)
_SCHEMAS = 50
"""How many are looked through for a table that is not where it was named."""
OF_THE_SERVER = {"information_schema", "pg_catalog", "mysql", "performance_schema", "sys"}
"""Schemas that hold nobody's stock."""


class NoTable(ConfigurationError):
    """The table is not there; where it is not to be made the message lists what is."""


def reflect(connection: Connection, settings: TargetSettings) -> Layout:
    """Find the table and check the mapping against it.

    Raises:
        NoTable: it is not there.
        ConfigurationError: every problem of the mapping, naming what is not there and listing what is.

    """
    inspector = inspect(connection)
    found = _find_table(inspector, settings)
    reflected = {column["name"]: column for column in inspector.get_columns(*found)}
    layout = _layout(connection, inspector, found, reflected, settings)
    # What only goes along with a figure and cannot be written at all is left out.
    without, notes, nowhere = dict[str, Any](), list[str](), update(layout.table).where(false())
    for field in ("other", "updated_at", "active"):
        part: Any = getattr(layout, field)
        if part is None:
            continue
        if reflected[part.column.name].get("computed"):
            words = "it is generated: the database alone fills it"
        elif objection_to(connection, nowhere.values({layout.quantity.column: layout.quantity.column})):
            continue  # nothing can be written: that is told elsewhere
        else:
            words = objection_to(connection, nowhere.values({part.column: part.column}))
        if words:
            without[field] = None
            notes.append(f"{settings.table}: column {part.column.name!r} is not written: {words}")
    layout = replace(layout, **without)
    layout = replace(layout, lacking=lacking(reflected, {column.name for column in layout.columns}))
    return replace(layout, notes=(*notes, *notes_on(connection, layout, reflected, settings)))


def column_types(connection: Connection, table: Table) -> dict[str, str]:
    """Give the type of every column that a reflected table has now; none where it is not there any more."""
    try:
        return _types(inspect(connection).get_columns(table.name, table.schema))
    except NoSuchTableError:
        return {}


def create(connection: Connection, settings: TargetSettings) -> None:
    """Make our own table."""
    connection.execute(CreateTable(own_table(settings, connection.dialect), if_not_exists=True))


def _types(columns: Iterable[Any]) -> dict[str, str]:
    return {column["name"]: repr(column["type"]) for column in columns}


def _find_table(inspector: Inspector, settings: TargetSettings) -> tuple[str, str | None]:
    schema, dot, name = settings.table.partition(".")
    candidates: list[tuple[str, str | None]] = [(settings.table, None)]
    if dot:
        candidates.append((name, schema))
    for table, within in candidates:
        if (within is None or within in inspector.get_schema_names()) and inspector.has_table(table, within):
            return table, within
    missing = f"{settings.where}.table: there is no table {settings.table!r}"
    if settings.create_table:  # which others there are matters to nobody, and there may be thousands
        raise NoTable(missing)
    if dot and schema in inspector.get_schema_names():
        there = [
            f"{schema}.{table}" for table in (*inspector.get_table_names(schema), *inspector.get_view_names(schema))
        ]
    else:
        there = [*inspector.get_table_names(), *inspector.get_view_names()]
    if not dot:
        schemas = [schema for schema in inspector.get_schema_names() if schema not in OF_THE_SERVER][:_SCHEMAS]
        for elsewhere in schemas:
            if inspector.has_table(settings.table, elsewhere):
                named, written = settings.table, f'table = "{elsewhere}.{settings.table}"'
                raise NoTable(
                    f"{settings.where}.table: {named!r} is not here, it is in schema {elsewhere}: write {written}"
                )
    hint = "" if there else "; create_table = true makes one"
    raise NoTable(f"{missing}{choice(settings.table, there)}{hint}")


def _layout(
    connection: Connection,
    inspector: Inspector,
    found: tuple[str, str | None],
    reflected: Named[str, Any],
    settings: TargetSettings,
) -> Layout:
    chosen = Mapping(settings, connection.dialect.name, reflected, _letters(connection, found))
    by_sku = settings.match_by is MatchBy.SKU
    match = chosen.key("sku" if by_sku else "product_id", required=True)
    other = chosen.key("product_id" if by_sku else "sku")
    place, quantity = chosen.key("location"), chosen.quantity()
    updated_at, active = chosen.stamp(), chosen.flag()
    if chosen.problems or match is None or quantity is None:
        raise ConfigurationError(chosen.problems)
    parts = [part for part in (match, other, place, quantity, updated_at, active) if part is not None]
    table = Table(found[0], MetaData(), *(part.column for part in parts), schema=found[1])
    # Not WHERE false: what is never looked at is never found to be a view that cannot be locked.
    trial = select(*table.columns).where(table.columns[0].is_(None)).with_for_update(key_share=True)
    return Layout(
        table=table,
        dialect=connection.dialect.name,
        match=match,
        place=place,
        other=other,
        other_nullable=other is not None and bool(reflected[other.column.name]["nullable"]),
        quantity=quantity,
        updated_at=updated_at,
        active=active,
        unique=_is_unique(inspector, found, {key.column.name for key in (match, place) if key is not None}, settings),
        lacking=(),
        notes=(),
        types=_types(reflected.values()),
        conditions=live_condition(connection, table, settings),
        lockable=connection.dialect.name != "sqlite" and not objection_to(connection, trial),
        yields=_yields(connection, found[0]),
    )


def _yields(connection: Connection, table: str) -> bool:
    if connection.dialect.name != "sqlite":
        return False
    made = connection.execute(
        text("SELECT sql FROM sqlite_master WHERE name = :table COLLATE NOCASE"), {"table": table}
    )
    return any(_ON_CONFLICT.search(sql or "") for sql in made.scalars())


def _letters(connection: Connection, found: tuple[str, str | None]) -> dict[str, CharacterSet]:
    if connection.dialect.name not in {"mysql", "mariadb"}:
        return {}
    wanted = text(
        "SELECT column_name, character_set_name, collation_name FROM information_schema.columns"
        " WHERE table_name = :name AND table_schema = COALESCE(:place, DATABASE()) AND collation_name IS NOT NULL"
    )
    rows = connection.execute(wanted, {"name": found[0], "place": found[1]})
    return {str(row[0]): CharacterSet(str(row[1]), str(row[2])) for row in rows}


def _is_unique(inspector: Inspector, found: tuple[str, str | None], keys: set[str], settings: TargetSettings) -> bool:
    sets: list[Sequence[str | None]] = [inspector.get_pk_constraint(*found)["constrained_columns"]]
    sets += [constraint["column_names"] for constraint in inspector.get_unique_constraints(*found)]
    for index in inspector.get_indexes(*found):
        if index["unique"] and partial_index_fits(index, settings.live):
            sets.append(index["column_names"])
    return any(columns and None not in columns and set(columns) <= keys for columns in sets)
