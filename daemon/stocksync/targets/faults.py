"""What goes wrong in a target's database, in our own words."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import InvalidOperation
from typing import Any

from sqlalchemy import ClauseElement
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.errors import SEE_CHECK, ConfigurationError, RowsRefused, TargetUnavailable
from stocksync.sqlengine import Fault, fault_of, reading, reason
from stocksync.targets.settings import Timeouts


class Conflict(TargetUnavailable):
    """A deadlock or a serialization failure: the same transaction may work at once."""


class Taken(RowsRefused):
    """A unique index refused a row: perhaps somebody inserted it a moment ago."""


class Objection(TargetUnavailable):
    """Rights, syntax, what the database cannot do: of some rows or of all, which only a trial can tell."""

    def __init__(self, message: str, words: str, code: object) -> None:
        """Take the database's own words and code too."""
        super().__init__(message)
        self.words = words
        self.code = code


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


def code_of(error: BaseException) -> object:
    """Give MySQL's number or PostgreSQL's SQLSTATE; None from SQLite."""
    original: Any = error.orig if isinstance(error, DBAPIError) else error
    arguments = getattr(original, "args", ())
    if arguments and isinstance(arguments[0], int):
        return arguments[0]
    return getattr(original, "sqlstate", None)


async def is_of_rows(
    objection: Objection, engine: AsyncEngine, where: str, statements: Iterable[ClauseElement]
) -> bool:
    """Tell rows that the database refuses from a target that does: explained with no row at all, a statement passes."""
    for statement in statements:
        compiled = statement.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
        try:
            with translated(where):
                async with reading(engine) as connection:
                    (await connection.exec_driver_sql(f"EXPLAIN {compiled}")).close()
        except Objection as again:
            if again.code != objection.code and again.code in _SYNTAX:
                return True  # a CALL, which cannot be explained
        except RowsRefused:
            return True
        else:
            return True
    return False


def _ours(error: Exception, where: str) -> Exception:
    words = reason(error) or "our patience is at its end"
    if isinstance(error, UnicodeError | OverflowError | InvalidOperation):
        return RowsRefused(words)
    match fault_of(error):
        case Fault.CONFLICT:
            return Conflict(f"{where}: gave way to another transaction: {words}")
        case Fault.DATA | Fault.CANCELLED:
            return (Taken if _is_taken(error) else RowsRefused)(words)
        case Fault.REFUSED:
            return Objection(f"{where}: the database refuses: {words}{SEE_CHECK}", words, code_of(error))
        case Fault.MISSING:
            return ConfigurationError(f"{where}: {words}; has the table been changed?{SEE_CHECK}")
        case fault:
            return TargetUnavailable(f"{where}: {_SAYS[fault]}: {words}")


_SAYS = {
    Fault.AWAY: "the database does not answer",
    Fault.BUSY: "another program holds the database",
    Fault.LOCKED: "another transaction holds a row or the table",
    Fault.READ_ONLY: "the server takes no writes at present",
}
_SYNTAX = {"42601", 1064}
_TAKEN = {"23505", 1062}


def _is_taken(error: Exception) -> bool:
    return code_of(error) in _TAKEN or "UNIQUE constraint failed" in str(error)
