"""The one transaction of a state and a target that are one database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.errors import RowsRefused, TargetConflict
from stocksync.ports import BatchResult, Lease
from stocksync.sqlengine import writing
from stocksync.sqlfaults import Fault, fault_of, reason
from stocksync.state import ledger
from stocksync.state.leases import fenced
from stocksync.state.session import Session, translated
from stocksync.threads import off_loop


class JoinedTransaction:
    """The open transaction, as the port Transaction has it."""

    def __init__(self, connection: AsyncConnection, lease: Lease, now: datetime) -> None:
        """Take a transaction whose lease was checked at `now`."""
        self.connection = connection
        self._lease = lease
        self._now = now

    async def acknowledge(self, cycle_id: str, written: BatchResult) -> None:
        """Record what was written, to be committed with it."""
        given = await off_loop(len(written.applied), ledger.acknowledgement, self._lease, cycle_id, written)
        await ledger.acknowledge(self.connection, self._lease, given, self._now)


@asynccontextmanager
async def joined(session: Session, lease: Lease) -> AsyncIterator[JoinedTransaction]:
    """Open it, under a lease that is checked in it; it commits unless the block raises.

    Raises:
        TargetConflict: it gave way to another transaction, and may be repeated.
        RowsRefused: the target's own constraints refuse its rows at the commit.
        LeaseLost, StateUnavailable: nothing was written.

    """
    ended = False
    with translated():
        try:
            async with asyncio.timeout(session.patience), writing(session.engine) as connection:
                async with fenced(connection, lease) as fence:
                    yield JoinedTransaction(connection, lease, fence.now)
                ended = True
        except DBAPIError as error:
            if fault_of(error) is Fault.CONFLICT:
                raise TargetConflict(f"gave way to another transaction: {reason(error)}") from error
            # None of our own constraints waits for the COMMIT: what is found there is in the target's rows.
            if ended and not fault_of(error).passes:
                raise RowsRefused(reason(error)) from error
            raise
