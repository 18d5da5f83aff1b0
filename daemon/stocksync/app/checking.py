"""`check`: every part tried for real, one finding after the other."""

from collections.abc import AsyncIterator, Awaitable, Callable

from stocksync.app.wiring import open_runtime
from stocksync.config import Config
from stocksync.core.answers import CheckResult
from stocksync.core.model import Verdict, show
from stocksync.errors import ConfigurationError, SchemaBehind, StocksyncError, Unauthorized
from stocksync.observe.event_log import EventLog
from stocksync.ports import StateQueries
from stocksync.run.account import Account

_TODO_CREDENTIAL = "make a key in Qoyod (Settings, API), then export it or write it where auth says"
_TODO_STATE = "check state.url, and that the server runs"
_TODO_SOURCE = "mend what the message names, then check again"
_TODO_TARGET = "check target.url, and that the server runs and lets us in"


async def check(config: Config) -> AsyncIterator[CheckResult]:
    """Try configuration, state, and each account's credential, locations, list and target; no stock is written."""
    yield CheckResult("configuration", well=True, what=f"{len(config.accounts)} account(s), no problem")
    try:
        async with open_runtime(config, EventLog()) as house:
            yield CheckResult("state", well=True, what=f"{house.state.engine.dialect.name}, schema at head")
            for account in house.accounts.values():
                async for finding in _account(account, house.state):
                    yield finding
    except SchemaBehind as error:
        yield CheckResult("state", well=False, what=str(error), todo="stocksync migrate")
    except StocksyncError as error:
        yield CheckResult("state", well=False, what=str(error), todo=_TODO_STATE)


async def _account(account: Account, state: StateQueries) -> AsyncIterator[CheckResult]:
    probe = await _try(f"{account.name}: credential", lambda: _locations(account), _TODO_SOURCE)
    yield probe
    if probe.well:
        yield await _try(f"{account.name}: products", lambda: _products(account), _TODO_SOURCE)
    yield await _try(f"{account.name}: target", lambda: _target(account, state), _TODO_TARGET)


async def _try(part: str, attempt: Callable[[], Awaitable[str]], todo: str) -> CheckResult:
    try:
        return CheckResult(part, well=True, what=await attempt())
    except StocksyncError as error:
        return CheckResult(part, well=False, what=str(error), todo=_TODO_CREDENTIAL if _refused(error) else todo)


def _refused(error: StocksyncError) -> bool:
    return isinstance(error, Unauthorized)


async def _locations(account: Account) -> str:
    found = await account.source.locations()
    named = ", ".join(f"{location} {name}".strip() for location, name in sorted(found.items()))
    mapped = account.rules.places.map
    strange = sorted(mapped.keys() - found.keys())
    if strange:
        known = named or "none"
        raise ConfigurationError(f"locations.map names {strange}, which this tenant does not have; it has {known}")
    return f"accepted; locations: {named}"


async def _products(account: Account) -> str:
    page = await account.source.first_page()
    if page.verdict is Verdict.EMPTY:
        return "Qoyod answers that it found nothing: an empty catalogue, or a filter that fits no product"
    bad = f", {len(page.bad_rows)} of them unreadable: {page.bad_rows[0].reason}" if page.bad_rows else ""
    total = "an unknown number of" if page.total is None else page.total
    return f"{total} products, {len(page.products) + len(page.bad_rows)} on the first page{bad}"


async def _target(account: Account, state: StateQueries) -> str:
    shape = await account.shape()
    column = {None: "any number", 0: "whole numbers"}.get(shape.scale, f"{shape.scale} decimals")
    facts = [f"found; quantities keep {column}", "rows are matched by " + ("SKU" if shape.by_sku else "product id")]
    if account.shared:
        facts.append("one transaction with the state")
    return "; ".join([*facts, *shape.notes, *await _altered(account, state)])


async def _altered(account: Account, state: StateQueries) -> list[str]:
    """Name what the target makes another figure of."""
    (status,) = await state.status([account.name])
    if not status.altered:
        return []
    ref, cell = (await state.altered(account.name, 1))[0]
    where = f"{ref.sku or ref.product_id} @ {ref.place}" if ref.place else ref.sku or str(ref.product_id)
    example = f"{where}: {show(cell.sent)} was written, the target made {show(cell.acked)} of it"
    return [f"altered_by_target: a trigger or the column's type alters {status.altered} figure(s), such as {example}"]
