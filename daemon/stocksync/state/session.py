"""Transactions of the state: retried on conflict, bounded in time, their errors put into our words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from functools import cache, lru_cache, partial
from typing import Any, TypeVar

from sqlalchemy import Column, Delete, Select, Table, Update, bindparam, literal_column, select, true, tuple_
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Row as ResultRow
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.dml import Insert

from stocksync.errors import StateError, StateUnavailable
from stocksync.frozen_sessions import CAN_FREEZE, end_frozen_sessions
from stocksync.retries import retried
from stocksync.sqlengine import by_statement, commits_each, reading, writing
from stocksync.sqlfaults import Fault, fault_of, reason
from stocksync.sqlrows import NOTHING, Rows, insert_rows, parameters, takes_arrays, unnested
from stocksync.state.lock_limits import limit_waiting
from stocksync.threads import to_its_end

T = TypeVar("T")
Row = dict[str, Any]
InTransaction = Callable[[AsyncConnection], Awaitable[T]]
Opening = Callable[[AsyncEngine], AbstractAsyncContextManager[AsyncConnection]]
Key = tuple[Any, ...]
Assigned = list[tuple[str, Any]]
Assign = Callable[[Any], Assigned]

PATIENCE_SECONDS = 60.0
CHUNK = 500
"""Keys in one IN list; times three columns that stays below SQLite's oldest limit of 1,999 and all others."""
_AT_ONCE = 5000
"""The same where keys go as one array: as many rows as the event loop can take in at once."""
_WAITED_IN_VAIN = {Fault.LOCKED, Fault.CANCELLED}


class Session:
    """The state's engine with its manners."""

    def __init__(self, engine: AsyncEngine, patience: float = PATIENCE_SECONDS, *, bounded: bool = False) -> None:
        """Take an engine; `patience` is the seconds after which a silent database counts as away.

        `bounded`: the server itself ends a statement that waits, or none does, so that none which was given up is done
        much later.
        """
        self.engine = engine
        self.patience = patience
        self._bounded = bounded

    async def read(self, work: InTransaction[T]) -> T:
        """Run `work`, which only reads."""
        return await self._run(by_statement if self.engine.dialect.name == "postgresql" else reading, work)

    async def write_one(self, work: InTransaction[T]) -> T:
        """Run `work`, a single statement that writes; it may run more than once."""
        alone = self._bounded and self.engine.dialect.name == "postgresql"
        return await (self._run(by_statement, _limited(work)) if alone else self.write(_limited(work)))

    async def write(self, work: InTransaction[T]) -> T:
        """Run `work` in a transaction that commits at its end; it may run more than once."""
        run = self._run(writing, work)
        # SQLite's driver begins in a thread: left alone there, it keeps the file's lock.
        return await (to_its_end(run) if self.engine.dialect.name == "sqlite" else run)

    async def _run(self, opening: Opening, work: InTransaction[T]) -> T:
        with translated():
            try:
                once = partial(self._once, opening, work)
                return await retried(once, _is_conflict, attempts=5, wait_initial=0.02, wait_max=0.5, wait_jitter=0.05)
            except DBAPIError as error:
                if fault_of(error) in _WAITED_IN_VAIN and self.engine.dialect.name in CAN_FREEZE:
                    # It waited, perhaps for a process that is frozen: make way for the next try. What goes wrong here
                    # costs that try alone, and must not hide what went wrong before.
                    with suppress(SQLAlchemyError, OSError, TimeoutError):
                        async with asyncio.timeout(self.patience), reading(self.engine) as connection:
                            await end_frozen_sessions(connection)
                raise

    async def _once(self, opening: Opening, work: InTransaction[T]) -> T:
        # A frozen server or a dead route answers nothing at all: no driver notices that by itself.
        async with asyncio.timeout(self.patience), opening(self.engine) as connection:
            return await work(connection)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a database raises into StateUnavailable or StateError, in one clear line."""
    try:
        yield
    except Exception as error:
        if fault_of(error).passes:
            raise StateUnavailable(f"the state database cannot be used now: {_words(error)}") from error
        if isinstance(error, SQLAlchemyError):
            raise StateError(f"the state database refused: {_words(error)}") from error
        raise


@lru_cache(maxsize=64)  # to describe it takes longer than to send it
def upsert(table: Table, dialect: str, assign: Assign) -> Insert:
    """Build `INSERT … ON CONFLICT UPDATE` for a list of dictionaries.

    `assign` gets the row that was to be inserted and gives ordered assignments: MariaDB lets a later one see the
    values of an earlier one, so a column is assigned after the last expression that reads its old value.
    """
    keys = [column.name for column in table.primary_key]
    if dialect == "sqlite":
        lite = sqlite.insert(table)
        return lite.on_conflict_do_update(index_elements=keys, set_=dict(assign(lite.excluded)))
    if dialect == "postgresql":
        post = postgresql.insert(table)
        return post.on_conflict_do_update(index_elements=keys, set_=dict(assign(post.excluded)))
    maria = mysql.insert(table)
    return maria.on_duplicate_key_update(assign(maria.inserted))


@cache
def replacing(table: Table, *chosen: str) -> Assign:
    """Give assignments that replace all but the key, or the chosen columns alone."""
    names = chosen or [column.name for column in table.columns if not column.primary_key]
    return lambda new: [(name, new[name]) for name in names]


async def upsert_rows(
    connection: AsyncConnection, table: Table, assign: Assign, rows: Rows, given: Mapping[str, Any] = NOTHING
) -> None:
    """Insert rows, or update those that are there. Without rows no statement is described: that takes a millisecond.

    `given` are values for parameters of the assignments.
    """
    if len(rows):
        await insert_rows(connection, upsert(table, connection.dialect.name, assign), rows, given)


async def execute_by_key(
    connection: AsyncConnection, statement: Update | Delete, columns: Sequence[Column[Any]], keys: Sequence[Key]
) -> None:
    """Execute a statement for each row whose `columns` are one of `keys`."""
    if connection.dialect.name in {"mysql", "mariadb"}:
        for chunk in chunks(keys):  # its driver would make a round trip of each key
            first = columns[0].in_(sorted({key[0] for key in chunk}))
            await connection.execute(statement.where(first, tuple_(*columns).in_(chunk)))
    elif keys:  # PostgreSQL plans a list of tuples as a scan of the table
        names = [f"key_{column.name}" for column in columns]
        equal = (column == bindparam(name, type_=column.type) for column, name in zip(columns, names, strict=True))
        await connection.execute(statement.where(*equal), [dict(zip(names, key, strict=True)) for key in keys])


async def execute_by_id(
    connection: AsyncConnection, statement: Update, column: Column[int], ids: Sequence[int], given: Mapping[str, Any]
) -> None:
    """Execute a statement, with `given` parameters, for each row whose `column` is one of `ids`, without arrays."""
    for chunk in chunks(ids):
        await connection.execute(statement.where(column.in_(chunk)), given)


async def select_by_id(
    connection: AsyncConnection, query: Select[Any], column: Column[int], ids: Sequence[int], given: Mapping[str, Any]
) -> AsyncIterator[Sequence[ResultRow[Any]]]:
    """Give the rows of `query`, with `given` parameters, whose `column` is one of `ids`, some thousands at a time."""
    if takes_arrays(connection):
        for chunk in chunks(ids, _AT_ONCE):
            values = {**parameters({"keys": chunk}), **given}
            yield (await connection.execute(_looked_up(query, column, at_most=None), values)).all()
        return
    for chunk in chunks(ids):
        yield (await connection.execute(query.where(column.in_(chunk)), given)).all()


async def select_each(
    connection: AsyncConnection, query: Select[Any], column: Column[Any], keys: Sequence[Any], at_most: int
) -> AsyncIterator[Sequence[ResultRow[Any]]]:
    """Give, for each key by itself, the first rows of `query` whose `column` is that, `at_most` so many."""
    if not takes_arrays(connection):
        for key in keys:
            yield (await connection.execute(query.where(column == key).limit(at_most))).all()
        return
    for chunk in chunks(keys, _AT_ONCE):
        yield (await connection.execute(_looked_up(query, column, at_most), parameters({"keys": chunk}))).all()


@lru_cache(maxsize=64)  # as above
def _looked_up(query: Select[Any], column: Column[Any], at_most: int | None) -> Select[Any]:
    named = unnested({"keys": column.type})
    # An OFFSET keeps the plan from reading the whole account to join it: each key is looked up by the index.
    limited = query.offset(literal_column("0")) if at_most is None else query.limit(at_most)
    each = limited.where(column == named.c["keys"]).lateral("found")
    return select(*each.c).select_from(named.join(each, true()))


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces that stay below every database's limit of bound parameters."""
    return (values[start : start + size] for start in range(0, len(values), size))


def _is_conflict(error: Exception) -> bool:
    # Two who insert the first row of an account at once: the second one finds it at its next try.
    return isinstance(error, IntegrityError) or fault_of(error) is Fault.CONFLICT


def _limited(work: InTransaction[T]) -> InTransaction[T]:
    """Bound how long `work` waits, and others for it, where it stands in a transaction that may be left open."""

    async def limited(connection: AsyncConnection) -> T:
        if not commits_each(connection):
            await limit_waiting(connection)
        return await work(connection)

    return limited


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return reason(error) or type(error).__name__
