"""Credentials, limit, request log, control endpoints and life cycle of the simulator."""

import asyncio
import base64
from collections.abc import Mapping
from decimal import Decimal

import pytest
from aiohttp import ClientSession
from visitor import KEY, Got, Visitor

from stocksync.errors import ConfigurationError
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.limits import RateLimit
from stocksync.simulator.server import Simulator, run_simulator

CLIENT = {"client_id": "sim-client", "client_secret": "sim-secret"}


async def grant(visitor: Visitor, **form: str) -> Got:
    return await visitor.ask(visitor.sim.token_url, "POST", headers={}, data={**CLIENT, **form})


def bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_client_credentials_give_a_token_that_opens_the_door(visitor: Visitor) -> None:
    got = await grant(visitor, grant_type="client_credentials")
    assert got.status == 200
    assert (got.json["token_type"], got.json["expires_in"]) == ("Bearer", 3600)
    assert (await visitor.ask("/inventories", headers=bearer(got.json["access_token"]))).status == 200


async def test_the_client_may_show_itself_by_basic_authentication(visitor: Visitor) -> None:
    basic = base64.b64encode(b"sim-client:sim-secret").decode()
    form = {"grant_type": "client_credentials"}
    for offered, status in ((basic, 200), ("!!!", 401), (base64.b64encode(b"sim-client:x").decode(), 401)):
        headers = {"Authorization": f"Basic {offered}"}
        assert (await visitor.ask(visitor.sim.token_url, "POST", headers=headers, data=form)).status == status


async def test_a_refresh_token_is_good_once(visitor: Visitor) -> None:
    first = (await grant(visitor, grant_type="client_credentials")).json["refresh_token"]
    second = await grant(visitor, grant_type="refresh_token", refresh_token=first)
    assert second.status == 200
    assert second.json["refresh_token"] != first
    again = await grant(visitor, grant_type="refresh_token", refresh_token=first)
    assert (again.status, again.json) == (400, {"error": "invalid_grant"})


async def test_wrong_clients_and_grants_are_refused(visitor: Visitor) -> None:
    assert (await grant(visitor, grant_type="client_credentials", client_secret="x")).json["error"] == "invalid_client"
    assert (await grant(visitor, grant_type="password")).json["error"] == "unsupported_grant_type"


async def test_expire_ends_the_tokens_issued_so_far_and_no_later_one(visitor: Visitor) -> None:
    old = (await grant(visitor, grant_type="client_credentials")).json
    visitor.sim.faults.add("auth=expire")
    assert (await visitor.ask("/inventories", headers=bearer(old["access_token"]))).status == 401
    new = (await grant(visitor, grant_type="refresh_token", refresh_token=old["refresh_token"])).json
    assert (await visitor.ask("/inventories", headers=bearer(new["access_token"]))).status == 200


async def test_forgotten_refresh_tokens_are_invalid_grants(visitor: Visitor) -> None:
    old = (await grant(visitor, grant_type="client_credentials")).json
    visitor.sim.faults.add("auth=forget-refresh")
    assert (await grant(visitor, grant_type="refresh_token", refresh_token=old["refresh_token"])).status == 400


async def test_a_token_expires_by_itself_and_refresh_tokens_may_be_left_out() -> None:
    catalogue = Catalogue(5, 1)
    async with (
        Simulator(catalogue, token_seconds=0, refresh_tokens=False) as sim,
        ClientSession() as session,
    ):
        visitor = Visitor(session, sim)
        got = (await grant(visitor, grant_type="client_credentials")).json
        assert "refresh_token" not in got
        assert (await visitor.ask("/inventories", headers=bearer(got["access_token"]))).status == 401


def test_the_limit_counts_in_a_sliding_minute() -> None:
    limit = RateLimit(3)
    assert [limit.take(at) for at in (0, 10, 20)] == [None, None, None]
    assert limit.take(30) == 30
    assert limit.take(59.5) == 1
    assert limit.take(60) is None
    assert limit.take(61) == 9
    assert limit.take(70) is None


async def test_over_the_limit_comes_429_with_the_seconds_to_wait() -> None:
    async with Simulator(Catalogue(5, 1), rate_limit=3) as sim, ClientSession() as session:
        visitor = Visitor(session, sim)
        assert (await visitor.ask("/inventories", headers={})).status == 401
        got = [await visitor.ask("/inventories") for _ in range(4)]
        assert [one.status for one in got] == [200, 200, 200, 429]
        assert 55 <= int(got[3].headers["Retry-After"]) <= 60
        await visitor.direct("POST", "clear")
        assert (await visitor.ask("/inventories")).status == 200


async def test_the_log_has_every_request_in_order_without_a_secret(visitor: Visitor) -> None:
    await visitor.page(2)
    await visitor.ask("/inventories", headers={"Authorization": "Bearer very-secret"})
    first, second = visitor.sim.requests
    assert (first.number, first.path, first.page, first.status) == (1, "/2.0/products", 2, 200)
    assert ("q[s]", "id asc") in first.query
    assert (second.page, second.status, second.headers["authorization"]) == (None, 401, "Bearer ***")
    assert first.monotonic <= second.monotonic
    assert first.wall <= second.wall
    text = (await visitor.direct("GET", "requests")).text
    assert "sim-key" not in text
    assert "very-secret" not in text
    assert '"api-key":"***"' in text


async def test_the_log_can_be_read_on_from_a_number_and_cleared(visitor: Visitor) -> None:
    for _ in range(3):
        await visitor.page()
    assert [entry["number"] for entry in (await visitor.direct("GET", "requests?after=2")).json["requests"]] == [3]
    await visitor.direct("POST", "clear")
    assert len(visitor.sim.requests) == 0
    await visitor.page()
    assert visitor.sim.requests[-1].number == 4


async def test_faults_are_added_listed_and_ended_by_endpoint(visitor: Visitor) -> None:
    got = await visitor.direct("POST", "faults", {"add": ["page-2=500x3", "all=slow:0"]})
    assert [(fault["fault"], fault["left"]) for fault in got.json["faults"]] == [
        ("page-2=500x3", 3),
        ("all=slow:0", None),
    ]
    assert (await visitor.page(2)).status == 500
    left = await visitor.direct("DELETE", "faults?fault=all%3Dslow%3A0")
    assert [(fault["fault"], fault["hits"]) for fault in left.json["faults"]] == [("page-2=500x3", 1)]
    assert (await visitor.direct("DELETE", "faults?fault=all%3Dstall")).status == 404
    await visitor.direct("DELETE", "faults")
    assert (await visitor.direct("GET", "faults")).json == {"faults": []}
    assert (await visitor.page(2)).status == 200


async def test_the_state_endpoint_tells_every_figure(visitor: Visitor) -> None:
    state = (await visitor.direct("GET", "state")).json
    told = {
        (int(product), int(place)): Decimal(figure)
        for product, row in state["products"].items()
        for place, figure in row["stock"].items()
    }
    assert told == visitor.sim.catalogue.figures()
    assert list(state["locations"]) == ["1", "3", "5"]


async def test_products_and_figures_are_changed_by_endpoint(visitor: Visitor) -> None:
    made = await visitor.direct("POST", "products", {"sku": "007", "name_en": "Tin", "stock": {"1": "2.5"}})
    product = made.json["id"]
    await visitor.direct("POST", "stock", {"product_id": product, "location_id": 3, "quantity": -4})
    row = (await visitor.product(product)).json["product"]
    assert (row["sku"], [entry["stock"] for entry in row["inventories"]]) == ("007", ["2.5", "-4.0"])
    assert (await visitor.direct("DELETE", f"products/{product}")).json == {"id": product, "sku": "007"}
    assert (await visitor.product(product)).status == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("stock", {"product_id": 17, "location_id": 1, "quantity": "NaN"}, 400),
        ("stock", {"product_id": 17, "location_id": 99, "quantity": 1}, 404),
        ("stock", {"product_id": 17}, 400),
        ("products", {"price": 3}, 400),
        ("products", {"stock": {"one": 3}}, 400),
        ("faults", {"add": ["nonsense"]}, 400),
        ("trade", {"per_second": -1}, 400),
        ("before", {"page": 0}, 400),
    ],
)
async def test_a_wrong_direction_is_refused_in_words(visitor: Visitor, path: str, body: object, status: int) -> None:
    got = await visitor.direct("POST", path, body)
    assert got.status == status
    assert got.json["error"]


async def test_an_action_runs_once_just_before_its_page_is_served(visitor: Visitor) -> None:
    ids = list(visitor.sim.catalogue.items)
    visitor.sim.before(page=2, action=lambda catalogue: catalogue.delete(ids[5]))
    assert (await visitor.page(1)).ids == ids[:100]
    assert (await visitor.page(2)).ids == ids[101:201]
    assert (await visitor.page(2)).ids == ids[101:201]


async def test_an_action_waits_for_a_request_that_is_really_served(visitor: Visitor) -> None:
    ids = list(visitor.sim.catalogue.items)
    visitor.sim.before(page=2, action=lambda catalogue: catalogue.delete(ids[5]))
    visitor.sim.faults.add("page-2=500x1")
    assert (await visitor.page(2)).status == 500
    assert (await visitor.ask("/products?page=2", headers={})).status == 401
    assert ids[5] in visitor.sim.catalogue.items


async def test_actions_are_scripted_by_endpoint_too(visitor: Visitor) -> None:
    figure = {"product_id": 17, "location_id": 1, "quantity": "3.5"}
    visitor.sim.catalogue.track(17)
    wish = {"page": 3, "delete": 18, "set": figure, "create": {"sku": "LATE"}}
    assert (await visitor.direct("POST", "before", wish)).status == 200
    assert (await visitor.direct("POST", "before", {"page": 3, "delete": 999_999})).status == 200
    assert (await visitor.page(3)).json["products"][-1]["sku"] == "LATE"
    assert 18 not in visitor.sim.catalogue.items
    assert visitor.sim.catalogue.figures()[17, 1] == Decimal("3.5")


async def test_live_trade_moves_figures_until_it_is_stopped(visitor: Visitor) -> None:
    before = visitor.sim.catalogue.figures()
    await visitor.direct("POST", "trade", {"per_second": 400})
    async with asyncio.timeout(5):
        while visitor.sim.catalogue.figures() == before:
            await visitor.page()
    await visitor.direct("POST", "trade", {"per_second": 0})
    stopped = visitor.sim.catalogue.figures()
    await asyncio.sleep(0.02)
    assert visitor.sim.catalogue.figures() == stopped
    visitor.sim.start_trade(400)
    visitor.sim.start_trade(200)
    assert visitor.sim.trading == 200
    await visitor.sim.stop_trade()
    assert visitor.sim.trading == 0


async def test_it_stops_at_once_though_clients_hang_and_comes_back_at_the_same_address(sim: Simulator) -> None:
    sim.faults.add("page-1=timeout", "page-2=stall", "page-3=drip")
    url = sim.url
    async with ClientSession() as session:
        visitor = Visitor(session, sim)
        hanging = [asyncio.create_task(visitor.page(number)) for number in (1, 2, 3)]
        async with asyncio.timeout(5):
            while len((await visitor.direct("GET", "requests")).json["requests"]) < 3:
                pass
            await sim.stop()
            ended = await asyncio.gather(*hanging, return_exceptions=True)
        assert all(isinstance(end, Exception) for end in ended)
        with pytest.raises(OSError, match="onnect"):
            await visitor.page()
        sim.faults.clear()
        await sim.start()
        assert (sim.url, (await visitor.page()).status) == (url, 200)


async def test_a_port_that_is_taken_is_said_plainly(sim: Simulator) -> None:
    port = int(sim.root.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match="choose another"):
        await Simulator(Catalogue(1, 1), port=port).start()


async def test_the_command_s_coroutine_serves_until_it_is_told_to_end() -> None:
    listening: asyncio.Future[Simulator] = asyncio.get_running_loop().create_future()
    until = asyncio.Event()
    task = asyncio.create_task(
        run_simulator(
            port=0, products=30, locations=2, trade_per_second=5, faults=["page-1=500x1"], api_key="k",
            ready=listening.set_result, until=until,
        )
    )  # fmt: skip
    sim = await listening
    async with ClientSession() as session:
        visitor = Visitor(session, sim, {"API-KEY": "k"})
        assert [(await visitor.page()).status for _ in range(2)] == [500, 200]
        assert (await visitor.ask("/inventories", headers=KEY)).status == 401
        assert sim.trading == 5
    until.set()
    await task


async def test_many_deeds_are_done_at_once_and_the_same_ones_for_the_same_seed(visitor: Visitor) -> None:
    assert (await visitor.direct("POST", "deeds", {"count": 500})).json == {"deeds": 500}
    twin = Simulator(Catalogue(230, 3, seed=1), seed=1)
    for _ in range(500):
        twin.trader.step()
    assert visitor.sim.catalogue.figures() == twin.catalogue.figures()
