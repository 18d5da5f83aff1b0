"""What goes wrong in a target's database, in our own words."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import InvalidOperation
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from stocksync.errors import SEE_CHECK, ConfigurationError, RowsRefused, TargetUnavailable
from stocksync.sqlengine import Fault, fault_of, reason
from stocksync.targets.settings import Timeouts


class Conflict(TargetUnavailable):
    """A deadlock or a serialization failure: the same transaction may work at once."""


class Taken(RowsRefused):
    """A unique index refused a row: perhaps somebody inserted it a moment ago."""


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise ours for what a database or a driver raises; `where` names the account's target."""
    try:
        yield
    except (SQLAlchemyError, OSError, UnicodeError, OverflowError, InvalidOperation) as error:
        raise _ours(error, where) from error
    except Exception as error:
        # Drivers let some of their own errors through while they connect (asyncpg: a wrong password).
        if type(error).__module__.partition(".")[0] in {"asyncpg", "asyncmy", "sqlite3"}:
            raise _ours(error, where) from error
        raise


@asynccontextmanager
async def patiently(where: str, patience: Timeouts) -> AsyncIterator[Callable[[], None]]:
    """Raise ours also for what lasts too long; what is given begins the time anew, for the next step."""
    loop, seconds = asyncio.get_running_loop(), patience.total.total_seconds()
    with translated(where):
        async with asyncio.timeout(seconds) as limit:
            yield lambda: limit.reschedule(loop.time() + seconds)


def _ours(error: Exception, where: str) -> Exception:
    if isinstance(error, UnicodeError | OverflowError | InvalidOperation):
        return RowsRefused(reason(error))
    fault = fault_of(error)
    if fault is Fault.CONFLICT:
        return Conflict(f"{where}: gave way to another transaction: {reason(error)}")
    if fault is Fault.DATA:
        return (Taken if _is_taken(error) else RowsRefused)(reason(error))
    if fault is Fault.AWAY:
        words = reason(error) or "our patience is at its end"
        return TargetUnavailable(f"{where}: the database does not answer: {words}")
    if _is_missing(error):
        return ConfigurationError(f"{where}: {reason(error)}; has the table been changed?{SEE_CHECK}")
    return TargetUnavailable(f"{where}: the database refuses: {reason(error)}{SEE_CHECK}")


def _code(error: Exception) -> object:
    """Give MySQL's number or PostgreSQL's SQLSTATE; None from SQLite."""
    original: Any = error.orig if isinstance(error, DBAPIError) else error
    arguments = getattr(original, "args", ())
    if arguments and isinstance(arguments[0], int):
        return arguments[0]
    return getattr(original, "sqlstate", None)


_TAKEN = {"23505", 1062}
_MISSING = {"42P01", "42703", "3F000", 1146, 1054, 1049}


def _is_taken(error: Exception) -> bool:
    return _code(error) in _TAKEN or "UNIQUE constraint failed" in str(error)


def _is_missing(error: Exception) -> bool:
    words = str(error)
    return _code(error) in _MISSING or "no such table" in words or "no such column" in words
