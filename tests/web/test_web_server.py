import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from stocksync.errors import AskedTooOften, ConfigurationError, SourceUnavailable, StateUnavailable
from stocksync.web.server import serve


async def body_of(answer):
    return json.loads(await answer.text())


async def test_a_fresh_account_is_healthy_and_ready(site):
    assert (await site.get("/healthz")).status == 200
    ready = await site.get("/readyz")
    assert ready.status == 200
    assert await body_of(ready) == {
        "well": True,
        "accounts": [{"account": "main", "well": True, "lag": 218, "limit": 2400, "reasons": [], "word": "fresh"}],
    }


async def test_a_stale_account_makes_it_not_ready_with_the_reason_and_it_stays_healthy(ex):
    stale = ex.status("outlet", last_complete=ex.ago(hours=3), consecutive_failures=5)
    async with ex.opened(ex.status(), stale, watched=(ex.MAIN, ex.OUTLET)) as site:
        ready = await site.get("/readyz")
        assert ready.status == 503
        told = (await body_of(ready))["accounts"]
        assert [one["well"] for one in told] == [True, False]
        assert "ended 3 h ago, more than 13 min" in told[1]["reasons"][0]
        assert (await site.get("/healthz")).status == 200


async def test_an_event_loop_that_did_not_turn_is_not_healthy(site):
    site.heartbeat._last -= 60
    answer = await site.get("/healthz")
    assert answer.status == 503
    assert "the event loop last turned 60 s ago" in await answer.text()


async def test_health_says_so_when_the_loop_turns_but_polls_do_not(site):
    site.web._complaints = lambda: ["the poll main is 40 s overdue", "the audit main should have ended 300 s ago"]
    answer = await site.get("/healthz")
    assert answer.status == 503
    assert (await body_of(answer))["error"] == (
        "the event loop turns, but the poll main is 40 s overdue; the audit main should have ended 300 s ago:"
        " restart stocksync"
    )


async def test_metrics_are_served_as_text_and_as_openmetrics(site):
    plain = await site.get("/metrics")
    assert plain.headers["Content-Type"].startswith("text/plain; version=")
    assert 'stocksync_poll_interval_seconds{account="main"} 900.0' in await plain.text()
    asked = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    modern = await site.get("/metrics", {"Accept": asked})
    assert modern.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert (await modern.text()).endswith("# EOF\n")


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text;version=x.y", "", "*/*", ";;;,", "text/plain;version=9"]
)
async def test_no_accept_header_breaks_the_scrape(site, accept):
    assert (await site.get("/metrics", {"Accept": accept})).status == 200


async def test_the_status_tells_everything_the_state_knows(ex):
    status = ex.status(
        held=ex.plan(250),
        quarantine=(ex.quarantined("too long"),),
        quarantined=1,
        audit=ex.audit(),
    )
    async with ex.opened(status) as site:
        told = await body_of(await site.get("/api/status"))
    assert told["at"] == "2026-08-31T12:00:00Z"
    assert told["well"] is True
    account = told["accounts"][0]
    assert account["health"]["reasons"][0] == (
        "250 changes wait for a person: 250 figures would go to 0 (30,000 units); stocksync plan"
    )
    assert account["held"]["changes_total"] == 250
    assert len(account["held"]["changes"]) == 100
    assert account["held"]["changes"][0] == {
        "change": {
            "product_id": 1,
            "place": "MAIN",
            "sku": "SKU-1",
            "before": "120",
            "after": "0",
            "parts": [{"location": 3, "quantity": "0"}],
            "cause": "poll",
            "kind": "zero",
        },
        "guards": ["zeroed"],
        "name": "",
        "location": "",
    }
    assert account["quarantine"][0]["figure"] == "5"
    assert account["audit"]["units"] == {"edited_in_target": "12"}
    assert account["cycles"][0]["verdict"] == "complete"


@pytest.mark.parametrize("path", ["/", "/api/status", "/readyz"])
async def test_with_the_state_away_people_get_a_clear_sentence(ex, path):
    async with ex.opened() as site:
        site.shelf.error = StateUnavailable("connection refused")
        site.view._read_at = -1e9
        answer = await site.get(path)
        assert answer.status == 503
        assert "the state database cannot be read" in await answer.text()
        assert "connection refused" in await answer.text()


async def test_with_the_state_away_metrics_and_health_keep_working(site):
    site.shelf.error = StateUnavailable("connection refused")
    assert (await site.get("/metrics")).status == 200
    assert (await site.get("/healthz")).status == 200


async def test_a_state_that_hangs_is_given_up_once_for_all_who_wait(site, monkeypatch):
    monkeypatch.setattr("stocksync.observe.heartbeat._STATE_SECONDS", 0.05)
    never = asyncio.Event()

    async def hang(_accounts, _known):
        site.shelf.asked += 1
        await never.wait()

    site.view._read_at = -1e9
    site.shelf.status = hang
    asked = site.shelf.asked
    answers = await asyncio.gather(*(site.get("/readyz") for _ in range(10)))
    assert [answer.status for answer in answers] == [503] * 10
    assert site.shelf.asked == asked + 1


async def test_many_readers_cost_the_state_one_query_a_second(site):
    asked = site.shelf.asked
    await asyncio.gather(*(site.get("/api/status") for _ in range(20)))
    assert site.shelf.asked <= asked + 1


async def test_one_product_is_looked_up_by_sku_or_by_id(site):
    by_sku = await site.get("/api/refresh?sku=BW-001&account=main", method="POST")
    assert by_sku.status == 200
    told = await body_of(by_sku)
    figures = {"source": "120.5", "desired": "120", "snapshot": "118", "target": "120", "sent": None}
    times = {"confirmed_at": None, "changed_at": None, "in_target": None, "remark": ""}
    assert told["places"][0] == {"place": "MAIN", "locations": {"3": "Main Warehouse"}, **figures, **times}
    assert told["places"][1]["source"] is None
    assert (await site.get("/api/stock?id=42")).status == 200
    assert site.counter.asked == [("main", "BW-001", None, True), (None, None, 42, False)]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "give either sku or id"),
        ("?sku=a&id=1", "give either sku or id"),
        ("?id=abc", "id: a positive number (got 'abc')"),
        ("?id=0", "id: a positive number"),
        ("?id=-3", "id: a positive number"),
        ("?id=%D9%A3", "id: a positive number"),
        ("?id=" + "9" * 5000, "id: a positive number"),
        ("?sku=a&account=nobody", "account: there are main (got 'nobody')"),
        ("?sku=a&warehouse=3", "unknown parameter 'warehouse'"),
        ("?sku=" + "x" * 300, "sku: at most 255 characters"),
    ],
)
async def test_bad_parameters_are_named_and_ask_nobody(site, query, sentence):
    answer = await site.get("/api/stock" + query)
    assert answer.status == 400
    assert sentence in (await body_of(answer))["error"]
    assert site.counter.asked == []


async def test_a_product_nobody_knows_is_404(site):
    answer = await site.get("/api/stock?sku=GHOST")
    assert answer.status == 404
    assert await body_of(answer) == {"error": "Qoyod knows no product GHOST"}
    assert (await site.get("/stock?sku=GHOST")).status == 404


@pytest.mark.parametrize("error", [SourceUnavailable("Qoyod answered 502"), StateUnavailable("locked")])
async def test_a_lookup_that_fails_is_503_with_its_sentence(site, error):
    site.counter.error = error
    answer = await site.get("/api/stock?sku=BW-001")
    assert answer.status == 503
    assert str(error) in (await body_of(answer))["error"]


async def test_who_asks_too_often_is_told_when_to_ask_again(site):
    site.counter.error = AskedTooOften(3.2)
    answer = await site.get("/api/refresh?sku=BW-001", method="POST")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "4")
    assert "their share of the request budget" in (await body_of(answer))["error"]


async def test_nothing_can_be_posted(site):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await site.get("/", method=method)).status == 405
        refused = await site.get("/api/status", method=method)
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")
        assert (await body_of(refused))["error"] == "/api/status is asked by GET, HEAD alone"
    async with site.session.head(site.url + "/api/status") as head:
        assert head.status == 200
        assert await head.read() == b""


async def test_every_answer_carries_the_security_headers(site):
    for path in ("/", "/metrics", "/api/status", "/nowhere", "/api/stock"):
        headers = (await site.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")


async def test_a_port_in_use_is_a_configuration_error_that_names_the_key(site):
    port = int(site.url.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=r"http\.listen: cannot listen on 127\.0\.0\.1:\d+: .*in use"):
        async with serve(site.web, "127.0.0.1", port):
            pass


async def test_what_a_restart_forgot_comes_back_from_the_state(ex):
    status = ex.status(held=ex.plan(3), audit=ex.audit(), oldest_unpushed=ex.ago(minutes=9), consecutive_failures=2)
    async with ex.opened(status) as site:
        await site.get("/api/status")
        text = await (await site.get("/metrics")).text()
    complete, unpushed = ex.ago(minutes=3, seconds=38).timestamp(), ex.ago(minutes=9).timestamp()
    for line in (
        f'stocksync_last_complete_cycle_timestamp_seconds{{account="main"}} {complete}',
        f'stocksync_oldest_unpushed_timestamp_seconds{{account="main"}} {unpushed}',
        'stocksync_guard_open{account="main",guard="zeroed"} 3.0',
        'stocksync_guard_open{account="main",guard="deleted"} 0.0',
        'stocksync_drift_cells{account="main",cause="edited_in_target"} 1.0',
        'stocksync_consecutive_failures{account="main"} 2.0',
    ):
        # Large floats are rendered with an exponent; both sides are read as numbers.
        name, _, value = line.rpartition(" ")
        found = next(row for row in text.splitlines() if row.startswith(name + " "))
        assert float(found.rpartition(" ")[2]) == float(value)


async def test_the_metrics_follow_the_state_and_outlive_its_absence(site, ex):
    asked = asyncio.Event()
    answers = iter([StateUnavailable("away"), RuntimeError("a surprise"), ex.status(consecutive_failures=4)])

    async def status(_accounts, _known):
        answer = next(answers, None) or ex.status(consecutive_failures=4)
        if isinstance(answer, Exception):
            raise answer
        asked.set()
        return [answer]

    site.shelf.status = status
    site.view._read_at = -1e9
    watching = asyncio.create_task(site.view.run(0.01))
    async with asyncio.timeout(10):
        await asked.wait()
    watching.cancel()
    assert site.metrics.registry.get_sample_value("stocksync_consecutive_failures", {"account": "main"}) == 4


async def test_the_heartbeat_shows_a_loop_that_was_blocked(site):
    site.heartbeat._last -= 7
    beating = asyncio.create_task(site.heartbeat.run())
    await asyncio.sleep(0)
    beating.cancel()
    lag = site.metrics.registry.get_sample_value("stocksync_event_loop_lag_seconds_sum")
    assert lag is not None
    assert timedelta(seconds=lag) >= timedelta(seconds=6)


async def test_of_very_many_accounts_each_answer_tells_a_part(ex, monkeypatch):
    monkeypatch.setattr("stocksync.web.status_json.MOST_ACCOUNTS", 3)
    names = [f"m{number}" for number in range(7)]
    watched = [replace(ex.MAIN, name=name) for name in names]
    statuses = [ex.status(name, last_complete=None if name == "m5" else ex.NOW) for name in names]
    async with ex.opened(*statuses, watched=watched) as site:

        async def told(path):
            return await body_of(await site.get(path))

        first, last = await told("/api/status"), await told("/api/status?page=3")
        assert [one["account"] for one in first["accounts"]] == names[:3]
        assert (first["accounts_total"], first["next"], first["well"]) == (7, "/api/status?page=2", False)
        assert ([one["account"] for one in last["accounts"]], last["next"]) == (["m6"], None)
        one = await told("/api/status?account=m4")
        assert ([each["account"] for each in one["accounts"]], "next" in one) == (["m4"], False)
        assert (await site.get("/api/status?account=nobody")).status == 404
        assert "page" in (await told("/api/status?page=0"))["error"]
        ready = await told("/readyz")
        assert (ready["accounts"][0]["account"], len(ready["accounts"]), ready["accounts_total"]) == ("m5", 3, 7)
        page = await (await site.get("/?find=M5&sort=lag")).text()
        assert ("/?account=m5" in page, "/?account=m4" in page) == (True, False)
        assert "/?sort=held&amp;find=M5" in page


async def test_a_status_that_took_long_to_read_is_kept_for_longer(site, monkeypatch):
    monkeypatch.setattr("stocksync.observe.heartbeat._KEEP_SECONDS", 0.0)
    monkeypatch.setattr("stocksync.observe.heartbeat._KEEP_TIMES", 1e9)
    site.view.watch(["main"])
    await site.get("/api/status")
    asked = site.shelf.asked
    await site.get("/api/status")
    assert site.shelf.asked == asked
    site.view.watch(["main"])
    await site.get("/api/status")
    assert site.shelf.asked == asked + 1
