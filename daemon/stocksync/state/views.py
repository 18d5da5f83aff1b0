"""Views on the state for Metabase, dbt and the like: their columns are a promise, the tables behind them are none.

docs/sql-views.md says what each column means.
"""

from collections.abc import Iterator
from contextlib import nullcontext

import structlog
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

log = structlog.get_logger(__name__)

NAMES = ("stocksync_view_cells", "stocksync_view_changes", "stocksync_view_cycles")
_NUMBERS = {
    # What was taken out of sale or deleted is no number, and stands there as a word.
    "postgresql": "CASE WHEN {0} ~ '^-?[0-9]' THEN CAST({0} AS numeric) END",
    "mysql": "CASE WHEN {0} REGEXP '^-?[0-9]' THEN CAST({0} AS DECIMAL(38, 10)) END",
    "sqlite": "CASE WHEN {0} GLOB '[-0-9]*' THEN CAST({0} AS NUMERIC) END",
}
_INSTANTS = {
    "postgresql": "to_timestamp({0} / 1000000.0)",
    "mysql": "TIMESTAMPADD(MICROSECOND, {0}, '1970-01-01 00:00:00')",
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%fZ', {0} / 1000000.0, 'unixepoch')",
}


def create_views(connection: Connection) -> None:
    """Make the views of this version; a database that lets us make none goes without them, and the log says so."""
    family = connection.dialect.name.replace("mariadb", "mysql")
    for name, select in _definitions(family):
        try:
            # MariaDB commits at each CREATE, and a savepoint would be gone afterwards.
            with nullcontext() if family == "mysql" else connection.begin_nested():
                connection.execute(text(f"CREATE VIEW {name} AS {select}"))
        except DBAPIError as error:
            log.warning("view_not_made", view=name, reason=str(error.orig), hint="docs/sql-views.md")


def drop_views(connection: Connection) -> None:
    """Take the views away: a migration could not change a column that one of them shows."""
    there = set(inspect(connection).get_view_names())
    for name in NAMES:
        if name in there:
            connection.execute(text(f"DROP VIEW {name}"))


def _definitions(family: str) -> Iterator[tuple[str, str]]:
    def number(column: str) -> str:
        return _NUMBERS[family].format(column)

    def instant(column: str) -> str:
        return _INSTANTS[family].format(column)

    cells, changes, cycles = NAMES
    yield (
        cells,
        f"""
        SELECT c.account AS account, c.product_id AS product_id, c.sku AS sku, p.name AS product_name,
            c.place AS location, {number("c.acked")} AS quantity, c.acked AS written, c.intent AS pending,
            {instant("c.acked_at")} AS written_at, {instant("c.source_at")} AS changed_at,
            {instant("a.last_complete")} AS confirmed_at, {instant("c.unknown_since")} AS unknown_since,
            p.tracked AS tracked, {instant("p.gone_at")} AS deleted_at
        FROM stocksync_cells c
        JOIN stocksync_accounts a ON a.account = c.account
        LEFT JOIN stocksync_products p ON p.account = c.account AND p.product_id = c.product_id""",  # noqa: S608  all of it stands here,
    )
    yield (
        changes,
        f"""
        SELECT l.account AS account, l.id AS change_id, {instant("l.at")} AS changed_at, l.cycle_id AS cycle_id,
            l.product_id AS product_id, l.sku AS sku, l.place AS location, {number("l.before")} AS quantity_before,
            {number("COALESCE(l.read_back, l.after)")} AS quantity_after, l.after AS written, l.cause AS cause
        FROM stocksync_ledger l""",  # noqa: S608  as above,
    )
    yield (
        cycles,
        f"""
        SELECT y.account AS account, y.cycle_id AS cycle_id, {instant("y.started_at")} AS started_at,
            {instant("y.ended_at")} AS ended_at, (y.ended_at - y.started_at) / 1000000.0 AS seconds,
            y.verdict AS verdict, y.outcome AS outcome, y.complete AS complete, y.total AS products
        FROM stocksync_cycles y""",  # noqa: S608  as above,
    )
