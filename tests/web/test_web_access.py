import base64

import pytest

from stocksync.web.access import is_loopback

OPEN = ("/metrics", "/healthz", "/readyz")
CLOSED = ("/", "/api/status", "/api/stock?sku=BW-001", "/stock?sku=BW-001", "/nowhere")
TOKEN = "t0ken-ünïcode"


def basic(password, user="anybody"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST.", "[::1]", "::1", "a.localhost"])
def test_these_hosts_are_this_machine_alone(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.7", "localhost.evil.example", "127.0.0.1.evil.example"])
def test_these_hosts_are_not(host):
    assert not is_loopback(host)


async def test_beyond_loopback_without_a_token_only_metrics_and_health_are_served(ex):
    async with ex.opened(host="0.0.0.0") as site:
        assert [(await site.get(path)).status for path in OPEN] == [200] * 3
        for path in CLOSED:
            answer = await site.get(path)
            assert answer.status == 403
            assert "set http.token_env" in await answer.text()
        assert site.counter.asked == []


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_with_a_token_the_rest_is_served_to_who_knows_it(ex, host):
    async with ex.opened(host=host, token=TOKEN) as site:
        assert [(await site.get(path)).status for path in OPEN] == [200] * 3
        for path in CLOSED:
            assert (await site.get(path)).status == 401
        assert (await site.get("/", basic(TOKEN))).status == 200
        assert (await site.get("/api/status", basic(TOKEN, user=""))).status == 200


async def test_a_bearer_token_is_accepted(ex):
    async with ex.opened(host="0.0.0.0", token="plain-token") as site:
        assert (await site.get("/api/status", {"Authorization": "Bearer plain-token"})).status == 200
        assert (await site.get("/api/status", {"Authorization": "bearer plain-token"})).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer plain-toke"},
        {"Authorization": "plain-token"},
        {"Authorization": "Basic plain-token"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic /////w=="},
        {"Authorization": "Digest plain-token"},
        {"Cookie": "token=plain-token"},
        basic(""),
        basic("wrong"),
    ],
)
async def test_nothing_else_is(ex, headers):
    async with ex.opened(host="0.0.0.0", token="plain-token") as site:
        answer = await site.get("/api/status?token=plain-token", headers)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


async def test_on_loopback_a_foreign_host_name_is_refused(site):
    for host in ("evil.example", "evil.example:9464", "127.0.0.1.evil.example", "0.0.0.0", ""):
        assert (await site.get("/api/status", {"Host": host})).status == 403
    for host in ("localhost:9464", "127.0.0.1", "[::1]:9464"):
        assert (await site.get("/api/status", {"Host": host})).status == 200


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://127.0.0.1:{port}"}, True),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        # A proxy that changes Host: the browser's own word counts.
        ({"Origin": "https://stock.example", "Sec-Fetch-Site": "same-origin"}, True),
    ],
)
async def test_another_site_cannot_spend_the_request_budget_through_a_visitors_browser(site, headers, passes):
    port = site.url.rpartition(":")[2]
    sent = {name: value.replace("{port}", port) for name, value in headers.items()}
    for path in ("/api/refresh?sku=BW-001", "/stock?sku=BW-001"):
        assert (await site.get(path, sent, "POST")).status == (200 if passes else 403)
    assert len(site.counter.asked) == (2 if passes else 0)
    assert (await site.get("/", sent)).status == 200


async def test_qoyod_is_asked_by_post_alone(site):
    for path in ("/api/stock?sku=BW-001&fresh=true", "/stock?sku=BW-001&fresh=true", "/api/refresh?sku=BW-001"):
        answer = await site.get(path)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert site.counter.asked == []
    for path in ("/api/stock?sku=BW-001", "/stock?sku=BW-001"):
        assert (await site.get(path)).status == 200
    assert {asked[-1] for asked in site.counter.asked} == {False}


async def test_a_token_that_reads_looks_at_everything_and_has_nothing_asked(ex):
    async with ex.opened(host="0.0.0.0", token="may-refresh", reading="may-read") as site:
        read, refresh = ({"Authorization": f"Bearer {token}"} for token in ("may-read", "may-refresh"))
        for path in ("/", "/api/status", "/api/stock?sku=BW-001", "/stock?sku=BW-001"):
            assert (await site.get(path, read)).status == 200
        for path in ("/api/refresh?sku=BW-001", "/stock?sku=BW-001"):
            refused = await site.get(path, read, "POST")
            assert refused.status == 403
            assert 'role = "refresh"' in (await refused.text()).replace("\\", "")
            assert (await site.get(path, refresh, "POST")).status == 200


async def test_metrics_may_be_put_behind_the_token_and_health_never_is(ex):
    async with ex.opened(host="0.0.0.0", token=TOKEN, guarded=True) as site:
        assert (await site.get("/metrics")).status == 401
        assert (await site.get("/metrics", basic(TOKEN))).status == 200
        assert [(await site.get(path)).status for path in ("/healthz", "/livez", "/readyz")] == [200] * 3


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("where", "status", "words"),
    [
        ({"host": "0.0.0.0"}, 403, "set http.token_env"),
        ({"host": "0.0.0.0", "token": TOKEN}, 401, "the token is missing or wrong"),
    ],
)
async def test_a_browser_is_refused_with_a_sentence_and_a_program_with_json(ex, where, status, words):
    async with ex.opened(**where) as site:
        shown = await site.get("/", BROWSER)
        told = await site.get("/api/status", BROWSER)
        plain = await site.get("/")
    assert (shown.status, told.status, plain.status) == (status, status, status)
    assert shown.headers["Content-Type"].startswith("text/html")
    assert words in await shown.text()
    assert ("WWW-Authenticate" in shown.headers) == (status == 401)
    assert "Content-Security-Policy" in shown.headers
    for answer in (told, plain):
        assert answer.headers["Content-Type"].startswith("application/json")
        assert words in (await answer.json())["error"]


async def test_what_is_not_there_is_said_in_either_language(site):
    assert (await (await site.get("/nowhere")).json()) == {"error": "there is nothing at /nowhere"}
    shown = await site.get("/<b>nowhere", BROWSER)
    assert shown.status == 404
    assert "there is nothing at /&lt;b&gt;nowhere" in await shown.text()
