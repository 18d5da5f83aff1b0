"""A statement of the user's own must leave our transaction open: what it commits, no fence and no rollback reaches."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import CursorResult, TextClause
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.errors import ConfigurationError
from stocksync.targets.faults import code_of

_COMMITS_NOTHING = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:insert|update|delete|replace|select|with|do)\b", re.IGNORECASE | re.DOTALL
)
"""Nor may functions and triggers commit: https://mariadb.com/kb/en/stored-function-limitations/."""
_NO_SAVEPOINT = 1305
_MARK = "stocksync_open"


async def execute_within(
    connection: AsyncConnection, where: str, clause: TextClause, values: Mapping[str, Any]
) -> CursorResult[Any]:
    """Execute a statement of the user's; `where` is its key in the configuration.

    Raises:
        ConfigurationError: it has ended the transaction, and so committed what stands in it.

    """
    # PostgreSQL lets no procedure do so within a transaction block, and SQLite has none.
    if connection.dialect.name not in {"mysql", "mariadb"} or _COMMITS_NOTHING.match(clause.text):
        return await connection.execute(clause, values)
    await connection.exec_driver_sql(f"SAVEPOINT {_MARK}")
    result = await connection.execute(clause, values)
    try:
        await connection.exec_driver_sql(f"RELEASE SAVEPOINT {_MARK}")
    except DBAPIError as error:
        if code_of(error) != _NO_SAVEPOINT:
            raise
        await connection.rollback()
        words = "the statement commits by itself (a procedure with COMMIT or DDL in it?); what it has written stands"
        cure = "take the COMMIT out: stocksync commits each batch, once it has made sure that it may"
        raise ConfigurationError(f"{where}: {words}; {cure}") from error
    return result
