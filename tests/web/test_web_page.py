import asyncio
import json
import re
import subprocess
from dataclasses import replace

import pytest
from aiohttp import web

from stocksync.core.answers import LocationStock
from stocksync.core.held_plan import Decision
from stocksync.core.model import Verdict
from stocksync.core.overview import FoundProduct
from stocksync.core.report import Counts, Outcome
from stocksync.known_secrets import remember

BROWSER = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


async def text_of(site, path="/"):
    return await (await site.get(path)).text()


async def seen_by_a_browser(program, url, profile, *options):
    browser = await asyncio.create_subprocess_exec(
        program,
        *BROWSER,
        f"--user-data-dir={profile}",
        *options,
        "--dump-dom",
        url,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            seen, said = await browser.communicate()
    finally:
        if browser.returncode is None:
            browser.kill()
            await browser.wait()
    return seen.decode(), said.decode()


def troubled(ex):
    cycles = (
        ex.cycle(
            outcome=Outcome.FAILED, verdict=Verdict.PARTIAL, error="Qoyod answered 502 on page 7", counts=Counts()
        ),
        ex.cycle(verdict=Verdict.INCONSISTENT, reasons=("total changed from 2000 to 1999",)),
    )
    return ex.status(
        last_complete=ex.ago(hours=3, minutes=12),
        consecutive_failures=5,
        cycles=cycles,
        held=ex.plan(30),
        quarantine=(ex.quarantined("value too long for column sku"),),
        quarantined=150,
        unknown=8,
        oldest_unknown=ex.ago(days=3),
        audit=ex.audit(),
        oldest_unpushed=ex.ago(minutes=50),
    )


async def test_a_fresh_account_is_said_to_be_fresh_in_words(site):
    page = await text_of(site)
    assert "<title>all fresh · stocksync</title>" in page
    assert "The account is fresh" in page
    assert "fresh, 3 min 38 s ago" in page
    assert "written by <bdi>shop-1:4242</bdi>, epoch 7" in page


async def test_a_troubled_account_shows_what_is_wrong_and_what_to_type(ex):
    async with ex.opened(troubled(ex)) as site:
        page = await text_of(site)
    for shown in (
        "<title>1 stale · stocksync</title>",
        "stale, 3 h 12 min ago",
        "the last 5 polls failed",
        "Qoyod answered 502 on page 7",
        "total changed from 2000 to 1999",
        "stocksync approve 7f3a9c21",
        "stocksync reject 7f3a9c21",
        "21 % of the cells would fall to zero",
        '<bdi dir="ltr">120</bdi></td><td data-label="After" class="n"><bdi dir="ltr">0</bdi></td>',
        'and 10 more: <code class="type" dir="ltr">stocksync plan</code>',
        "value too long for column sku",
        'and 149 more: <code class="type" dir="ltr">stocksync status --json</code>',
        "oldest for 3 d",
        "edited in target: 1",
        "5,200 cells compared 30 min ago",
        "130",
        "oldest change waiting",
    ):
        assert shown in page


async def test_a_command_names_the_configuration_where_it_does_not_find_it_by_itself(ex):
    held = ex.status(held=ex.plan(30))
    async with ex.opened(held, options="--config '/srv/a b.toml'") as site, site.session.get(site.url) as answer:
        page = await answer.text()
    typed = '<code class="type" dir="ltr">stocksync {}'
    assert typed.format("approve --config &#39;/srv/a b.toml&#39; 7f3a9c21") in page
    assert page.count(typed.format("plan --config ")) == page.count(typed.format("plan")) > 1


async def test_the_account_in_trouble_stands_first(ex):
    stale = ex.status("outlet", last_complete=None)
    async with ex.opened(ex.status(), stale, watched=(ex.MAIN, ex.OUTLET)) as site:
        page = await text_of(site)
    assert "1 of 2 accounts is stale" in page
    assert page.index("account outlet") < page.index("account main")


async def test_a_refused_credential_is_the_first_word_of_the_page_and_stands_before_what_is_stale(ex):
    stale = ex.status(last_complete=None)
    refused = ex.status("outlet", unauthorized_since=ex.ago(minutes=2), consecutive_failures=1)
    async with ex.opened(stale, refused, watched=(ex.MAIN, ex.OUTLET)) as site:
        page = await text_of(site)
    assert "<title>2 credential refused, stale · stocksync</title>" in page
    assert "2 of 2 accounts are not well: credential refused, stale" in page
    assert page.index("account outlet") < page.index("account main")
    assert re.search(r'pill bad">credential refused since <time datetime="2026-08-31T11:58:00\+00:00"', page)
    assert "make a key in Qoyod" in page


async def test_a_decided_plan_says_who_decided(ex):
    plan = replace(ex.plan(), decision=Decision.APPROVED, decided_by="noura", decided_at=ex.NOW)
    healing = replace(plan, cause="heal", plan_id="5e6f", decision=Decision.REJECTED)
    async with ex.opened(ex.status(held=plan, held_too=(healing,))) as site:
        page = await text_of(site)
    assert re.search(r"approved by <bdi>noura</bdi> at <time [^<]*</time>: the next poll acts on it", page)
    assert re.search(r"rejected by <bdi>noura</bdi> at <time [^<]*</time>: nothing of it is written", page)
    assert f"stocksync reject {plan.plan_id}" in page
    assert f"stocksync approve {plan.plan_id}" not in page, "it is approved already"
    assert "stocksync approve 5e6f" in page, "a person may think again"
    assert "waiting for a person" not in page


async def test_an_account_that_never_polled_is_shown_too(ex):
    empty = ex.status(
        owner="",
        leased_until=None,
        last_attempt=None,
        last_complete=None,
        last_push=None,
        cycles=(),
        cells=0,
        products=0,
    )
    running = ex.status("outlet", cycles=(replace(ex.cycle(verdict=None), ended_at=None),))
    failed = replace(ex.audit(), error="target away")
    async with ex.opened(empty, replace(running, audit=failed), watched=(ex.MAIN, ex.OUTLET)) as site:
        page = await text_of(site)
    for shown in ("never complete", "No poll has run yet.", "no process writes for it now", "running", "target away"):
        assert shown in page


async def test_many_accounts_are_a_table_the_worst_on_top_that_can_be_sorted_and_costs_little(ex):
    names = [f"shop-{number:03}" for number in range(500)]
    statuses = [ex.status(name, quarantined=number % 7) for number, name in enumerate(names)]
    statuses[250] = replace(statuses[250], last_complete=ex.ago(hours=9))
    statuses[251] = replace(statuses[251], unauthorized_since=ex.ago(minutes=9))
    statuses[252] = replace(statuses[252], held=ex.plan(30, "shop-252"))
    watched = [replace(ex.MAIN, name=name, title="متجر 499" if name == "shop-499" else "") for name in names]

    def order(page):
        return re.findall(r'href="/\?account=(shop-\d+)"', page)

    async with ex.opened(*statuses, watched=watched) as site:
        page = await text_of(site)
        assert order(page)[:4] == ["shop-251", "shop-250", "shop-252", "shop-000"]
        assert len(order(page)) == 100
        assert len(page) < 100_000
        assert "2 of 500 accounts are not well: credential refused, stale, 1 waits for a person" in page
        assert "1 to 100 of 500" in page
        assert order(await text_of(site, "/?sort=account&page=5"))[-1] == "shop-499"
        assert order(await text_of(site, "/?sort=lag"))[0] == "shop-250"
        assert order(await text_of(site, "/?sort=held"))[0] == "shop-252"
        assert order(await text_of(site, "/?sort=nonsense&page=x"))[0] == "shop-251"
        assert order(await text_of(site, "/?page=99")) == []
        titled = await text_of(site, "/?find=متجر")
        assert order(titled) == ["shop-499"]
        assert '<bdi>متجر 499</bdi> <bdi class="soft">shop-499</bdi>' in titled
        assert "<h2><bdi>متجر 499</bdi>" in await text_of(site, "/?account=shop-499")
        one = await text_of(site, "/?account=shop-252")
        assert "stocksync approve 7f3a9c21" in one
        assert '<input type="hidden" name="account" value="shop-252">' in one
        assert (await site.get("/?account=nobody")).status == 404
        assert (await site.get("/search?q=x")).status == 400
        assert (await site.get("/search?q=x&account=shop-001")).status == 404


async def test_a_search_lists_what_it_finds_and_shows_the_only_one_at_once(site, ex):
    known = [
        FoundProduct("main", 42, "BW-001", "Blue Widget"),
        FoundProduct("main", 43, "RW-1", "Red Widget", gone=True),
    ]
    site.ledger.known = known
    page = await text_of(site, "/search?q=Widget")
    assert '<a href="/stock?account=main&amp;id=43"><bdi>RW-1</bdi></a>' in page
    assert "deleted in Qoyod" in page
    for words in ("BW-001", "42", "Blue"):
        answer = await site.get("/search?q=" + words)
        assert (answer.status, answer.url.path_qs) == (200, "/stock?account=main&id=42")
    assert "No product is known by this." in await text_of(site, "/search?q=%3Cb%3E")


async def test_hostile_text_is_escaped_everywhere(ex):
    hostile = ex.HOSTILE
    plan = ex.plan()
    held = replace(plan.changes[0], change=ex.change(sku=hostile, place=hostile))
    example = replace(ex.audit().examples[0], key=hostile, expected=hostile, found=hostile)
    status = ex.status(
        owner=hostile,
        cycles=(ex.cycle(error=hostile, reasons=(hostile,), outcome=Outcome.FAILED),),
        held=replace(plan, plan_id=hostile, reasons={"zeroed": hostile}, changes=(held,), decided_by=hostile),
        quarantine=(replace(ex.quarantined(hostile), place=hostile, side=hostile),),
        quarantined=1,
        audit=replace(ex.audit(), examples=[example], cells={hostile: 1}),
    )
    place = LocationStock(hostile, {3: hostile}, None, None, None, None)
    async with ex.opened(status) as site:
        site.counter.answer = replace(ex.ANSWER, sku="x", name=hostile, note=hostile, places=(place,))
        pages = [await text_of(site), await text_of(site, "/stock?sku=x"), await text_of(site, "/stock?sku=<script>x")]
        odd = replace(ex.ANSWER, sku="x", name="half a pair \ud800")
        site.counter.answer = odd
        assert "half a pair ?" in await text_of(site, "/stock?sku=x")
    for page in pages:
        assert re.findall(r"<script>[^\n]{0,20}", page) == ['<script>"use strict";']
        assert "&lt;script&gt;" in page


async def test_the_stock_page_shows_unknown_as_unknown_and_never_as_zero(site):
    page = await (await site.get("/stock?sku=BW-001", method="POST")).text()
    assert "asked Qoyod just now" in page
    assert "120.5" in page
    assert page.count(">unknown</td>") == 3
    assert site.counter.asked == [(None, "BW-001", None, True)]
    assert "data-refresh" not in page.partition("<main")[0].replace("dataset", "")


async def test_the_stock_page_says_what_it_knows_of_a_product_without_figures(ex):
    async with ex.opened() as site:
        site.counter.answer = replace(ex.ANSWER, places=(), tracked=False, fresh=False, pushed=2, note="Qoyod is away")
        page = await text_of(site, "/stock?id=42")
    for shown in ("Qoyod shows no figure", "from the snapshot", "does not track", "2 changed figures", "Qoyod is away"):
        assert shown in page


async def test_the_page_loads_nothing_from_elsewhere(site):
    page = await text_of(site)
    assert re.findall(r'(?:src|href)="(?!/|#|data:)[^"]*"', page) == []
    assert "http-equiv" in page.partition("<body")[0].partition("<noscript>")[2]


@pytest.mark.timeout(150)
async def test_a_page_left_open_follows_the_account(ex, tmp_path, monkeypatch):
    program = ex.required("chromium")
    for kept in ("_KEEP_SECONDS", "_KEEP_LONGEST"):  # on a busy machine reading takes long, and is kept for long
        monkeypatch.setattr(f"stocksync.observe.heartbeat.{kept}", 0.05)
    async with ex.opened() as site:
        loads = 0
        original = site.shelf.status

        async def turning(accounts, known):
            nonlocal loads
            loads += 1
            return [troubled(ex)] if loads > 1 else await original(accounts)

        await site.get("/")
        site.shelf.status = turning
        seen, _ = await seen_by_a_browser(program, site.url + "/", tmp_path, "--virtual-time-budget=12000")
    assert loads > 1
    assert "stocksync approve 7f3a9c21" in seen
    assert "<title>1 stale" in seen
    assert 'role="alert" hidden' in seen


@pytest.mark.timeout(150)
async def test_a_page_left_open_says_that_it_is_old_when_nobody_answers(ex, site, tmp_path):
    program = ex.required("chromium")
    page = await text_of(site)
    answers = iter([web.Response(text=page, content_type="text/html")])

    async def once(_request):
        return next(answers, None) or web.Response(status=502, text="Bad Gateway")

    application = web.Application()
    application.router.add_get("/", once)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        seen, _ = await seen_by_a_browser(program, url, tmp_path, "--virtual-time-budget=12000")
    finally:
        await runner.cleanup()
    assert 'id="frozen" role="alert">' in seen
    assert "fresh, 3 min 38 s ago" in seen


@pytest.mark.parametrize("path", ["/", "/api/status"])
async def test_no_answer_shows_a_secret_that_was_read(ex, path):
    secret = 'the-key<"nobody">may&see'
    remember(secret)
    told = ex.cycle(outcome=Outcome.FAILED, error=f"a proxy echoed API-KEY: {secret}")
    async with ex.opened(
        ex.status(cycles=(told,), quarantine=(ex.quarantined(f"got {secret}"),), quarantined=1)
    ) as site:
        text = await (await site.get(path)).text()
    for part in (secret, "nobody", json.dumps(secret)[1:-1]):
        assert part not in text
    assert "a proxy echoed API-KEY: ***" in text
