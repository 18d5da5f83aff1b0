"""`/api/changes`: what was written, for those downstream, from a cursor on."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace

from aiohttp import web

from stocksync.core.health import Watched
from stocksync.core.model import whole_number
from stocksync.errors import ConfigurationError, CursorLost, StateError
from stocksync.ports import LedgerRow
from stocksync.web.access import answer, problem
from stocksync.web.query import refuse_unknown

ChangesAfter = Callable[[str, int, int], Awaitable[list[LedgerRow]]]
"""Called with (account, cursor, at most so many): as StateQueries.changes_after."""

_LOOK_SECONDS = 1.0
_MOST, _USUAL = 1000, 100
_LONGEST_WAIT = 30


@dataclass(frozen=True, slots=True)
class _Question:
    account: str
    after: int
    limit: int
    wait: int
    """Seconds to wait for a change where there is none yet."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Answers from the ledger alone: any process that reads the state may serve it."""

    read: ChangesAfter
    accounts: Callable[[], Mapping[str, Watched]]
    locations: Callable[[str], Awaitable[Mapping[int, str]]]
    """Qoyod's locations of an account, id to name; may raise StateError."""

    async def changes(self, request: web.Request) -> web.Response:
        """Give the applied changes behind a cursor, and the next cursor; wait for one where that is asked."""
        try:
            asked = _asked(request.query, self.accounts())
            rows = await self._rows(asked)
        except ConfigurationError as error:
            return problem(400, str(error))
        except CursorLost as error:
            return problem(410, str(error))
        except StateError as error:
            return problem(503, str(error))
        return answer({"account": asked.account, "changes": rows, "next": rows[-1].id if rows else asked.after})

    async def _rows(self, asked: _Question) -> list[LedgerRow]:
        loop = asyncio.get_running_loop()
        until = loop.time() + asked.wait
        rows = await self.read(asked.account, asked.after, asked.limit)
        while not rows and (left := until - loop.time()) > 0:
            await asyncio.sleep(min(_LOOK_SECONDS, left))
            rows = await self.read(asked.account, asked.after, asked.limit)
        watched = self.accounts().get(asked.account)
        if not rows or watched is None:
            return rows
        names = watched.places.names(await self.locations(asked.account))
        return [replace(row, location=names.get(row.change.place, "")) for row in rows]


def _asked(query: Mapping[str, str], accounts: Collection[str]) -> _Question:
    refuse_unknown(query, "account", "after", "limit", "wait")
    names = ", ".join(sorted(accounts))
    account = query.get("account") or (names if len(accounts) == 1 else "")
    if account not in accounts:
        raise ConfigurationError(f"account: each has a cursor of its own; there are {names} (got {account[:40]!r})")
    limit = _number(query, "limit", _USUAL)
    if not 1 <= limit <= _MOST:
        raise ConfigurationError(f"limit: 1 to {_MOST} (got {limit})")
    return _Question(account, _number(query, "after", 0), limit, min(_number(query, "wait", 0), _LONGEST_WAIT))


def _number(query: Mapping[str, str], name: str, usual: int) -> int:
    text = query.get(name) or str(usual)
    number = whole_number(text)
    if number is None:
        raise ConfigurationError(f"{name}: a whole number (got {text[:40]!r})")
    return number
