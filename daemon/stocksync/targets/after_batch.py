"""The user's own statement at the end of each batch, in its transaction: a notification, a row for an outbox."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Text, bindparam
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import TypeEngine

from stocksync.core.model import Cell, Change, TargetRow
from stocksync.errors import SEE_CHECK, ConfigurationError, TargetUnavailable
from stocksync.ports import BatchResult, Trial
from stocksync.sqlengine import rehearsing
from stocksync.sqlfaults import Fault, fault_of, reason
from stocksync.targets import dialects
from stocksync.targets.open_transaction import execute_within
from stocksync.targets.own_sql import clause_of, explaining, unknown_names
from stocksync.targets.rights import keeps_what_is_rolled_back
from stocksync.targets.settings import TargetSettings, rehearsed
from stocksync.targets.trials import AFTER_BATCH, Attempts

_KINDS: dict[str, TypeEngine[Any]] = {"account": Text(), "cycle_id": Text(), "applied": BigInteger()}
_AS_ANY_STATEMENT = {Fault.AWAY, Fault.BUSY, Fault.CONFLICT, Fault.READ_ONLY}
"""Faults that say nothing of the statement: they are judged as those of the batch itself."""
_REHEARSED_ROWS = 12
_REHEARSED_ID = "lookup-000000000000"
"""As long as the longest id of a cycle."""

ReadRows = Callable[[AsyncConnection, Sequence[Change]], Awaitable[Mapping[Cell, TargetRow]]]
"""Gives the rows of some changes as they stand in an open transaction."""


class AfterBatch:
    """Runs the statement where something was applied; what goes wrong in it is the target's, and never a row's."""

    def __init__(self, settings: TargetSettings, read: ReadRows) -> None:
        """Check the statement's bound names; `read` shows afterwards that it left our rows alone.

        Raises:
            ConfigurationError: it binds a name that is not offered.

        """
        self._settings, self._read = settings, read
        self._where = f"{settings.where}.after_batch"
        given = clause_of(settings.after_batch)
        if problems := unknown_names(self._where, given, tuple(_KINDS)):
            raise ConfigurationError(problems)
        self._bound = set(given.compile().params)
        self._clause = given.bindparams(*(bindparam(name, type_=_KINDS[name]) for name in self._bound))

    async def run(self, connection: AsyncConnection, cycle_id: str, written: BatchResult) -> None:
        """Run it at the end of a batch's transaction.

        Raises:
            TargetUnavailable: it fails, or it changes what the batch has written; the batch is to be rolled back.

        """
        if not self._settings.after_batch or not written.applied:
            return
        try:
            await self._execute(connection, cycle_id, len(written.applied))
        except (SQLAlchemyError, UnicodeError, OverflowError) as error:
            if isinstance(error, DBAPIError) and fault_of(error) in _AS_ANY_STATEMENT:
                raise
            words = f"the statement fails, so nothing of the batch is written: {reason(error)}"
            raise TargetUnavailable(f"{self._where}: {words}{SEE_CHECK}") from error
        again = BatchResult(applied=list(written.applied))
        again.read_back(await self._read(connection, written.applied))
        if (again.applied, again.altered) != (written.applied, written.altered):
            words = "the statement changes rows that the batch has written, so nothing of it is kept"
            raise TargetUnavailable(f"{self._where}: {words}{SEE_CHECK}")

    async def rehearse(self, engine: AsyncEngine, sample: Sequence[Change]) -> list[Trial]:
        """Run it in a transaction of its own that is rolled back, and give what was met."""
        if not self._settings.after_batch:
            return []
        async with rehearsing(engine) as connection:
            patience = rehearsed(self._settings.patience)
            await dialects.guard(connection, patience, patience.lock)
            attempts, changes = Attempts(connection, self._settings), sample[:_REHEARSED_ROWS]
            if await connection.run_sync(keeps_what_is_rolled_back):
                explained = explaining(self._clause, connection.dialect)
                await attempts.run(AFTER_BATCH, partial(connection.exec_driver_sql, explained))
                return attempts.found()
            changed: list[Trial] = []

            async def run_and_compare() -> None:
                before = await self._read(connection, changes)
                await self._execute(connection, _REHEARSED_ID, max(1, len(sample)))
                if await self._read(connection, changes) != before:
                    changed.append(Trial(f"{AFTER_BATCH} changes rows of ours", f"correct {self._where}"))

            await attempts.run(AFTER_BATCH, run_and_compare)
            return [*attempts.found(), *changed]

    async def _execute(self, connection: AsyncConnection, cycle_id: str, applied: int) -> None:
        every = {"account": self._settings.account, "cycle_id": cycle_id, "applied": applied}
        given = {name: every[name] for name in self._bound}
        (await execute_within(connection, self._where, self._clause, given)).close()
        # A constraint that waits for the COMMIT would be taken there for one of our rows.
        await dialects.check_now(connection)
