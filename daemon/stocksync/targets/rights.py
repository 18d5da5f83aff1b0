"""Which rights we lack, found out without writing: EXPLAIN asks for the same ones as the statement itself.

For tables on which nothing can be rolled back; elsewhere a rehearsal tries the statements themselves.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ClauseElement, Connection, Select, UpdateBase, false, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from stocksync.ports import Trial
from stocksync.sqlfaults import Fault, fault_of, reason
from stocksync.targets.layout import Layout
from stocksync.targets.settings import Missing, TargetSettings


def keeps_what_is_rolled_back(connection: Connection) -> bool:
    """Whether any table of this server has no transactions, as MySQL allows."""
    if connection.dialect.name not in {"mysql", "mariadb"}:
        return False
    kept = text(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND engine <> 'InnoDB'"
        " AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"
    )
    return bool(connection.execute(kept).scalar_one())


def missing_rights(connection: Connection, layout: Layout, settings: TargetSettings) -> list[Trial]:
    """Say in one line each what the user may not do."""
    table = layout.table
    nothing = select(*layout.columns).where(false())
    keys = {key.column.name for key in layout.keys}
    written = {column: column for column in layout.columns if column.name not in keys}
    trials: dict[str, UpdateBase | Select[Any]] = {
        "SELECT": nothing,
        "UPDATE": update(table).where(false()).values(written),
    }
    if settings.missing is Missing.INSERT:
        trials["INSERT"] = insert(table).from_select(layout.columns, nothing)
    refused = {right: words for right, statement in trials.items() if (words := objection_to(connection, statement))}
    user = connection.engine.url.username
    found = [
        Trial(f"{right} would fail: {words}", f"GRANT {right} ON {settings.table} TO {user}")
        for right, words in refused.items()
    ]
    if settings.missing is Missing.INSERT and layout.lacking:
        found.append(
            Trial(f"INSERT would fail: {', '.join(layout.lacking)} must be given", give_a_value(layout.lacking))
        )
    return found


def give_a_value(columns: Sequence[str]) -> str:
    """Say what to do about columns that a new row must give and that no field is mapped to."""
    named = ", ".join(columns) or "such columns"
    return f'give {named} a default, or set missing = "skip": then only rows that are there are updated'


def objection_to(connection: Connection, statement: ClauseElement) -> str:
    """Give the database's words where it refuses a statement whatever the rows; "" where it does not.

    SQLite is not asked: it knows no rights, and 3.40 crashes on an EXPLAIN it kept from before the table was altered.
    """
    if connection.dialect.name == "sqlite":
        return ""
    compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"EXPLAIN {compiled}").close()
    except DBAPIError as error:
        if fault_of(error).passes:
            raise
        # MariaDB misses a value for a column that has no default: the caller knows those columns.
        return "" if fault_of(error) is Fault.DATA else reason(error)
    return ""
