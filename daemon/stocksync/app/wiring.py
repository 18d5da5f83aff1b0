"""The composition root: from a configuration to accounts that can run."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import aiohttp
from pydantic import BaseModel
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.app.garbage import GoneAccounts, look_seldom
from stocksync.app.given_back import give_back_memory
from stocksync.config import AccountConfig, Config
from stocksync.config.conditions import condition_of
from stocksync.config.tenancy import fingerprint_of, same_table, sync_groups
from stocksync.core.allowance import Allowance
from stocksync.core.desired_state import Rules
from stocksync.core.guards import Limits
from stocksync.core.health import Watched
from stocksync.core.policy import LocationMap, Policy
from stocksync.dsn import parse, same_database
from stocksync.errors import ConfigurationError
from stocksync.observe import heartbeat
from stocksync.ports import Publish, Source, Target
from stocksync.qoyod.budget import Budget
from stocksync.qoyod.client import QoyodSource, open_session
from stocksync.qoyod.credentials import Credential, KeyCredential, OAuthCredential
from stocksync.qoyod.settings import Filter, SourceSettings
from stocksync.qoyod.transport import post_over
from stocksync.run.account import Account, Settings
from stocksync.run.lookup_share import LookupShare
from stocksync.run.turns import Turns
from stocksync.sqlengine import close_engine, open_engine
from stocksync.state.database import Database, open_state
from stocksync.targets import Columns, MatchBy, Missing, Statements, TargetSettings, open_target

_FEW = 10
"""Of more accounts than these no statement to a target is kept in the form in which it is sent.

With a table each, none would be used twice before it is put out; and each that is put out is a thousand values in
circles, which have stayed long enough to be looked for hardly ever.
"""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Give the wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds that only ever grow."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class Tries:
    """How long and how often one request to Qoyod is tried, where somebody waits for the answer."""

    seconds: float
    attempts: int


@dataclass(slots=True)
class Runtime:
    """Everything that one process works with."""

    config: Config
    state: Database
    accounts: dict[str, Account]
    owner: str
    """How this process signs leases."""
    _builder: "Builder"
    _gone: GoneAccounts = field(default_factory=lambda: GoneAccounts(kept=True))

    async def rewire(self, config: Config) -> list[Account]:
        """Follow another configuration: what it leaves as it was stays the same object; state and HTTP are not touched.

        Raises:
            ConfigurationError: it cannot be followed, and nothing has changed.

        """
        before, self.accounts = self.accounts, await self._builder.accounts(config)
        self.config = config
        self._gone.add(sum(self.accounts.get(name) is not account for name, account in before.items()))
        return list(self.accounts.values())

    async def tidy(self) -> None:
        """Close what no account uses any more."""
        await self._builder.close_unused()
        self._gone.tidy()

    def chosen(self, name: str | None) -> list[Account]:
        """Give one account, or all.

        Raises:
            ConfigurationError: no account bears this name.

        """
        return [self.accounts[one.name] for one in accounts_of(self.config, name)]


def accounts_of(config: Config, name: str | None) -> list[AccountConfig]:
    """Choose the account of this name, or all where there is none.

    Raises:
        ConfigurationError: no account bears this name.

    """
    chosen = [account for account in config.accounts if name in {None, account.name}]
    if not chosen:
        known = ", ".join(account.name for account in config.accounts)
        raise ConfigurationError(f"--account: there is no account {name!r}; there are: {known}")
    return chosen


async def names_of_places(state: Database, one: AccountConfig) -> Mapping[str, str]:
    """Give the names that people know an account's location values by."""
    return watch(one).places.names(await state.locations(one.name))


def without_target(one: AccountConfig) -> AccountConfig:
    """Give the account with an empty database in memory for its target: for who only asks Qoyod."""
    nowhere = one.target.model_copy(update={"url": "sqlite://", "url_env": "", "url_file": "", "statements": None})
    return one.model_copy(update={"target": nowhere})


def watch(one: AccountConfig, tenant: str = "") -> Watched:
    """Give what listeners must know of an account."""
    guards = one.guards
    return Watched(
        one.name, one.poll.interval, one.poll.deadline, one.drift.interval, guards.quarantined, guards.minimum_cells,
        _rules(one).places, one.poll.requests_per_minute, tenant or one.name, one.title,
    )  # fmt: skip


@asynccontextmanager
async def open_runtime(
    config: Config, publish: Publish, state: Database | None = None, *, tries: Tries | None = None
) -> AsyncIterator[Runtime]:
    """Open state, session, sources and targets; close them all at the end. `tries` bounds each request to Qoyod.

    Raises:
        ConfigurationError, SchemaBehind, StateUnavailable: what is there cannot be worked with.

    """
    async with AsyncExitStack() as stack:
        if state is None:
            state = await open_state(config.state.dsn(), config.state.keep_ledger)
        builder = await stack.enter_async_context(open_builder(publish, state, tries))
        yield Runtime(config, state, await builder.accounts(config), owner_name(), builder)


@asynccontextmanager
async def open_builder(publish: Publish, state: Database, tries: Tries | None = None) -> "AsyncIterator[Builder]":
    """Give what makes accounts; with what they use, the state too, it is closed at the end."""
    look_seldom()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(state.close)
        session = open_session()
        stack.push_async_callback(session.close)
        await stack.enter_async_context(heartbeat.running(give_back_memory()))
        builder = Builder(state, session, publish, SystemClock(), tries)
        stack.push_async_callback(builder.close)
        yield builder


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an account is made from; equal plans make equal accounts."""

    section: AccountConfig
    url: str
    """Of its target, as the variable or file held it."""
    tenant: str
    siblings: tuple[str, ...]
    together: tuple[str, ...]
    settings: Settings

    @classmethod
    def all_of(cls, config: Config) -> "dict[str, Plan]":
        """Give the plans of a configuration, by name."""
        groups, writers = sync_groups(config.accounts), same_table(config.accounts)
        plans: dict[str, Plan] = {}
        for one in config.accounts:
            tenant, others = config.tenant(one), [other for other in writers[one.name] if other.name != one.name]
            siblings = tuple(other.name for other in others if config.tenant(other) == tenant)
            wanted = one.poll.filter
            filtered = bool(wanted.sku) or wanted.category_id is not None
            settings = Settings(
                interval=one.poll.interval,
                jitter=one.poll.jitter,
                deadline=one.poll.deadline,
                audit_interval=one.drift.interval,
                cross_check=one.poll.cross_check,
                batch_size=one.target.batch_size,
                heal=one.drift.heal,
                owns_table=not others and not filtered,
                filter=f"{wanted.sku}/{wanted.category_id}" if filtered else "",
            )
            plans[one.name] = cls(one, one.target.dsn(), tenant, siblings, groups[one.name], settings)
        return plans


@dataclass
class Builder:
    """Makes accounts, and what they share; keeps both for as long as the configuration asks for them."""

    state: Database
    session: aiohttp.ClientSession
    publish: Publish
    clock: SystemClock
    tries: Tries | None = None
    _made: dict[str, tuple[Plan, Account]] = field(default_factory=dict)
    _budgets: dict[tuple[str, int], Budget] = field(default_factory=dict)
    _engines: dict[URL, AsyncEngine] = field(default_factory=dict)
    _writing: dict[tuple[str, ...], asyncio.Lock] = field(default_factory=dict)
    _turns: Turns = field(default_factory=Turns)
    _lookups: dict[str, LookupShare] = field(default_factory=dict)
    _few: bool = False

    async def accounts(self, config: Config) -> dict[str, Account]:
        """Make what a configuration asks for; what it leaves as it was stays the same object."""
        plans = await asyncio.to_thread(
            Plan.all_of, config
        )  # as the rest, a tenth of a second for hundreds of accounts
        self._few = len(plans) <= _FEW
        kept = {name: account for name, (plan, account) in self._made.items() if plans.get(name) == plan}
        accounts = dict[str, Account]()
        for name, plan in plans.items():
            accounts[name] = kept.get(name) or self._account(plan)
            await asyncio.sleep(0)
        self._made = {name: (plans[name], account) for name, account in accounts.items()}
        return accounts

    def account(self, plan: Plan) -> Account:
        """Make one account, or give the one that was made of an equal plan."""
        name = plan.section.name
        if self._made.get(name, (None, None))[0] != plan:
            self._made[name] = plan, self._account(plan)
        return self._made[name][1]

    def forget(self, name: str) -> None:
        """Keep an account no longer."""
        self._made.pop(name, None)

    async def close_unused(self) -> None:
        """Close what no account uses any more."""
        # Thousands of accounts have few databases: an address is taken apart once.
        used = {_absolute(parse(url, "url")) for url in {plan.url for plan, _ in self._made.values()}}
        for url in self._engines.keys() - used:
            await close_engine(self._engines.pop(url))
        tenants = {(plan.tenant, plan.section.poll.requests_per_minute) for plan, _ in self._made.values()}
        self._budgets = {key: budget for key, budget in self._budgets.items() if key in tenants}

    async def close(self) -> None:
        """Close everything."""
        self._made.clear()
        await self.close_unused()

    def _account(self, plan: Plan) -> Account:
        one = plan.section
        target, shared = self._target(plan)
        source = self._source(plan)
        if plan.tenant not in self._lookups:
            allowance = Allowance.of(one.poll.requests_per_minute)
            # A space stands in no tenant's name.
            self._lookups[plan.tenant] = LookupShare(allowance, self.clock, self.state, f"{plan.tenant} look-ups")
        return Account(
            name=one.name,
            source=source,
            target=target,
            state=self.state,
            shared=shared,
            rules=_rules(one),
            limits=Limits(**_values(one.guards)),
            settings=plan.settings,
            clock=self.clock,
            publish=self.publish,
            writing=self._writing.setdefault(tuple(sorted((one.name, *plan.siblings))), asyncio.Lock()),
            turns=self._turns,
            lookups=self._lookups[plan.tenant],
            siblings=plan.siblings,
            together=plan.together,
            target_id=fingerprint_of(one.target),
        )

    def _source(self, plan: Plan) -> Source:
        one, poll, tenant = plan.section, plan.section.poll, plan.tenant
        key = tenant, poll.requests_per_minute
        if key not in self._budgets:
            self._budgets[key] = Budget(poll.requests_per_minute, self.clock, self.state, tenant)
        settings = SourceSettings(
            account=one.name, base_url=one.base_url, per_page=poll.per_page, concurrency=poll.concurrency,
            filter=Filter(poll.filter.sku or None, poll.filter.category_id), proxy=one.proxy,
        )  # fmt: skip
        if self.tries is not None:
            each = self.tries.seconds
            settings = replace(
                settings, request_timeout=each, connect_timeout=each, read_timeout=each, attempts=self.tries.attempts
            )
        credential: Credential
        if one.auth.scheme == "oauth2":
            credential = OAuthCredential(
                account=one.name, token_url=one.auth.token_url, client_id=one.auth.client_id,
                read_secret=one.auth.client_secret.read, scope=one.auth.scope,
                session=post_over(self.session, one.proxy), tokens=self.state, clock=self.clock,
            )  # fmt: skip
        else:
            credential = KeyCredential(one.auth.scheme, one.auth.secret.read)
        return QoyodSource(settings, self.session, self._budgets[key], credential, self.publish, self.clock)

    def _target(self, plan: Plan) -> tuple[Target, bool]:
        one, where = plan.section.target, f"accounts.{plan.section.name}.target.url"
        own, given = None, one.statements
        if given is not None:
            own = Statements(given.write, given.read or None, given.deactivate or None, given.delete or None)
        settings = TargetSettings(
            account=plan.section.name,
            table=one.table,
            columns=Columns(**_values(one.mapping)),
            match_by=MatchBy(one.match_by),
            create_table=one.create_table,
            missing=Missing(one.missing),
            live=condition_of(one.live),
            statements=own,
            after_batch=one.after_batch.strip(),
        )
        parsed = _absolute(parse(plan.url, where))
        shared = same_database(_absolute(self.state.engine.url), parsed)
        if not shared and parsed not in self._engines:
            self._engines[parsed] = open_engine(plan.url, where)
        engine = self.state.engine if shared else self._engines[parsed]
        if not self._few:
            engine = engine.execution_options(compiled_cache=None)
        return open_target(settings, engine, owned=False), shared


def _absolute(url: URL) -> URL:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return url
    return url.set(database=str(Path(url.database).resolve()))


def _rules(one: AccountConfig) -> Rules:
    policy = Policy(**_values(one.policy))
    return Rules(policy, LocationMap(one.locations.map, one.locations.unmapped, one.target.summed))


def _values(section: BaseModel) -> dict[str, Any]:
    """Give a section's values as they are, not as they would be written."""
    return {name: getattr(section, name) for name in type(section).model_fields}


def owner_name() -> str:
    """Name this process, as no other is named."""
    return f"{socket.gethostname()}:{os.getpid()}:{token_hex(2)}"
