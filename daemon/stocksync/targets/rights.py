"""Which rights we lack, found out without writing: EXPLAIN asks for the same ones as the statement itself.

For tables on which nothing can be rolled back; elsewhere a rehearsal tries the statements themselves.
"""

from typing import Any

from sqlalchemy import Connection, Select, UpdateBase, false, insert, select, update
from sqlalchemy.exc import DBAPIError

from stocksync.ports import Trial
from stocksync.sqlengine import Fault, fault_of, reason
from stocksync.targets.layout import Layout
from stocksync.targets.settings import Missing, TargetSettings


def missing_rights(connection: Connection, layout: Layout, settings: TargetSettings) -> list[Trial]:
    """Say in one line each what the user may not do."""
    table = layout.table
    nothing = select(*table.columns).where(false())
    keys = {key.column.name for key in layout.keys}
    written = {column: column for column in table.columns if column.name not in keys}
    trials: dict[str, UpdateBase | Select[Any]] = {
        "SELECT": nothing,
        "UPDATE": update(table).where(false()).values(written),
    }
    if settings.missing is Missing.INSERT:
        trials["INSERT"] = insert(table).from_select(list(table.columns), nothing)
    refused = {right: words for right, statement in trials.items() if (words := _try(connection, statement))}
    user = connection.engine.url.username
    return [
        Trial(f"{right} would fail: {words}", f"GRANT {right} ON {settings.table} TO {user}")
        for right, words in refused.items()
    ]


def _try(connection: Connection, statement: UpdateBase | Select[Any]) -> str:
    compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"EXPLAIN {compiled}").close()
    except DBAPIError as error:
        if fault_of(error) in {Fault.AWAY, Fault.CONFLICT}:
            raise
        # MariaDB misses a value for a column that has no default: the caller knows those columns.
        return "" if fault_of(error) is Fault.DATA else reason(error)
    return ""
