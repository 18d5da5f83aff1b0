"""Which rights we lack, found out without writing: EXPLAIN asks for the same ones as the statement itself."""

from typing import Any

from sqlalchemy import Connection, Select, Table, UpdateBase, false, insert, select, update
from sqlalchemy.exc import DBAPIError

from stocksync.sqlengine import Fault, fault_of, reason


def missing_rights(connection: Connection, table: Table, *, inserts: bool) -> list[str]:
    """Say in one line each what the user may not do; SQLite knows no rights."""
    if connection.dialect.name == "sqlite":
        return []
    nothing = select(*table.columns).where(false())
    trials: dict[str, UpdateBase | Select[Any]] = {
        "SELECT": nothing,
        "UPDATE": update(table).where(false()).values({column: column for column in table.columns}),
    }
    if inserts:
        trials["INSERT"] = insert(table).from_select(list(table.columns), nothing)
    return [note for right, statement in trials.items() if (note := _try(connection, right, statement, table))]


def _try(connection: Connection, right: str, statement: UpdateBase | Select[Any], table: Table) -> str:
    compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"EXPLAIN {compiled}").close()
    except DBAPIError as error:
        if fault_of(error).passes:
            raise
        if fault_of(error) is Fault.DATA:
            return ""  # MariaDB misses a value for a column that has no default: the reflection notes that
        return f"{table.fullname}: {right} would be refused: {reason(error)}"
    return ""
