"""Accounts as the state would tell of them, and a real server that shows them."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import aiohttp
import pytest

from stocksync.core.answers import LocationStock, StockAnswer, StockAnswers
from stocksync.core.budget import BudgetRow
from stocksync.core.drift import AuditReport, Cause, Difference
from stocksync.core.guards import Guard
from stocksync.core.health import Watched
from stocksync.core.held_plan import HeldChange, HeldPlan
from stocksync.core.model import Change, Verdict
from stocksync.core.overview import Day, FoundProduct, RecentChange
from stocksync.core.report import Counts, CycleReport, Outcome
from stocksync.core.status import AccountStatus, Quarantined
from stocksync.errors import NotFound, StocksyncError
from stocksync.observe.heartbeat import Heartbeat, StateView, running
from stocksync.observe.metrics import Metrics
from stocksync.ports import LedgerRow
from stocksync.web.access import Token
from stocksync.web.product_view import Story
from stocksync.web.server import Web, serve

NOW = datetime(2026, 8, 31, 12, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'&\u202e"
MAIN = Watched("main", timedelta(minutes=15), timedelta(minutes=10), timedelta(hours=1))
OUTLET = Watched("outlet", timedelta(minutes=5), timedelta(minutes=3), timedelta(hours=1))


def ago(**span):
    return NOW - timedelta(**span)


def make_cycle(account="main", outcome=Outcome.DONE, verdict=Verdict.COMPLETE, **given):
    started = given.pop("started_at", ago(minutes=4))
    return CycleReport(
        account,
        given.pop("cycle_id", "c-1"),
        started,
        ended_at=given.pop("ended_at", started + timedelta(seconds=21, milliseconds=400)),
        verdict=verdict,
        outcome=outcome,
        pages=given.pop("pages", 20),
        total=given.pop("total", 2000),
        counts=given.pop("counts", Counts(read=5200, unchanged=5100, applied=90, quarantined=2, ignored=8)),
        products=given.pop("products", {"tracked": 1800, "untracked": 200}),
        cells=given.pop("cells", {"managed": 5200, "unknown": 8, "quarantined": 2}),
        **given,
    )


def make_change(product_id=42, sku="BW-001", before="120", after="0", place="MAIN"):
    quantity = Decimal(after)
    return Change(product_id, place, sku, Decimal(before), quantity, ((3, quantity),))


def make_plan(changes=3, account="main"):
    held = tuple(HeldChange(make_change(product_id=n, sku=f"SKU-{n}"), (Guard.ZEROED,)) for n in range(1, changes + 1))
    return HeldPlan(account, "7f3a9c21", ago(minutes=19), {"zeroed": "21 % of the cells would fall to zero"}, held)


def make_status(account="main", **given):
    fresh = AccountStatus(
        account=account,
        owner="shop-1:4242",
        epoch=7,
        leased_until=NOW + timedelta(seconds=10),
        last_attempt=ago(minutes=4),
        last_complete=ago(minutes=3, seconds=38),
        last_push=ago(minutes=3, seconds=38),
        oldest_unpushed=None,
        consecutive_failures=0,
        cycles=(make_cycle(account),),
        held=None,
        quarantine=(),
        quarantined=0,
        unknown=0,
        oldest_unknown=None,
        cells=5200,
        products=2000,
        audit=None,
    )
    set_aside = [entry.first_at for entry in given.get("quarantine", ())]
    return replace(fresh, **{"oldest_quarantined": min(set_aside, default=None)} | given)


def make_quarantined(reason, product_id=77):
    return Quarantined(product_id, "MAIN", "target", reason, Decimal(5), 3, ago(hours=5), ago(minutes=4), NOW)


def make_audit(**given):
    example = Difference(Cause.EDITED_IN_TARGET, "BW-001 @ MAIN", "118", "130", Decimal(12))
    return AuditReport(
        "main",
        ago(minutes=31),
        given.pop("ended_at", ago(minutes=30)),
        compared=5200,
        cells={"edited_in_target": 1},
        units={"edited_in_target": Decimal(12)},
        examples=[example],
        **given,
    )


ANSWER = StockAnswer(
    account="main",
    product_id=42,
    sku="BW-001",
    name="Blue Widget",
    tracked=True,
    fresh=True,
    at=NOW,
    places=(
        LocationStock("MAIN", {3: "Main Warehouse"}, Decimal("120.50"), Decimal(120), Decimal(118), Decimal(120)),
        LocationStock("OUTLET", {7: "المستودع"}, None, None, Decimal(4), None),
    ),
)


@dataclass
class Shelf:
    """As much of a Register as pages ask for, of plain values; set `error` and it is away."""

    statuses: dict[str, AccountStatus] = field(default_factory=dict)
    error: Exception | None = None
    asked: int = 0

    async def status(self, accounts, _known=None):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return [self.statuses[account] for account in accounts]


@dataclass
class Ledger:
    """As much of a ledger as the feed asks for."""

    rows: list[LedgerRow] = field(default_factory=list)
    error: StocksyncError | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def changes_after(self, _account, after, limit):
        self.asked.set()
        if self.error is not None:
            raise self.error
        return [row for row in self.rows if row.id > after][:limit]

    newest: list[RecentChange] = field(default_factory=list)
    known: list[FoundProduct] = field(default_factory=list)
    day: Day = field(default_factory=lambda: Day(()))
    budget: BudgetRow | None = None

    places: dict[int, str] | StocksyncError = field(default_factory=dict)

    async def in_full(self, _account):
        return None

    async def locations(self, _account):
        if isinstance(self.places, StocksyncError):
            raise self.places
        return self.places

    async def newest_changes(self, accounts, limit):
        return [row for row in self.newest if row.account in accounts][:limit]

    async def last_day(self, _account, _now):
        return self.day

    async def budget_row(self, _budget):
        return self.budget

    async def search(self, accounts, text, limit):
        found = [one for one in self.known if one.account in accounts]
        return [one for one in found if text in {one.sku, str(one.product_id)} or text in one.name][:limit]


@dataclass
class Counter:
    """Who answers look-ups: it knows one product, and can be told to fail."""

    answer: StockAnswer = ANSWER
    error: StocksyncError | None = None
    asked: list[tuple] = field(default_factory=list)

    told: Story = field(default_factory=Story)

    async def story(self, _account, _product_id):
        return self.told

    async def refresh(self, account, skus):
        found = [await self.look_up(account, sku, None, True) for sku in skus if sku == self.answer.sku]
        return StockAnswers(account, found, [sku for sku in skus if sku != self.answer.sku])

    async def look_up(self, account, sku, product_id, fresh):
        self.asked.append((account, sku, product_id, fresh))
        if self.error is not None:
            raise self.error
        if sku not in {None, self.answer.sku} or product_id not in {None, self.answer.product_id}:
            raise NotFound(f"Qoyod knows no product {sku or product_id}")
        return self.answer


@dataclass
class Site:
    """A running server and what stands behind it."""

    url: str
    shelf: Shelf
    counter: Counter
    metrics: Metrics
    session: aiohttp.ClientSession
    web: Web
    view: StateView
    heartbeat: Heartbeat
    ledger: Ledger

    async def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"):
        async with self.session.request(method, self.url + path, headers=headers) as answer:
            await answer.read()
            return answer


@asynccontextmanager
async def opened(
    *statuses, host="127.0.0.1", token="", reading="", guarded=False, watched=(MAIN,), now=lambda: NOW, options=""
):
    shelf = Shelf({status.account: status for status in statuses or (make_status(),)})
    counter, metrics = Counter(), Metrics(watched)
    heartbeat = Heartbeat(metrics, now)
    view = StateView(shelf, [account.name for account in watched], metrics, now)
    ledger = Ledger()
    web = Web(
        accounts=watched, statuses=view.get, changes=ledger.changes_after, register=ledger, products=lambda: counter,
        loop_age=heartbeat.age, render=metrics.render, now=now,
        tokens=[Token(value, refreshes=value == token) for value in (token, reading) if value],
        metrics_need_token=guarded, options=options,
    )  # fmt: skip
    async with (
        serve(web, host, 0) as (_, port),
        running(heartbeat.run(), view.run()),
        aiohttp.ClientSession() as session,
    ):
        yield Site(f"http://127.0.0.1:{port}", shelf, counter, metrics, session, web, view, heartbeat, ledger)


@pytest.fixture
async def site():
    async with opened() as running:
        yield running


def required(program):
    """The path of a program; a test without it is skipped, or fails where everything is required."""
    found = shutil.which(program)
    if found is None:
        message = f"{program} is not installed"
        if os.environ.get("STOCKSYNC_REQUIRE") == "all":
            pytest.fail(message)
        pytest.skip(message)
    return found


class Examples:
    """The helpers above, for tests, which are no package and cannot import each other."""

    NOW, HOSTILE, MAIN, OUTLET, ANSWER = NOW, HOSTILE, MAIN, OUTLET, ANSWER
    ago = staticmethod(ago)
    cycle = staticmethod(make_cycle)
    change = staticmethod(make_change)
    plan = staticmethod(make_plan)
    status = staticmethod(make_status)
    quarantined = staticmethod(make_quarantined)
    audit = staticmethod(make_audit)
    opened = staticmethod(opened)
    required = staticmethod(required)


@pytest.fixture
def ex():
    return Examples
