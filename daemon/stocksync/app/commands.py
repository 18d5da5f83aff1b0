"""What each command does, once: values in, values out; the command line prints them."""

import contextlib
import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import structlog

from stocksync.app.daemon_client import ask_daemon, ask_daemon_for_many
from stocksync.app.suggestions import hint_for_sku, nobody_knows
from stocksync.app.wiring import Runtime, accounts_of, names_of_places, open_runtime, watch
from stocksync.config import Config
from stocksync.core.answers import Explanation, Health, Preview, StockAnswer, StockAnswers
from stocksync.core.drift import AuditReport
from stocksync.core.guards import Guard
from stocksync.core.health import losses
from stocksync.core.held_plan import Decision, HeldPlan, headline
from stocksync.core.report import CycleReport, Outcome
from stocksync.errors import NotFound, StateInUse, Unanswered
from stocksync.observe.bus import Bus
from stocksync.observe.event_log import EventLog
from stocksync.ports import AccountStatus, Lease, LedgerRow, Progress, Publish
from stocksync.run.account import Account
from stocksync.run.audit import audit
from stocksync.run.cycle import Cycle, preview
from stocksync.run.explain import explain as explain_account
from stocksync.run.leases import lead
from stocksync.run.lookup import Query, look_up, look_up_many
from stocksync.state.database import Database, open_to_ask
from stocksync.state.migrate import migrate as migrate_state
from stocksync.state.migrate import schema_problem

T = TypeVar("T")
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
    reports: list[CycleReport] = []
    async with open_runtime(config, _to_the_log()) as runtime:
        runtime.state.lock()
        for one in runtime.chosen(account):
            async with lead(one, runtime.owner) as lease:
                report = await Cycle(one, lease, _for(one, progress), full=full).run()
            # A cycle is not well after which most of what was managed is unknown, as health says.
            if report.outcome in {Outcome.DONE, Outcome.HELD} and not report.unwell:
                (status,) = await runtime.state.status([report.account])
                if lost := losses(status):
                    report.unwell, report.refusal = True, lost[0][1]
            reports.append(report)
    return reports


async def plan(
    config: Config,
    account: str | None,
    progress: AccountProgress | None,
    *,
    full: bool = False,
    store: bool = False,
) -> list[Preview]:
    """Read everything and show what would be written; with `store` keep what would wait for a person, under its id."""
    async with open_runtime(config, _to_the_log()) as runtime:
        previews = [await preview(one, _for(one, progress), full=full) for one in runtime.chosen(account)]
        for number, one in enumerate(previews):
            if one.held is None:
                continue
            if store:
                stored = await runtime.state.offer(one.held)
                previews[number] = replace(one, held=stored and stored.located(one.places))
            else:  # an id is shown only of what is stored
                previews[number] = replace(one, held=replace(one.held, plan_id=""))
        return previews


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
    stands: list[tuple[AccountStatus, Health]] = []
    for judge, one in zip(judges, found, strict=True):
        named = judge.named(one)
        held_too = [plan.located(named.places) for plan in named.held_too]
        named = replace(named, held=named.held and named.held.located(named.places), held_too=held_too)
        stands.append((named, judge.health(named, at)))
    return stands


async def stock(config: Config, account: str | None, sku: str | None, product_id: int | None) -> list[StockAnswer]:
    """Look one product up in Qoyod, in every account or in one; a changed figure is pushed at once.

    Raises:
        NotFound: no account's Qoyod knows it; the message names what was probably meant.
        Unanswered: none that could be asked knows it.

    """
    answers: list[StockAnswer] = []
    silence: Unanswered | None = None
    query = Query(sku, product_id)
    async with open_runtime(config, _to_the_log()) as runtime:
        chosen = runtime.chosen(account)
        for one in chosen:
            try:
                look = partial(look_up, one, runtime.state, query)
                answers.append(await _led(runtime, one, look, partial(ask_daemon, runtime.config, one.name, query)))
            except Unanswered as error:
                silence = silence or error
            except NotFound:
                continue
        if not answers:
            raise silence or await nobody_knows(runtime.state, [one.name for one in chosen], query, fresh=True)
    return answers


async def stock_of_many(config: Config, account: str | None, skus: Sequence[str]) -> list[StockAnswers]:
    """Look several products up in Qoyod, such as the lines of an order; what changed is pushed at once."""
    async with open_runtime(config, _to_the_log()) as runtime:
        return [
            await _led(
                runtime,
                one,
                partial(look_up_many, one, runtime.state, skus),
                partial(ask_daemon_for_many, runtime.config, one.name, skus),
            )
            for one in runtime.chosen(account)
        ]


async def _led(
    runtime: Runtime,
    account: Account,
    look: Callable[[Lease | None], Awaitable[T]],
    ask: Callable[[], Awaitable[T | None]],
) -> T:
    """Look up as the writer, or have the daemon that is the writer do it; without either nothing is pushed."""
    try:
        runtime.state.lock()
        async with lead(account, runtime.owner) as lease:
            return await look(lease)
    except StateInUse:
        return await ask() or await look(None)


async def explain(config: Config, account: str | None, sku: str) -> list[Explanation]:
    """Tell how each number of a product came about.

    Raises:
        NotFound: no account's snapshot knows this SKU.

    """
    found: list[Explanation] = []
    async with open_runtime(config, _to_the_log()) as runtime:
        chosen = runtime.chosen(account)
        for one in chosen:
            with contextlib.suppress(NotFound):
                found += await explain_account(one, runtime.state, sku)
        if not found:
            raise await _unknown(runtime.state, config, [one.name for one in chosen], sku)
    return found


async def history(config: Config, account: str | None, sku: str, limit: int) -> list[LedgerRow]:
    """Give the applied changes of a product, newest first.

    Raises:
        NotFound: no account's snapshot knows this SKU.

    """
    state = await _state(config)
    try:
        accounts = {one.name: one for one in accounts_of(config, account)}
        ids = [(name, product_id) for name in accounts for product_id in await state.products_with(name, sku)]
        if not ids:
            raise await _unknown(state, config, list(accounts), sku)
        rows: list[LedgerRow] = []
        for name, product_id in ids:
            places = await names_of_places(state, accounts[name])
            found = await state.history(name, product_id, limit)
            rows += [replace(row, location=places.get(row.change.place, "")) for row in found]
    finally:
        await state.close()
    return sorted(rows, key=lambda row: row.at, reverse=True)[:limit]


async def _unknown(state: Database, config: Config, names: Sequence[str], sku: str) -> NotFound:
    """Give the error for a SKU that none of these accounts' snapshots knows."""
    sentence = f"no account's snapshot knows SKU {sku!r}"
    others = [one.name for one in config.accounts if one.name not in names]
    knowing = [name for name in others if await state.products_with(name, sku)]
    if knowing:
        return NotFound(f"{names[0]}'s snapshot does not know SKU {sku!r}; {' and '.join(knowing)} knows it")
    hint = await hint_for_sku(state, names, sku)
    return NotFound(f"{sentence}; {hint or f'ask Qoyod itself: stocksync stock {shlex.quote(sku)}'}")


async def drift(config: Config, account: str | None, heal: bool) -> list[AuditReport]:  # noqa: FBT001
    """Audit now; with `heal` put edited and missing cells back.

    Raises:
        StateInUse: `heal` is asked for, and a daemon is the writer.

    """
    async with open_runtime(config, _to_the_log()) as runtime:
        if heal:
            runtime.state.lock()
        reports: list[AuditReport] = []
        for one in runtime.chosen(account):
            async with lead(one, runtime.owner) if heal else contextlib.nullcontext() as lease:
                reports.append(await audit(one, runtime.state, lease, heal=heal))
        return reports


async def retry(config: Config, account: str | None, sku: str | None) -> dict[str, int]:
    """Let the next poll try again what waits in quarantine; give the number of rows by account.

    Raises:
        NotFound: nothing of this SKU is set aside, or no account's snapshot knows it.

    """
    state = await _state(config)
    names = [one.name for one in accounts_of(config, account)]
    try:
        if sku is None:
            return {name: await state.retry(name) for name in names}
        ids = {name: await state.products_with(name, sku) for name in names}
        if not any(ids.values()):
            raise await _unknown(state, config, names, sku)
        found = {name: await state.retry(name, theirs) for name, theirs in ids.items()}
    finally:
        await state.close()
    if not any(found.values()):
        raise NotFound(f"nothing of {sku!r} is set aside; `stocksync status` shows what is")
    return found


async def held(config: Config, account: str | None) -> list[HeldPlan]:
    """List the plans that wait for a person, and those that are decided and not done."""
    state = await _state(config)
    try:
        return [await _located(state, config, plan) for plan in await state.held(account)]
    finally:
        await state.close()


async def _located(state: Database, config: Config, plan: HeldPlan) -> HeldPlan:
    one = config.account(plan.account)
    return plan if one is None else plan.located(await names_of_places(state, one))


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
        found = [plan for name, product_id in ids for plan in await state.decisions(name, product_id)]
        return [await _located(state, config, plan) for plan in found]
    finally:
        await state.close()


async def migrate(config: Config, *, dry_run: bool = False) -> tuple[bool, str]:
    """Bring the state database to head; tell whether it was behind, and in one sentence what was done.

    Raises:
        SchemaNewer: a newer version has made it.

    """
    url = config.state.dsn()
    problem = await schema_problem(url)
    if problem is None:
        return False, "the state database is at head already"
    if dry_run:
        return True, f"{problem}; nothing was done"
    await migrate_state(url)
    return True, "the state database is at head now"


def _to_the_log() -> Publish:
    return Bus(EventLog().hear).publish


async def _state(config: Config) -> Database:
    return await open_to_ask(config.state.dsn(), config.state.keep_ledger)
