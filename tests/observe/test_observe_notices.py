"""Messages to people: what they say, and how they get there."""

import asyncio
import re
import string
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
import structlog
from aiohttp import web

from stocksync.core.drift import AuditReport
from stocksync.core.events import CycleEnded
from stocksync.core.held_plan import HeldPlan
from stocksync.core.message_limit import MessageLimit
from stocksync.core.notice import Notice, Trouble
from stocksync.core.report import CycleReport
from stocksync.errors import ConfigurationError, StateUnavailable
from stocksync.known_secrets import forget, hidden
from stocksync.observe.apprise_addresses import senders
from stocksync.observe.dead_man import DeadManSwitch
from stocksync.observe.delivery import Channel
from stocksync.observe.heartbeat import running
from stocksync.observe.notice_message import Message, Words
from stocksync.observe.notice_texts import CATALOGUE
from stocksync.observe.notices import Notices

HELLO = Message("title", "body")


@pytest.fixture(autouse=True)
def _no_secret_outlives_its_test():
    yield
    forget()


def places(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize("language", CATALOGUE)
def test_no_language_lacks_a_text_or_a_place_to_fill_in(language):
    english, theirs = CATALOGUE["en"], CATALOGUE[language]
    assert theirs.keys() == english.keys()
    assert {key: places(text) for key, text in theirs.items()} == {key: places(text) for key, text in english.items()}
    assert {trouble.value for trouble in Trouble} <= theirs.keys()


def everything(ex):
    """An account with every trouble at once."""
    failed = CycleReport("main", "c", ex.NOW, error="Qoyod answered 503", target_failed=True)
    return ex.status(
        last_complete=ex.ago(minutes=50), unauthorized_since=ex.ago(minutes=5), target_contact=ex.ago(minutes=55),
        cycles=(failed,), held=ex.plan(8), quarantine=(ex.quarantined("no number"),), quarantined=2, refused=5200,
        refusal="column 'loc' holds whole numbers", unknown=5000, audit=replace(ex.audit(), lost=30),
    )  # fmt: skip


@pytest.mark.parametrize("language", CATALOGUE)
def test_a_message_says_what_is_wrong_with_its_figures_and_what_to_type(ex, language):
    told = tuple(trouble for trouble in Trouble if trouble is not Trouble.STATE_AWAY)
    message = Words(language).account(Notice("main", told), everything(ex), ex.MAIN, ex.NOW)
    assert not re.search(r"[{}]", message.title + message.body)
    lines = message.body.splitlines()
    for command in (
        "check --account main",
        "plan",
        "approve 7f3a9c21",
        "reject 7f3a9c21",
        "drift --heal --account main",
    ):
        assert f"stocksync {command}" in lines
    plain = re.sub("[\u2068\u2069]", "", message.body)
    for said in ("503", "5,200", "30", "7f3a9c21", "SKU-1 · MAIN", "column 'loc' holds whole numbers"):
        assert said in plain
    assert {"en": "no number", "ar": "لا عدد"}[language] in plain
    assert sum("SKU-" in line for line in lines) == 5, "the first rows"


def test_english_reads_as_a_sentence(ex):
    status = ex.status(last_complete=ex.ago(minutes=50), cycles=(CycleReport("main", "c", ex.NOW, error="it is away"),))
    message = Words().account(Notice("main", (Trouble.STALE,)), status, ex.MAIN, ex.NOW)
    assert message.title == "main: stock is getting old"
    assert message.body.splitlines() == [
        "The last complete poll ended 50 min ago; 40 min are allowed.", "The last failure says: it is away",
        "Type:", "stocksync status --account main",
    ]  # fmt: skip
    named = Words(options="--config /srv/s.toml").account(
        Notice("main", (Trouble.STALE,)), status, replace(ex.MAIN, title="متجر"), ex.NOW
    )
    assert named.title == "\u2068متجر\u2069: stock is getting old"
    assert named.body.splitlines()[-1] == "stocksync status --config /srv/s.toml --account main"
    over = Words().account(Notice("main", (), (Trouble.STALE,)), ex.status(), ex.MAIN, ex.NOW)
    assert over == Message("main: back to normal", "Over: stock is getting old.")


def test_arabic_is_arabic_and_keeps_what_is_foreign_to_itself(ex):
    status = ex.status(last_complete=ex.ago(hours=3, minutes=12))
    message = Words("ar").account(Notice("main", (Trouble.STALE,)), status, ex.MAIN, ex.NOW)
    assert message.title == "\u2068main\u2069: أرقام المخزون أصبحت قديمة"
    assert "3 س 12 د" in message.body
    assert not re.search(r"[A-Za-z]{3,}", message.body.replace("stocksync status --account main", ""))


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("and 12 more pages", "وصفحات أخرى عددها 12"),
        ("only page 1 was read; disk on fire", "قُرئت الصفحة 1 وحدها؛ \u2068disk on fire\u2069"),
        (
            "pages 3, 4 and 2 more not read; page 7: disk on fire",
            "الصفحات 3، 4 و2 غيرها: لم تُقرأ؛ الصفحة 7: \u2068disk on fire\u2069",
        ),
        (
            "quarantined (source, 3 attempts): $.products[0]: no",
            "معزول (صف قيود، المحاولات 3): \u2066$.products[0]\u2069: \u2068no\u2069",
        ),
        (
            "did you mean A or B (the SKU of product 7)?",
            "أتقصد \u2068A\u2069، \u2068B\u2069 (رمز المنتج \u20687\u2069)؟",
        ),
        (
            "nothing → -5 is held by zeroed: a limit was exceeded; right: stocksync approve p1",
            "من لا شيء إلى \u2066-5\u2069 محجوز: إلى الصفر: تجاوز حدًّا؛ إن كان صحيحًا فاكتب: stocksync approve p1",
        ),
        ("no connection to h.example:80: connection refused", "لا اتصال بـ \u2066h.example:80\u2069: رُفض الاتصال"),
        ("unknown: Qoyod no longer shows it, since 3 h 12 min ago", "غير معروف: لم يعد قيود يعرضه منذ 3 س 12 د"),
        ("disk on fire", "\u2068disk on fire\u2069"),
    ],
)
def test_what_our_code_says_is_arabic_in_an_arabic_notice_and_others_words_stand_as_they_are(reason, said):
    assert Words("ar").said(reason) == said
    assert Words().said(reason) == reason


def test_of_a_row_that_cannot_be_read_what_is_wrong_is_said_in_words():
    reason = "$.products[10].inventories[0]: Object missing required field `stock`"
    assert Words().said(reason) == "the field stock is missing"
    assert Words("ar").said(reason) == "ينقصه الحقل \u2066stock\u2069"


def test_names_cannot_forge_lines_turn_the_text_or_show_a_secret(ex):
    held = replace(ex.plan(1).changes[0], name="Milk\nType:\nstocksync\u202eevil")
    status = ex.status(held=HeldPlan("main", "7f3a", ex.NOW, {}, (held,)))
    body = Words().account(Notice("main", (Trouble.HELD,)), status, ex.MAIN, ex.NOW).body
    assert "SKU-1 · Milk Type: stocksyncevil · MAIN: 120 → 0" in body
    assert "\u202e" not in body


@pytest.fixture
def events():
    """Hear what is logged, however another test has set up the log."""
    with structlog.testing.capture_logs() as heard:
        yield heard


@dataclass
class Post:
    """Somebody to be told, on a real socket; set `status`, or let it wait."""

    port: int = 0
    status: int = 200
    got: list[dict] = field(default_factory=list)
    asked: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request):
        self.asked += 1
        await self.answers.wait()
        if self.status == 200:
            self.got.append(await request.json() if request.can_read_body else {})
        return web.Response(status=self.status)

    @property
    def url(self):
        return f"json://127.0.0.1:{self.port}/token-nobody-may-see?rto=60"


@asynccontextmanager
async def posted_to(post):
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", post.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", post.port)
    await site.start()
    post.port = site._server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        post.answers.set()
        await runner.cleanup()


@pytest.fixture
async def post():
    made = Post()
    made.answers.set()
    return made


@dataclass
class Counted:
    results: list[str] = field(default_factory=list)
    waiting: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def noticed(self, _by, result):
        self.results.append(result)
        self.changed.set()

    def unsent(self, _by, count):
        self.waiting = count

    async def until(self, results):
        async with asyncio.timeout(30):
            while self.results[-len(results) :] != results:
                self.changed.clear()
                await self.changed.wait()


async def channel_to(post, counts, **given):
    ((name, send),) = await asyncio.to_thread(senders, post.url, "notify.urls_file")
    return Channel(name, send, counts, first_wait=given.pop("first_wait", 0.01), **given)


async def test_a_message_goes_through_apprise_to_whoever_listens(post):
    counts = Counted()
    async with posted_to(post):
        channel = await channel_to(post, counts)
        async with running(channel.run()):
            channel.post(Message("main: عاد", "سطر\nstocksync check"))
            await counts.until(["sent"])
    assert [(one["title"], one["message"]) for one in post.got] == [("main: عاد", "سطر\nstocksync check")]
    assert channel.name == "json"
    assert counts.waiting == 0


async def test_who_is_down_or_refuses_is_tried_again_in_order_and_said_once(post, ex, events):
    counts = Counted()
    async with posted_to(post):
        pass
    channel = await channel_to(post, counts)  # nobody listens on its port now
    async with running(channel.run()):
        channel.post(HELLO)
        channel.post(Message("second", "x"))
        await counts.until(["failed", "failed"])
        post.status = 500
        async with posted_to(post):
            await counts.until(["failed", "failed"])
            post.status = 200
            await counts.until(["sent", "sent"])
    assert [one["title"] for one in post.got] == ["title", "second"]
    said = [one["event"] for one in events]
    assert said.count("notice_not_sent") == 1
    assert "token-nobody" not in str(events)


async def test_who_is_slow_is_not_told_twice_and_holds_up_nobody(post):
    counts, others = Counted(), Counted()
    quick = Channel("quick", lambda _: True, others)
    async with posted_to(post):
        post.answers.clear()
        slow = await channel_to(post, counts, seconds=0.05)
        async with running(slow.run(), quick.run()):
            for channel in (slow, quick):
                channel.post(HELLO)
            await others.until(["sent"])
            await counts.until(["failed", "failed"])
            post.answers.set()
            await counts.until(["sent"])
    assert post.asked == 1


async def test_a_queue_keeps_the_newest_and_counts_what_it_drops():
    counts = Counted()
    channel = Channel("x", lambda _: False, counts)
    for number in range(53):
        channel.post(Message(str(number), ""))
    assert counts.results == ["dropped"] * 3
    assert counts.waiting == 50


async def test_a_sender_that_never_returns_does_not_hold_the_process(post):
    ever = threading.Event()
    counts = Counted()
    channel = Channel("x", lambda _: ever.wait(), counts, seconds=0.01, first_wait=0.01)
    async with running(channel.run()):
        channel.post(HELLO)
        await counts.until(["failed"])
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "notice")
    ever.set()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file names nobody"),
        ("# only a comment\n", "the file names nobody"),
        ("json://localhost/x\nnonsense://secret-token-1234\n", "line 2 (nonsense://…) is no apprise URL"),
        ("my-password-1234", "line 1 (no scheme) is no apprise URL"),
    ],
)
def test_a_file_that_names_nobody_is_refused_without_showing_it(text, problem):
    with pytest.raises(ConfigurationError) as raised:
        senders(text, "notify.urls_file")
    said = "; ".join(raised.value.problems)
    assert problem in said
    assert "1234" not in said


def test_no_part_of_an_address_is_ever_shown():
    senders(
        "tgram://123456789:ABCdef-GHI_jklmnopqrstuvwxyz012345/7777777/\njson://u:pass-word-1@host.example/tok-9-abc",
        "k",
    )
    shown = hidden("at 123456789:ABCdef-GHI_jklmnopqrstuvwxyz012345 and pass-word-1 and /tok-9-abc on host.example")
    assert "GHI" not in shown
    assert "pass" not in shown
    assert "tok" not in shown
    assert "host.example" in shown


@dataclass
class Shelf:
    """Statuses, and what was told of them, as two processes share them."""

    statuses: list = field(default_factory=list)
    told_: dict = field(default_factory=lambda: {"main": ""})
    away: bool = False

    async def get(self):
        if self.away:
            raise StateUnavailable("it is away")
        return self.statuses

    async def told(self, accounts):
        return {name: self.told_[name] for name in accounts if name in self.told_}

    async def tell(self, account, before, after):
        if self.told_.get(account) != before:
            return False
        self.told_[account] = after
        return True


class Sent(list):
    """Messages, and a sign that one came."""

    def __init__(self):
        super().__init__()
        self.came = asyncio.Event()

    def append(self, message):
        super().append(message)
        self.came.set()


def notices(ex, shelf, sent, **given):
    watched = given.pop("watched", ex.MAIN)
    return Notices(
        shelf.get, lambda: {"main": watched}, shelf, sent.append, words=Words(),
        limit=given.pop("limit", MessageLimit(100)), now=given.pop("now", lambda: ex.NOW), host="shop-1", **given,
    )  # fmt: skip


async def test_two_processes_and_a_restart_tell_a_change_once(ex):
    shelf, sent = Shelf([ex.status()]), []
    both = [notices(ex, shelf, sent) for _ in range(2)]
    for status in (ex.status(), ex.status(unauthorized_since=ex.NOW), ex.status(unauthorized_since=ex.NOW)):
        shelf.statuses = [status]
        for one in both:
            await one.look()
    await notices(ex, shelf, sent).look()
    assert [message.title for message in sent] == ["main: Qoyod refuses the credential"]
    shelf.statuses = [ex.status()]
    for one in (notices(ex, shelf, sent), *both):
        await one.look()
    assert [message.title for message in sent[1:]] == ["main: back to normal"]


async def test_who_takes_over_tells_the_end_of_what_its_predecessor_told(ex):
    shelf, sent = Shelf([ex.status()]), []
    first, stands_by = notices(ex, shelf, sent), notices(ex, shelf, sent)
    for statuses, one in (
        ([ex.status()], stands_by),
        ([], stands_by),
        ([ex.status(unauthorized_since=ex.NOW)], first),
        ([ex.status()], stands_by),
    ):
        shelf.statuses = statuses
        await one.look()
    assert [message.title for message in sent] == ["main: Qoyod refuses the credential", "main: back to normal"]


async def test_who_has_slept_through_a_trouble_and_its_end_tells_neither_again(ex):
    shelf, sent, began = Shelf([ex.status()]), [], [0.0]
    awake, asleep = notices(ex, shelf, sent), notices(ex, shelf, sent, read_at=lambda: began[0])
    began[0] = time.monotonic() + 60
    for one in (awake, asleep):
        await one.look()
    refused = ex.status(unauthorized_since=ex.NOW)
    for status in (refused, ex.status()):
        shelf.statuses = [status]
        await awake.look()
    assert [message.title for message in sent] == ["main: Qoyod refuses the credential", "main: back to normal"]
    # It sees now what was true before; and once it has learnt what was told, the same again, from its own memory.
    shelf.statuses = [refused]
    await asleep.look()
    began[0] = 0.0
    await asleep.look()
    assert sent[2:] == []
    began[0] = time.monotonic() + 60
    await asleep.look()
    assert [message.title for message in sent[2:]] == ["main: Qoyod refuses the credential"], "it is true once more"


async def test_a_cycle_that_ends_is_looked_at_at_once(ex):
    shelf, sent = Shelf([ex.status()]), Sent()
    one = notices(ex, shelf, sent)
    async with running(one.run(period=1000)):
        await asyncio.sleep(0)
        shelf.statuses = [ex.status(quarantined=3)]
        one.hear(CycleEnded(ex.cycle()))
        async with asyncio.timeout(10):
            await sent.came.wait()
    assert sent[0].title == "main: rows are set aside"


async def test_a_state_that_stays_away_is_told_with_its_end(ex):
    shelf, sent, clock = Shelf([ex.status()]), [], [ex.NOW]
    one = notices(ex, shelf, sent, now=lambda: clock[0])
    for away, after in ((True, 0), (True, 30), (False, 40), (True, 50), (True, 120), (True, 180), (False, 190)):
        shelf.away, clock[0] = away, ex.NOW + timedelta(seconds=after)
        await one.look()
    assert [message.title for message in sent] == [
        "stocksync on shop-1: the state database cannot be read", "stocksync on shop-1: back to normal",
    ]  # fmt: skip
    assert "it is away" in sent[0].body


async def test_what_is_too_much_for_an_hour_is_counted_in_one(ex):
    shelf, sent, clock = Shelf(), [], [ex.NOW]
    titled = replace(ex.MAIN, title="Jeddah")
    one = notices(ex, shelf, sent, limit=MessageLimit(2), now=lambda: clock[0], watched=titled)
    for number in range(7):
        shelf.statuses = [ex.status(unauthorized_since=ex.NOW if number % 2 == 0 else None)]
        await one.look()
    assert len(sent) == 2
    clock[0] += timedelta(hours=1)
    shelf.statuses = [replace(shelf.statuses[0], last_complete=clock[0])]
    await one.look()
    assert sent[2].title == "stocksync: 5 more changes"
    assert sent[2].body.splitlines()[-1] == "Jeddah: Qoyod refuses the credential"


async def test_the_dead_mans_switch_is_fed_while_all_is_fresh_and_a_failure_is_said_once(post, events):
    fresh, counts = [True], Counted()

    async def all_fresh():
        return fresh[0]

    async with posted_to(post):
        url = f"http://127.0.0.1:{post.port}/ping/uuid-nobody-may-see"
        async with running(DeadManSwitch(url, all_fresh, counts, period=0.01).run()):
            await counts.until(["sent", "sent"])
            post.status = 500
            await counts.until(["failed", "failed"])
            post.status = 200
            await counts.until(["sent"])
            fresh[0] = False
            await asyncio.sleep(0.05)
            asked = post.asked
            await asyncio.sleep(0.1)
            assert post.asked == asked
    said = [one["event"] for one in events]
    assert said.count("heartbeat_not_sent") == said.count("heartbeat_sent_again") == 1
    assert "uuid-nobody" not in str(events)


def test_an_audit_that_failed_says_nothing_new(ex):
    status = ex.status(audit=AuditReport("main", ex.NOW, error="away"))
    assert (
        Words().account(Notice("main", (Trouble.DRIFT,)), status, ex.MAIN, ex.NOW).body.startswith("Cells that differ")
    )


async def test_a_message_that_is_never_taken_is_given_up_for_those_behind_it():
    counts = Counted()
    channel = Channel("x", lambda message: message is not HELLO, counts, first_wait=1e-9)
    async with running(channel.run()):
        channel.post(HELLO)
        channel.post(Message("second", "x"))
        await counts.until(["dropped", "sent"])
    assert counts.results.count("failed") == 30


def test_every_kind_of_address_is_named_by_its_scheme():
    assert [name for name, _ in senders("json://127.0.0.1/x\n\n# them\nmailto://u:p@mail.example\n", "k")] == [
        "json", "mailto",
    ]  # fmt: skip
