"""A target that no mapping fits: the user's own SQL."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from sqlalchemy import BigInteger, Numeric, Text, TextClause, bindparam
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import NullType, TypeEngine

from stocksync.core.model import Cell, Change, RowLocator, TargetRow
from stocksync.errors import ConfigurationError
from stocksync.ports import BatchResult, Capabilities, Fence, Trial
from stocksync.sqlengine import close_engine, rehearsing
from stocksync.targets import dialects
from stocksync.targets.after_batch import AfterBatch
from stocksync.targets.bisected import BisectedReads
from stocksync.targets.faults import attempt, attempt_to_read, patiently
from stocksync.targets.own_sql import clause_of, unknown_names
from stocksync.targets.settings import Statements, TargetSettings, rehearsed
from stocksync.targets.statement_batch import StatementBatch, statement_for
from stocksync.targets.statement_rehearsal import rehearse_statements
from stocksync.targets.transaction import fenced, written

_NAMES = ("product_id", "sku", "location", "quantity")


class StatementsTarget:
    """Writes each figure by the user's statement; see the port for what each call promises."""

    def __init__(self, settings: TargetSettings, statements: Statements, engine: AsyncEngine, *, owned: bool) -> None:
        """Check the statements' bound names; nothing is connected yet.

        Raises:
            ConfigurationError: a statement is missing or binds a name that is not offered.

        """
        self._settings = settings
        self._engine = engine
        self._reads = BisectedReads()
        self._owned = owned
        given = {name: getattr(statements, name) for name in ("write", "read", "deactivate", "delete")}
        problems = [] if given["write"] else [f"{settings.where}.statements.write: it is needed"]
        texts = {name: clause_of(sql) for name, sql in given.items() if sql}
        for name, clause in texts.items():
            offered = _NAMES if name == "write" else _NAMES[:-1]
            problems += unknown_names(f"{settings.where}.statements.{name}", clause, offered)
        if problems:
            raise ConfigurationError(problems)
        # Types are named, so that PostgreSQL does not guess them from where a parameter stands.
        kinds: dict[str, TypeEngine[Any]] = {"product_id": BigInteger(), "sku": Text(), "location": Text()}
        kinds["quantity"] = NullType() if engine.dialect.name == "sqlite" else Numeric()
        self._texts = {
            name: clause.bindparams(*(bindparam(bound, type_=kinds[bound]) for bound in clause.compile().params))
            for name, clause in texts.items()
        }
        self._after_batch = AfterBatch(settings, self._live)

    async def inspect(self) -> Capabilities:
        """Connect, and tell what the statements offer."""
        async with self._patiently(), dialects.reading_within(self._engine, self._settings.patience.lock):
            pass
        binds = self._binds("write")
        return Capabilities(
            scale=None,
            summed="location" not in binds,
            by_sku="product_id" not in binds,
            creates=True,
            can_deactivate="deactivate" in self._texts,
            can_scan=False,
            layout=self._texts["write"].text,
            loose="product_id" not in binds,
        )

    async def stale(self) -> bool | None:
        """Ask nothing: own statements have no columns of ours."""
        return None

    async def rehearse(self, sample: Sequence[Change]) -> list[Trial]:
        """Run each statement as a cycle does, in a transaction that is rolled back."""
        async with self._patiently(), rehearsing(self._engine) as connection:
            patience = rehearsed(self._settings.patience)
            await dialects.guard(connection, patience, patience.lock)
            trials = await rehearse_statements(connection, self._settings, self._texts, sample)
        async with self._patiently():
            return trials + await self._after_batch.rehearse(self._engine, sample)

    async def make(self) -> None:
        """Make nothing: own statements have a table of their own."""

    async def read(self, refs: Sequence[RowLocator]) -> dict[Cell, TargetRow]:
        """Ask for each cell by the `read` statement; without one nothing is known."""
        return await self._reads.rows(refs, self._read) if "read" in self._texts else {}

    async def _read(self, refs: Sequence[RowLocator]) -> dict[Cell, TargetRow]:
        found = {}
        async with (
            self._patiently() as go_on,
            dialects.reading_within(self._engine, self._settings.patience.lock) as connection,
            attempt_to_read(connection, self._settings.where, [self._with_nothing("read")]),
        ):
            batch = StatementBatch(connection, self._settings.where, self._texts)
            for ref in refs:
                if (live := await batch.read_one(ref)) is not None:
                    found[ref.cell] = live
                go_on()
        return found

    async def is_empty(self) -> bool:
        """Tell nothing: the user's statements ask for rows by name."""
        return False

    async def scan(self, size: int) -> AsyncGenerator[list[tuple[str, str, TargetRow]], None]:
        """Refuse: own statements know single cells alone.

        Raises:
            ConfigurationError: always; `can_scan` says so beforehand.

        """
        raise ConfigurationError(f"{self._settings.where}.statements: own statements cannot walk {size} rows at a time")
        yield []  # pragma: no cover  makes this an asynchronous iterator, as the port asks

    async def write(
        self,
        changes: Sequence[Change],
        fence: Fence,
        transaction: Any = None,  # noqa: ANN401  opaque to the port
        *,
        patient: bool = True,
        cycle_id: str = "",
    ) -> BatchResult:
        """Write a batch in one transaction; a `write` that finds no row is a skipped change."""
        if not changes:
            return BatchResult()
        used = {statement_for(change) for change in changes} & self._texts.keys()
        explained = [self._with_nothing(name) for name in sorted(used)]

        async def write() -> BatchResult:
            async with fenced(self._settings, self._engine, fence, transaction, patient=patient) as connection:
                async with attempt(connection, self._settings.where, explained) if len(changes) == 1 else nullcontext():
                    result = await StatementBatch(connection, self._settings.where, self._texts).write(changes)
                await self._after_batch.run(connection, cycle_id, result)
                return result

        joins = transaction is not None
        return await written(self._settings, self._engine, changes, write, lambda: explained, joins=joins)

    async def retry_columns(
        self,
        left_out: Sequence[tuple[Change, str]],  # noqa: ARG002
        fence: Fence,  # noqa: ARG002
        transaction: Any = None,  # noqa: ANN401, ARG002  as above
    ) -> dict[Cell, str]:
        """Do nothing: an own statement leaves nothing out."""
        return {}

    async def _live(self, connection: AsyncConnection, changes: Sequence[Change]) -> dict[Cell, TargetRow]:
        if "read" not in self._texts:
            return {}
        batch = StatementBatch(connection, self._settings.where, self._texts)
        found = {change.cell: await batch.read_one(change.ref) for change in changes}
        return {cell: row for cell, row in found.items() if row is not None}

    def _with_nothing(self, name: str) -> TextClause:
        return self._texts[name].bindparams(**dict.fromkeys(self._binds(name)))

    async def close(self) -> None:
        """Give the connections back, where they are ours alone."""
        if self._owned:
            await close_engine(self._engine)

    def _patiently(self) -> AbstractAsyncContextManager[Callable[[], None]]:
        return patiently(self._settings.where, self._settings.patience)

    def _binds(self, name: str) -> set[str]:
        return set(self._texts[name].compile().params)
