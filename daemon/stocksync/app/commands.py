"""What each command does, once: values in, values out; the command line prints them."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NoReturn

import structlog

from stocksync.app.daemon_client import ask_daemon
from stocksync.app.wiring import Runtime, accounts_of, open_runtime, watch
from stocksync.config import Config
from stocksync.core.answers import Explanation, Health, Preview, StockAnswer
from stocksync.core.drift import AuditReport
from stocksync.core.guards import Guard
from stocksync.core.held_plan import Decision, HeldPlan, headline
from stocksync.core.report import CycleReport
from stocksync.errors import NotFound, StateInUse
from stocksync.observe.bus import Bus
from stocksync.observe.event_log import EventLog
from stocksync.ports import AccountStatus, LedgerRow, Progress, Publish
from stocksync.run.account import Account
from stocksync.run.audit import audit
from stocksync.run.cycle import Cycle, preview
from stocksync.run.explain import explain as explain_account
from stocksync.run.leases import lead
from stocksync.run.lookup import Query, look_up
from stocksync.state.database import Database, open_state
from stocksync.state.migrate import migrate as migrate_state
from stocksync.state.migrate import schema_problem

log = structlog.get_logger(__name__)

AccountProgress = Callable[[str, int, int], None]
"""Called with (account, pages done, pages in all)."""


async def once(
    config: Config, account: str | None, progress: AccountProgress | None, *, full: bool = False
) -> list[CycleReport]:
    """Run one cycle now, account by account; `full` compares every row with the live target.

    Raises:
        StateInUse: a daemon is the writer.

    """
    async with open_runtime(config, _to_the_log()) as house:
        house.state.lock()
        return [await _one_cycle(house, one, progress, full=full) for one in house.chosen(account)]


async def _one_cycle(house: Runtime, account: Account, progress: AccountProgress | None, *, full: bool) -> CycleReport:
    async with lead(account, house.owner) as lease:
        return await Cycle(account, lease, _for(account, progress), full=full).run()


async def plan(
    config: Config,
    account: str | None,
    progress: AccountProgress | None,
    *,
    full: bool = False,
    store: bool = False,
) -> list[Preview]:
    """Read everything and show what would be written; with `store` keep what would wait for a person, under its id."""
    async with open_runtime(config, _to_the_log()) as house:
        previews = [await preview(one, _for(one, progress), full=full) for one in house.chosen(account)]
        return [await _stored(house, one) if store else _without_id(one) for one in previews]


async def _stored(house: Runtime, one: Preview) -> Preview:
    return one if one.held is None else replace(one, held=await house.state.offer(one.held))


def _without_id(one: Preview) -> Preview:
    return one if one.held is None else replace(one, held=replace(one.held, plan_id=""))


def _for(account: Account, progress: AccountProgress | None) -> Progress | None:
    return None if progress is None else lambda done, total: progress(account.name, done, total)


async def status(
    config: Config, account: str | None = None, now: datetime | None = None
) -> list[tuple[AccountStatus, Health]]:
    """Tell how each account stands, from the state alone; sentences give times in the zone of `now`."""
    chosen = accounts_of(config, account)
    state = await _state(config)
    try:
        found = await state.status([one.name for one in chosen])
    finally:
        await state.close()
    at = now or datetime.now(UTC)
    judges = list(map(watch, chosen))
    return [(judge.named(one), judge.health(one, at)) for one, judge in zip(found, judges, strict=True)]


async def stock(config: Config, account: str | None, sku: str | None, product_id: int | None) -> list[StockAnswer]:
    """Look one product up in Qoyod, in every account or in one; a changed figure is pushed at once."""
    answers: list[StockAnswer] = []
    async with open_runtime(config, _to_the_log()) as house:
        for one in house.chosen(account):
            try:
                answers.append(await _stock(house, one, Query(sku, product_id)))
            except NotFound:
                continue
    return answers


async def _stock(house: Runtime, account: Account, query: Query) -> StockAnswer:
    try:
        house.state.lock()
        async with lead(account, house.owner) as lease:
            return await look_up(account, house.state, query, lease)
    except StateInUse:
        answer = await ask_daemon(house.config, account.name, query)
        return answer or await look_up(account, house.state, query, None)


async def explain(config: Config, account: str | None, sku: str) -> list[Explanation]:
    """Tell how each number of a product came about.

    Raises:
        NotFound: no account's snapshot knows this SKU.

    """
    found: list[Explanation] = []
    async with open_runtime(config, _to_the_log()) as house:
        for one in house.chosen(account):
            with contextlib.suppress(NotFound):
                found += await explain_account(one, house.state, sku)
    return found or _unknown(sku)


async def history(config: Config, account: str | None, sku: str, limit: int) -> list[LedgerRow]:
    """Give the applied changes of a product, newest first.

    Raises:
        NotFound: no account's snapshot knows this SKU.

    """
    state = await _state(config)
    try:
        judges = {one.name: watch(one) for one in accounts_of(config, account)}
        ids = [(name, product_id) for name in judges for product_id in await state.products_with(name, sku)]
        if not ids:
            _unknown(sku)
        rows: list[LedgerRow] = []
        for name, product_id in ids:
            places = judges[name].places.names((await state.snapshot(name, [])).locations)
            found = await state.history(name, product_id, limit)
            rows += [replace(row, location=places.get(row.change.place, "")) for row in found]
    finally:
        await state.close()
    return sorted(rows, key=lambda row: row.at, reverse=True)[:limit]


def _unknown(sku: str) -> NoReturn:
    raise NotFound(f"no account's snapshot knows SKU {sku!r}; ask Qoyod itself: stocksync stock {sku}")


async def drift(config: Config, account: str | None, heal: bool) -> list[AuditReport]:  # noqa: FBT001
    """Audit now; with `heal` put edited and missing cells back.

    Raises:
        StateInUse: `heal` is asked for, and a daemon is the writer.

    """
    async with open_runtime(config, _to_the_log()) as house:
        if heal:
            house.state.lock()
        return [await _audit(house, one, heal=heal) for one in house.chosen(account)]


async def _audit(house: Runtime, account: Account, *, heal: bool) -> AuditReport:
    if not heal:
        return await audit(account, house.state, None)
    async with lead(account, house.owner) as lease:
        return await audit(account, house.state, lease, heal=True)


async def retry(config: Config, account: str | None, sku: str | None) -> dict[str, int]:
    """Let the next poll try again what waits in quarantine; give the number of rows by account."""
    state = await _state(config)
    found: dict[str, int] = {}
    try:
        for one in accounts_of(config, account):
            ids = None if sku is None else await state.products_with(one.name, sku)
            found[one.name] = await state.retry(one.name, ids)
    finally:
        await state.close()
    return found


async def held(config: Config, account: str | None) -> list[HeldPlan]:
    """List the plans that wait for a person."""
    state = await _state(config)
    try:
        return await state.held(account)
    finally:
        await state.close()


async def decide(config: Config, shown: HeldPlan, decision: Decision, by: str, guard: Guard | None = None) -> HeldPlan:
    """Record a person's decision on a plan, or on a guard's part of it, as it was shown; the next cycle acts on it.

    Raises:
        NotFound: no plan of this id is held (any more).
        PlanChanged: its figures are no longer those that were shown.

    """
    state = await _state(config)
    try:
        decided = await state.decide(shown.plan_id, decision is Decision.APPROVED, by, shown.fingerprint, guard)
    finally:
        await state.close()
    event = f"plan_{decision}"
    log.info(event, account=decided.account, plan=decided.plan_id, by=by, effect=headline(decided))
    return decided


async def decisions(config: Config, account: str | None, sku: str) -> list[HeldPlan]:
    """Give the decisions on held plans that touched a product, newest first."""
    state = await _state(config)
    try:
        names = [one.name for one in accounts_of(config, account)]
        ids = [(name, product_id) for name in names for product_id in await state.products_with(name, sku)]
        return [plan for name, product_id in ids for plan in await state.decisions(name, product_id)]
    finally:
        await state.close()


async def migrate(config: Config) -> str:
    """Bring the state database to head; say in one sentence what was done."""
    url = config.state.dsn()
    problem = await schema_problem(url)
    if problem is None:
        return "the state database is at head already"
    await migrate_state(url)
    return "the state database is at head now"


def _to_the_log() -> Publish:
    return Bus(EventLog().hear).publish


async def _state(config: Config) -> Database:
    return await open_state(config.state.dsn(), config.state.keep_ledger)
