"""The one fenced transaction in which a batch is written and read back: the target's own, or the state's."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import ClauseElement
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from stocksync.core.model import Change
from stocksync.errors import RowsRefused
from stocksync.ports import BatchResult, Fence
from stocksync.retries import until_no_conflict
from stocksync.sqlengine import reading, writing
from stocksync.targets import dialects
from stocksync.targets.blockers import naming_blockers
from stocksync.targets.faults import Objection, is_of_rows, patiently
from stocksync.targets.settings import TargetSettings


@asynccontextmanager
async def fenced(
    settings: TargetSettings,
    engine: AsyncEngine,
    fence: Fence,
    joins: Any,  # noqa: ANN401  the state's transaction, opaque to the port
    *,
    patient: bool,
) -> AsyncIterator[AsyncConnection]:
    """Open the transaction and ask the fence; it commits at its end, unless it joins the state's.

    Raises:
        RowsRefused, RowsLocked, TargetConflict, TargetUnavailable: as the port says.

    """
    if joins is None:
        async with _own(settings, engine, fence, patient=patient) as connection:
            yield connection
        return
    patience = settings.patience
    async with patiently(settings.where, patience):
        await fence()
        async with (
            dialects.lock_limit(joins.connection, patience.lock if patient else patience.brief) as session,
            naming_blockers(engine, settings.where, session if patient else None),
        ):
            yield joins.connection


async def written(
    settings: TargetSettings,
    engine: AsyncEngine,
    changes: Sequence[Change],
    write: Callable[[], Awaitable[BatchResult]],
    statements: Callable[[], Sequence[ClauseElement]],
    *,
    joins: bool,
) -> BatchResult:
    """Write a batch; what joins no other transaction is repeated where it gave way, three times at most.

    Several rows that the database refuses are told from a target that does: `statements` explain a batch without
    touching a row.

    Raises:
        RowsRefused, RowsLocked, TargetConflict, TargetUnavailable: as the port says.

    """
    try:
        return await (write() if joins else until_no_conflict(write))
    except Objection as objection:
        if len(changes) == 1:  # `attempt` has judged it already
            raise
        # Within the state's transaction no second connection may be opened: there they are halved until one is alone.
        if not joins:
            async with patiently(settings.where, settings.patience), reading(engine) as connection:
                if not await is_of_rows(objection, connection, settings.where, statements()):
                    raise
        raise RowsRefused(objection.words) from objection


@asynccontextmanager
async def _own(
    settings: TargetSettings, engine: AsyncEngine, fence: Fence, *, patient: bool
) -> AsyncIterator[AsyncConnection]:
    patience = settings.patience
    ended = False
    try:
        async with patiently(settings.where, patience), writing(engine) as connection:
            session = await dialects.guard(connection, patience, patience.lock if patient else patience.brief)
            started = time.monotonic()
            await fence()
            async with naming_blockers(engine, settings.where, session if patient else None):
                yield connection
            if time.monotonic() - started > patience.pause.total_seconds() / 2:
                await fence()
            ended = True
    except Objection as objection:
        if ended:
            raise RowsRefused(objection.words) from objection  # at the COMMIT it is the rows' and no statement's
        raise
