"""Asking the daemon that is the writer: it alone may push what it finds."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import aiohttp
import structlog

from stocksync.config import Config, HttpConfig
from stocksync.core.answers import LocationStock, StockAnswer, StockAnswers
from stocksync.core.model import figure_of
from stocksync.errors import NotFound
from stocksync.run.lookup import Query

log = structlog.get_logger(__name__)

_SOON = aiohttp.ClientTimeout(total=5)
_PATIENCE = aiohttp.ClientTimeout(total=125, sock_connect=2)
"""A little longer than a daemon takes to answer at all."""
_NOT_FOUND = 404
_OK = 200


async def ask_daemon(config: Config, account: str, query: Query) -> StockAnswer | None:
    """Ask the daemon at `http.listen` for a fresh figure; None where none answers there.

    Raises:
        NotFound: it says that Qoyod knows no such product.

    """
    return await ask_at(url_here(*config.http.address), config, account, query)


async def ask_at(root: str, config: Config, account: str, query: Query) -> StockAnswer | None:
    """As `ask_daemon`, of the daemon at an address, which knows the same token."""
    asked = {"sku": query.sku} if query.sku is not None else {"id": str(query.product_id)}
    told = await _refreshed(root, config, params={"account": account, **asked})
    if told == _NOT_FOUND:
        raise NotFound(f"Qoyod knows no product with {query}")
    return _answer(told) if isinstance(told, dict) else None


async def ask_many_at(root: str, config: Config, account: str, skus: Sequence[str]) -> StockAnswers | None:
    """As `ask_at`, for several products."""
    told = await _refreshed(root, config, json={"account": account, "skus": list(skus)})
    if not isinstance(told, dict):
        return None
    return StockAnswers(told["account"], list(map(_answer, told["stock"])), told["not_found"], told["unanswered"])


async def ask_daemon_for_many(config: Config, account: str, skus: Sequence[str]) -> StockAnswers | None:
    """As `ask_daemon`, for several products."""
    return await ask_many_at(url_here(*config.http.address), config, account, skus)


async def _refreshed(root: str, config: Config, **asked: Any) -> dict[str, Any] | int:  # noqa: ANN401  aiohttp's own
    """Have a daemon ask Qoyod; give what it tells, or its status, 0 where none answers."""
    headers = {"Authorization": f"Bearer {config.http.token.read()}"} if config.http.token else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=_PATIENCE, headers=headers) as session,
            session.post(f"{root}/api/refresh", allow_redirects=False, **asked) as response,
        ):
            told = await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        told, status = None, 0
    else:
        status = response.status
    if status != _OK:
        log.info("writer_not_reached", address=root, status=status)
    return told if status == _OK and isinstance(told, dict) else status


async def ask_whether_it_turns(http: HttpConfig) -> tuple[bool, str]:
    """Ask the daemon on this machine whether its event loop turns; give that, and what a person is told."""
    root = url_here(*http.address)
    if not http.address[1]:
        return False, f"http.listen is {http.listen}: with port 0 nobody knows where to ask; name a port"
    try:
        async with (
            aiohttp.ClientSession(timeout=_SOON) as session,
            session.get(f"{root}/livez", allow_redirects=False) as response,
        ):
            told = await response.json()
            if response.status == _OK and told["well"]:
                return True, f"stocksync at {root} is alive" + (": it waits" if "waiting" in told else "")
            return False, f"stocksync at {root}: {told['error']}"
    except TimeoutError:
        return False, f"nothing answers at {root} within {_SOON.total:g} s: its event loop does not turn"
    except aiohttp.ClientConnectionError as error:
        why = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
        return False, f"no daemon at {root} ({why}); does `stocksync run` listen there?"
    except (aiohttp.ClientError, ValueError, KeyError, TypeError):
        return False, f"what answers at {root} is not stocksync"


def url_of(host: str, port: int) -> str:
    """Give the address of a daemon that listens on a host, an IPv6 one in brackets."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def url_here(host: str, port: int) -> str:
    """As `url_of`, as it is reached from the machine that it listens on."""
    return url_of({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)  # noqa: S104  compared, not bound


def _answer(data: Mapping[str, Any]) -> StockAnswer:
    places = [
        LocationStock(
            place=one["place"],
            locations={int(location): name for location, name in one["locations"].items()},
            source=_number(one["source"]),
            desired=figure_of(one["desired"]),
            snapshot=figure_of(one["snapshot"]),
            target=_number(one["target"]),
            sent=figure_of(one.get("sent")),
            in_target=one["in_target"],
            confirmed_at=_instant(one["confirmed_at"]),
            changed_at=_instant(one["changed_at"]),
            remark=one["remark"],
        )
        for one in data["places"]
    ]
    return StockAnswer(
        data["account"], data["product_id"], data["sku"], data["name"], data["tracked"], data["fresh"],
        at=_instant(data["at"]), places=places,
        pushed=data["pushed"], note=data["note"],
        confirmed_at=_instant(data["confirmed_at"]), changed_at=_instant(data["changed_at"]),
    )  # fmt: skip


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
