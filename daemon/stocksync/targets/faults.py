"""What goes wrong in a target's database, in our own words."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import InvalidOperation
from typing import Any

from sqlalchemy import ClauseElement
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction

from stocksync.errors import (
    SEE_CHECK,
    ConfigurationError,
    RowsLocked,
    RowsRefused,
    TargetConflict,
    TargetError,
    TargetUnavailable,
)
from stocksync.sqlfaults import Fault, fault_of, reason
from stocksync.targets.settings import Timeouts


class Taken(RowsRefused):
    """A unique index refused a row: perhaps somebody inserted it a moment ago."""


class TransactionGone(RowsRefused):
    """A row was refused and the whole transaction with it, as by SQLite's RAISE(ROLLBACK): nothing may follow in it."""


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


@asynccontextmanager
async def attempt(connection: AsyncConnection, where: str, statements: Iterable[ClauseElement]) -> AsyncIterator[None]:
    """Undo within the open transaction what the database refuses, so that something else can be tried in it.

    `statements` are those that the attempt makes, with no row in them: they tell rows that the database refuses from a
    target that does.

    Raises:
        RowsRefused: the rows are refused; the transaction goes on as if they had not been tried.
        TransactionGone: the same, but it cannot go on.
        Objection: the target itself is: the transaction goes on likewise.

    """
    trial = await connection.begin_nested()
    try:
        with translated(where):
            yield
    except RowsRefused as refused:
        await _undo(trial, refused)
        raise
    except Objection as objection:
        await _undo(trial, objection)
        if await is_of_rows(objection, connection, where, statements):
            raise RowsRefused(objection.words) from objection
        raise
    else:
        await trial.commit()


async def _undo(trial: AsyncTransaction, refusal: TargetError) -> None:
    try:
        await trial.rollback()
    except DBAPIError as error:
        raise TransactionGone(str(refusal)) from error


@asynccontextmanager
async def attempt_to_read(
    connection: AsyncConnection, where: str, statements: Iterable[ClauseElement]
) -> AsyncIterator[None]:
    """Tell rows that the database refuses to show from a target that shows none, as `attempt` does."""
    if connection.dialect.name == "sqlite":
        # It has no rights that could be asked for, and goes on after an error as if nothing had been asked.
        with translated(where):
            yield
        return
    async with attempt(connection, where, statements):
        yield


def code_of(error: BaseException) -> object:
    """Give MySQL's number or PostgreSQL's SQLSTATE; None from SQLite."""
    original: Any = error.orig if isinstance(error, DBAPIError) else error
    arguments = getattr(original, "args", ())
    if arguments and isinstance(arguments[0], int):
        return arguments[0]
    return getattr(original, "sqlstate", None)


async def is_of_rows(
    objection: Objection, connection: AsyncConnection, where: str, statements: Iterable[ClauseElement]
) -> bool:
    """Tell rows that the database refuses from a target that does: explained with no row at all, a statement passes."""
    for statement in statements:
        compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        try:
            with translated(where):
                async with connection.begin_nested():
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
            ours: Exception = TargetConflict(f"{where}: gave way to another transaction: {words}")
        case Fault.LOCKED:
            ours = RowsLocked(f"another transaction holds the row or the table: {words}")
        case Fault.DATA | Fault.CANCELLED:
            taken = code_of(error) in _TAKEN or "UNIQUE constraint failed" in str(error)
            ours = (Taken if taken else RowsRefused)(words)
        case Fault.REFUSED:
            ours = Objection(f"{where}: the database refuses: {words}{SEE_CHECK}", words, code_of(error))
        case Fault.MISSING:
            ours = ConfigurationError(f"{where}: {words}; has the table been changed?{SEE_CHECK}")
        case fault:
            ours = TargetUnavailable(f"{where}: {_SAYS[fault]}: {words}")
    return ours


_SAYS = {
    Fault.AWAY: "the database does not answer",
    Fault.BUSY: "another program holds the database",
    Fault.READ_ONLY: "the server takes no writes at present",
}
_SYNTAX = {"42601", 1064}
_TAKEN = {"23505", 1062}
