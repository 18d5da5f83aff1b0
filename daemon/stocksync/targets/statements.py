"""A target that no mapping fits: the user's own SQL."""

import re
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import stamina
from sqlalchemy import BigInteger, Numeric, Text, TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import NullType, TypeEngine

from stocksync.core.model import Cell, Change, Removal, RowLocator, TargetRow
from stocksync.errors import ConfigurationError
from stocksync.ports import BatchResult, Capabilities, Fence, Trial
from stocksync.sqlengine import close_engine, reading, rehearsing, writing
from stocksync.targets import dialects
from stocksync.targets.codecs import lossless, number, truth
from stocksync.targets.faults import Conflict, patiently
from stocksync.targets.rehearsal import MADE_UP
from stocksync.targets.settings import Statements, TargetSettings
from stocksync.targets.trials import Attempts

_REHEARSED = 12
_CAST = re.compile(r"(?<![:\w\\]):(\w+)::")
"""PostgreSQL's own cast of a bound parameter, which SQLAlchemy takes for neither."""
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
        self._owned = owned
        self._texts = _parsed(statements, settings, engine.dialect.name)

    async def inspect(self) -> Capabilities:
        """Connect, and tell what the statements offer."""
        async with self._patiently(), reading(self._engine):
            pass
        binds = self._binds("write")
        return Capabilities(
            scale=None,
            summed="location" not in binds,
            by_sku="product_id" not in binds,
            creates=True,
            can_deactivate="deactivate" in self._texts,
            can_scan=False,
        )

    async def rehearse(self, sample: Sequence[Change]) -> list[Trial]:
        """Run each statement as a cycle does, in a transaction that is rolled back."""
        async with self._patiently(), rehearsing(self._engine) as connection:
            await dialects.guard(connection, self._settings.patience)
            return await self._rehearsed(connection, sample)

    async def _rehearsed(self, connection: AsyncConnection, sample: Sequence[Change]) -> list[Trial]:
        attempts = Attempts(connection, self._settings)
        if not await _all_roll_back(connection):
            await self._explained(connection, sample, attempts)
            return attempts.found()
        untouched = 0
        for change in sample[:_REHEARSED]:
            made_up = change.cause == MADE_UP
            written = BatchResult()
            await attempts.run(_statement_for(change), lambda: self._apply_to(connection, change, written), made_up=made_up)  # noqa: B023
            untouched += bool(written.skipped) and not made_up
            if "read" in self._texts:
                await attempts.run("read", lambda: self._read_one(connection, change.ref), made_up=made_up)  # noqa: B023
        if untouched:
            note = f"`write` changed no row for {untouched} of the products tried: no such rows, or a wrong condition"
            return [*attempts.found(), Trial(note, blocks=False)]
        return attempts.found()

    async def _explained(self, connection: AsyncConnection, sample: Sequence[Change], attempts: Attempts) -> None:
        """Only ask for the plan: some table of this database keeps what is rolled back."""
        for name, clause in self._texts.items():
            values = self._values(name, sample[0].ref, Decimal(0))
            explained = _typed(text(f"EXPLAIN {clause.text}"), connection.dialect.name)
            await attempts.run(name, lambda: connection.execute(explained, values))  # noqa: B023

    async def _apply_to(self, connection: AsyncConnection, change: Change, written: BatchResult) -> None:
        applied = await self._apply(connection, [change])
        written.skipped += applied.skipped

    async def _read_one(self, connection: AsyncConnection, ref: RowLocator) -> None:
        (await connection.execute(self._texts["read"], self._values("read", ref, None))).all()

    async def make(self) -> None:
        """Make nothing: own statements have a table of their own."""

    async def read(self, refs: Sequence[RowLocator]) -> dict[Cell, TargetRow]:
        """Ask for each cell by the `read` statement; without one nothing is known."""
        if "read" not in self._texts:
            return {}
        found = {}
        async with self._patiently() as go_on, reading(self._engine) as connection:
            for ref in refs:
                if rows := list(await connection.execute(self._texts["read"], self._values("read", ref, None))):
                    found[ref.cell] = _live(rows)
                go_on()
        return found

    async def scan(self, size: int) -> AsyncGenerator[list[tuple[str, str, TargetRow]], None]:
        """Refuse: own statements know single cells alone.

        Raises:
            ConfigurationError: always; `can_scan` says so beforehand.

        """
        raise ConfigurationError(f"{self._settings.where}.statements: own statements cannot walk {size} rows at a time")
        yield []  # pragma: no cover  makes this an asynchronous iterator, as the port asks

    async def write(self, changes: Sequence[Change], fence: Fence, transaction: Any = None) -> BatchResult:  # noqa: ANN401  opaque to the port
        """Write a batch in one transaction; a `write` that changes no row is a skipped change."""
        if not changes:
            return BatchResult()
        if transaction is not None:
            async with self._patiently():
                await fence()
                return await self._apply(transaction.connection, changes)
        attempts = stamina.retry_context(on=Conflict, attempts=3, timeout=None, wait_initial=0.02, wait_jitter=0.1)
        async for attempt in attempts:
            with attempt:
                return await self._once(changes, fence)
        raise AssertionError  # pragma: no cover  the last attempt returns or raises

    async def close(self) -> None:
        """Give the connections back, where they are ours alone."""
        if self._owned:
            await close_engine(self._engine)

    async def _once(self, changes: Sequence[Change], fence: Fence) -> BatchResult:
        patience = self._settings.patience
        async with self._patiently(), writing(self._engine) as connection:
            await dialects.guard(connection, patience)
            started = time.monotonic()
            await fence()
            written = await self._apply(connection, changes)
            if time.monotonic() - started > patience.pause.total_seconds() / 2:
                await fence()
            return written

    def _patiently(self) -> AbstractAsyncContextManager[Callable[[], None]]:
        return patiently(self._settings.where, self._settings.patience)

    async def _apply(self, connection: AsyncConnection, changes: Sequence[Change]) -> BatchResult:
        written = BatchResult()
        for change in sorted(changes):
            name = _statement_for(change)
            if name not in self._texts:
                written.ambiguous.append((change, f"no `{name}` statement is configured"))
                continue
            figure = change.after if isinstance(change.after, Decimal) else None
            result = await connection.execute(self._texts[name], self._values(name, change.ref, figure))
            nothing = not result.returns_rows and result.rowcount == 0
            (written.skipped if nothing and name == "write" else written.applied).append(change)
        return written

    def _binds(self, name: str) -> set[str]:
        return set(self._texts[name].compile().params)

    def _values(self, name: str, ref: RowLocator, figure: Decimal | None) -> dict[str, Any]:
        sqlite = self._engine.dialect.name == "sqlite"
        quantity = None if figure is None else lossless(figure) if sqlite else figure
        every = {"product_id": ref.product_id, "sku": ref.sku, "location": ref.place, "quantity": quantity}
        return {bound: every[bound] for bound in self._binds(name)}


def _parsed(statements: Statements, settings: TargetSettings, dialect: str) -> dict[str, TextClause]:
    given = {name: getattr(statements, name) for name in ("write", "read", "deactivate", "delete")}
    problems = [] if given["write"] else [f"{settings.where}.statements.write: it is needed"]
    texts = {name: text(_CAST.sub(r":\1\\:\\:", sql.strip().rstrip(";"))) for name, sql in given.items() if sql}
    for name, clause in texts.items():
        problems += _unknown(f"{settings.where}.statements.{name}", clause, quantity=name == "write")
    if problems:
        raise ConfigurationError(problems)
    return {name: _typed(clause, dialect) for name, clause in texts.items()}


def _unknown(where: str, clause: TextClause, *, quantity: bool) -> list[str]:
    offered = _NAMES if quantity else _NAMES[:-1]
    problems = []
    for bound in sorted(set(clause.compile().params) - set(offered)):
        close = get_close_matches(bound, offered, n=1)
        hint = f", did you mean :{close[0]}?" if close else ""
        problems.append(f"{where}: :{bound} is not bound{hint} (there is: {', '.join(f':{name}' for name in offered)})")
    return problems


def _typed(clause: TextClause, dialect: str) -> TextClause:
    """Name the types, so that PostgreSQL does not guess them from where a parameter stands."""
    kinds: dict[str, TypeEngine[Any]] = {"product_id": BigInteger(), "sku": Text(), "location": Text()}
    kinds["quantity"] = NullType() if dialect == "sqlite" else Numeric()
    bound = set(clause.compile().params)
    return clause.bindparams(*(bindparam(name, type_=kind) for name, kind in kinds.items() if name in bound))


def _statement_for(change: Change) -> str:
    if isinstance(change.after, Removal):
        return "delete" if change.after is Removal.DELETED else "deactivate"
    return "write"


def _live(rows: Sequence[Sequence[Any]]) -> TargetRow:
    first = rows[0]
    return TargetRow(number(first[0]), truth(first[1]) if len(first) > 1 else None, len(rows))


async def _all_roll_back(connection: AsyncConnection) -> bool:
    if connection.dialect.name not in {"mysql", "mariadb"}:
        return True
    kept = text(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()"
        " AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'"
    )
    return not (await connection.execute(kept)).scalar_one()
