"""The ledger for those downstream: applied changes as they come, and stock at an instant."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import structlog

from stocksync.app.wiring import accounts_of, names_of_places
from stocksync.config import AccountConfig, Config
from stocksync.errors import BeyondLedger, ConfigurationError, StateUnavailable
from stocksync.ports import LedgerRow, Level
from stocksync.state.database import Database, open_state, open_to_ask

log = structlog.get_logger(__name__)

_AT_ONCE = 500
_LOOK_SECONDS, _AWAY_SECONDS = 1.0, 5.0


async def changes(config: Config, account: str | None, after: int, *, follow: bool) -> AsyncIterator[LedgerRow]:
    """Give an account's applied changes behind a cursor, oldest first; with `follow` also those that are still to come.

    A reader that keeps the `id` of the last row it has dealt with sees each change at least once, in commit order.

    Raises:
        CursorLost: the ledger does not keep that row any more.
        ConfigurationError: no account is named and there are several.

    """
    one, *others = chosen = accounts_of(config, account)
    if others:
        names = ", ".join(each.name for each in chosen)
        raise ConfigurationError(f"--account: each account has a cursor of its own, so name one of {names}")
    opening = open_state if follow else open_to_ask  # what is still to come stands in a file
    state = await opening(config.state.dsn(), config.state.keep_ledger)
    try:
        while True:
            rows = await _next(state, one, after, follow=follow)
            for row in rows:
                yield row
                after = row.id
            if len(rows) < _AT_ONCE:
                if not follow:
                    return
                await asyncio.sleep(_LOOK_SECONDS)
    finally:
        await state.close()


async def levels(config: Config, account: str | None, at: datetime | None) -> list[tuple[Level, str]]:
    """Give what stood in the targets at an instant (None: now), each with its location's name.

    Raises:
        BeyondLedger: of one of them nobody knows; the message names each such account.

    """
    chosen = accounts_of(config, account)
    state = await open_to_ask(config.state.dsn(), config.state.keep_ledger)
    found: list[tuple[Level, str]] = []
    refused: list[str] = []
    try:
        for one in chosen:
            names = await names_of_places(state, one)
            try:
                found += [(level, names.get(level.place, "")) for level in await state.levels_at(one.name, at)]
            except BeyondLedger as error:
                refused.append(str(error))
    finally:
        await state.close()
    if refused:
        # A sheet without one of the accounts would pass for all stock there is.
        others = "\nthe other accounts are known: name one with --account" if len(refused) < len(chosen) else ""
        raise BeyondLedger("\n".join(refused) + others)
    return found


async def _next(state: Database, one: AccountConfig, after: int, *, follow: bool) -> list[LedgerRow]:
    while True:
        try:
            rows = await state.changes_after(one.name, after, _AT_ONCE)
            names = await names_of_places(state, one) if rows else {}
            return [replace(row, location=names.get(row.change.place, "")) for row in rows]
        except StateUnavailable as error:
            if not follow:
                raise
            log.warning("state_unavailable", error=str(error), again_every_seconds=_AWAY_SECONDS)
            await asyncio.sleep(_AWAY_SECONDS)
