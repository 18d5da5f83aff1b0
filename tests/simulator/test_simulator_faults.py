"""Every fault does what its sentence says, over real sockets."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
from visitor import Visitor

from stocksync.errors import ConfigurationError
from stocksync.simulator.fault_kinds import KINDS
from stocksync.simulator.faults import Faults, parse
from stocksync.simulator.server import Simulator

Check = Callable[[Visitor], Awaitable[None]]
CHECKS: dict[str, Check] = {}
SOON = 0.25
"""Seconds after which a client here gives up."""


def shows(fault: str) -> Callable[[Check], Check]:
    """Say that a check shows what `fault` does; it is put in force before the check runs."""

    def keep(check: Check) -> Check:
        CHECKS[fault] = check
        return check

    return keep


def kind_of(fault: str) -> str:
    return parse(fault).kind.name


def figures(row: dict[str, Any]) -> dict[int, Decimal]:
    return {entry["id"]: Decimal(entry["stock"]) for entry in row["inventories"]}


def stocked(sim: Simulator) -> int:
    """Find a product of page 1 with figures that are not all zero."""
    return next(i.id for i in sim.catalogue.ordered() if i.stock and all(i.stock.values()) and i.id < 90)


def row_of(rows: list[dict[str, Any]], identity: int) -> dict[str, Any]:
    return next(row for row in rows if row["id"] == identity)


@shows("page-2=500x3")
async def _(visitor: Visitor) -> None:
    assert [(await visitor.page(2)).status for _ in range(4)] == [500, 500, 500, 200]
    assert (await visitor.page(1)).status == 200


@shows("page-2=404")
async def _(visitor: Visitor) -> None:
    got = await visitor.page(2)
    assert (got.status, got.json) == (404, "We found nothing")


@shows("product-17=404")
async def _(visitor: Visitor) -> None:
    got = await visitor.product(17)
    assert (got.status, got.json) == (404, "Product not found")


@shows("all=404:URL not found")
async def _(visitor: Visitor) -> None:
    assert {(await visitor.page()).text, (await visitor.ask("/inventories")).text} == {"URL not found"}


@shows("all=503x10")
async def _(visitor: Visitor) -> None:
    got = [await visitor.page(), await visitor.product(17), await visitor.ask("/inventories")]
    assert [one.status for one in got] == [503, 503, 503]
    assert "<html>" in got[0].text


@shows("all=401")
async def _(visitor: Visitor) -> None:
    got = await visitor.page()
    assert (got.status, got.json) == (401, {"error": "Unauthorized - Invalid API key"})


@shows("inventories=403")
async def _(visitor: Visitor) -> None:
    assert (await visitor.ask("/inventories")).status == 403
    assert (await visitor.page()).status == 200


@shows("token=400")
async def _(visitor: Visitor) -> None:
    got = await visitor.ask(visitor.sim.token_url, "POST", headers={})
    assert (got.status, got.json) == (400, {"error": "invalid_grant"})


@shows("all=429x2:retry=2")
async def _(visitor: Visitor) -> None:
    got = [await visitor.page() for _ in range(3)]
    assert [(one.status, one.headers.get("Retry-After")) for one in got] == [(429, "2"), (429, "2"), (200, None)]


@shows("all=429:retry=none")
async def _(visitor: Visitor) -> None:
    got = await visitor.page()
    assert (got.status, got.headers.get("Retry-After")) == (429, None)


@shows("all=429:retry=date-30")
async def _(visitor: Visitor) -> None:
    at = parsedate_to_datetime((await visitor.page()).headers["Retry-After"])
    assert 25 < (at - visitor.sim.requests[-1].wall).total_seconds() <= 30


@shows("all=timeout")
async def _(visitor: Visitor) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await visitor.ask("/products?page=1&per_page=100", timeout=aiohttp.ClientTimeout(total=SOON))


@shows("page-3=stall")
async def _(visitor: Visitor) -> None:
    async with visitor.session.get(f"{visitor.sim.url}/products?page=3&per_page=100", headers=visitor.headers) as got:
        assert got.status == 200
        half = int(got.headers["Content-Length"]) // 2
        assert len(await got.content.readexactly(half)) == half
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(SOON):
                await got.content.readexactly(1)


@shows("page-1=drip:0.01")
async def _(visitor: Visitor) -> None:
    timeout = aiohttp.ClientTimeout(total=4 * SOON, sock_read=3 * SOON)
    with pytest.raises(asyncio.TimeoutError) as caught:
        await visitor.ask("/products?page=1&per_page=100", timeout=timeout)
    assert not isinstance(caught.value, aiohttp.SocketTimeoutError)


@shows("page-2=reset")
async def _(visitor: Visitor) -> None:
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await visitor.page(2)


@shows("page-2=truncate")
async def _(visitor: Visitor) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await visitor.page(2)


@shows("page-2=half-json")
async def _(visitor: Visitor) -> None:
    got = await visitor.page(2)
    assert got.status == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        _ = got.json


@shows("all=slow:0.1")
async def _(visitor: Visitor) -> None:
    begun = asyncio.get_running_loop().time()
    assert (await visitor.page()).status == 200
    assert asyncio.get_running_loop().time() - begun >= 0.1


@shows("page-1=html")
async def _(visitor: Visitor) -> None:
    got = await visitor.page()
    assert got.status == 200
    assert got.text.startswith("<!DOCTYPE html>")


@shows("page-3=challenge")
async def _(visitor: Visitor) -> None:
    assert (await visitor.page()).status == 200
    got = await visitor.page(3)
    assert (got.status, got.headers["cf-mitigated"]) == (403, "challenge")
    assert "Just a moment" in got.text


@shows("page-2=hostile:1")
async def _(visitor: Visitor) -> None:
    got = await visitor.page(2)
    assert 900_000 < len(got.text) < 1_100_000
    assert len(got.json["products"]) > 40_000


@shows("page-1=string")
async def _(visitor: Visitor) -> None:
    assert isinstance((await visitor.page()).json, str)


@shows("page-1=empty-body")
async def _(visitor: Visitor) -> None:
    got = await visitor.page()
    assert (got.status, got.text) == (200, "")


@shows("all=redirect")
async def _(visitor: Visitor) -> None:
    got = await visitor.page()
    assert (got.status, got.headers["Location"]) == (307, f"{visitor.sim.root}/moved/2.0/products")
    async with visitor.session.get(f"{visitor.sim.url}/products", headers=visitor.headers) as followed:
        assert followed.status == 404
    assert visitor.sim.requests[-1].path == "/moved/2.0/products"


@shows("list=redirect:https://elsewhere.example/2.0")
async def _(visitor: Visitor) -> None:
    assert (await visitor.page()).headers["Location"] == "https://elsewhere.example/2.0"


@shows("list=deep-json")
async def _(visitor: Visitor) -> None:
    assert (await visitor.page()).text.count("[") == 500_000


@shows("list=huge:3")
async def _(visitor: Visitor) -> None:
    got = await visitor.page()
    assert "Content-Length" not in got.headers
    assert len(got.text) > 3_000_000
    assert got.json["products"] == []


@shows("list=gzip-bomb:3")
async def _(visitor: Visitor) -> None:
    got = await visitor.page()
    assert int(got.headers["Content-Length"]) < 100_000
    assert len(got.text) > 3_000_000


@shows("list=nothing")
async def _(visitor: Visitor) -> None:
    got = await visitor.page()
    assert (got.status, got.text) == (404, '"We found nothing"')
    assert (await visitor.product(visitor.sim.catalogue.ordered()[0].id)).status == 200


@shows("page-1=nothing:bare")
async def _(visitor: Visitor) -> None:
    assert (await visitor.page()).text == "We found nothing"


@shows("list=repeat-page-1")
async def _(visitor: Visitor) -> None:
    first, third = await visitor.page(1), await visitor.page(3)
    assert third.ids == first.ids
    assert third.json["pagination"]["currentPage"] == "1"


@shows("page-3=copy-page-2")
async def _(visitor: Visitor) -> None:
    second, third = await visitor.page(2), await visitor.page(3)
    assert third.ids == second.ids
    assert third.json["pagination"]["currentPage"] == "3"


@shows("list=no-pagination")
async def _(visitor: Visitor) -> None:
    got = await visitor.page(2)
    assert len(got.ids) == 230
    assert set(got.json) == {"products"}


@shows("list=clamp-25")
async def _(visitor: Visitor) -> None:
    got = await visitor.page()
    assert (len(got.ids), got.json["pagination"]["perPage"], got.json["pagination"]["totalPages"]) == (25, "25", 10)


@shows("list=ignore-filter")
async def _(visitor: Visitor) -> None:
    assert len((await visitor.page(**{"q[sku_eq]": "no-such"})).ids) == 100


@shows("list=halve")
async def _(visitor: Visitor) -> None:
    ids = (await visitor.page()).ids + (await visitor.page(2)).ids
    assert ids == list(visitor.sim.catalogue.items)[:115]
    assert (await visitor.product(list(visitor.sim.catalogue.items)[-1])).status == 200


@shows("all=halve")
async def _(visitor: Visitor) -> None:
    ids = list(visitor.sim.catalogue.items)
    assert (await visitor.page()).json["pagination"]["total"] == 115
    assert ((await visitor.product(ids[-1])).status, (await visitor.product(ids[0])).status) == (404, 200)


@shows("product-17=hidden")
async def _(visitor: Visitor) -> None:
    got = await visitor.page()
    assert 17 not in got.ids
    assert got.json["pagination"]["total"] == 229
    assert (await visitor.product(17)).status == 200


@shows("product-17=gone")
async def _(visitor: Visitor) -> None:
    assert 17 not in (await visitor.page()).ids
    assert (await visitor.product(17)).json == "Product not found"


@pytest.mark.parametrize("value", ["null", '""', "true", "NaN", '"Infinity"', "1e400", "[]", '"12,5"'])
async def test_bad_stock_puts_the_value_on_the_wire_in_both_places(visitor: Visitor, value: str) -> None:
    product = stocked(visitor.sim)
    visitor.sim.faults.add(f"product-{product}=bad-stock:{value}")
    assert (await visitor.page()).text.count(f'"stock":{value}') == 1
    assert f'"stock":{value}' in (await visitor.product(product)).text
    assert (await visitor.product(product + 1)).status in {200, 404}


@shows("product-17=set:track_quantity=true")
async def _(visitor: Visitor) -> None:
    assert row_of((await visitor.page()).json["products"], 17)["track_quantity"] is True


@shows("product-17=drop:sku")
async def _(visitor: Visitor) -> None:
    assert "sku" not in row_of((await visitor.page()).json["products"], 17)


@shows("product-17=no-inventories")
async def _(visitor: Visitor) -> None:
    rows = (await visitor.page()).json["products"]
    assert [row["id"] for row in rows if "inventories" not in row] == [17]
    assert "inventories" not in (await visitor.product(17)).json["product"]


@shows("product-17=no-movements")
async def _(visitor: Visitor) -> None:
    assert row_of((await visitor.page()).json["products"], 17)["inventories"] == []


@shows("product-17=not-object")
async def _(visitor: Visitor) -> None:
    rows = (await visitor.page()).json["products"]
    assert len(rows) == 100
    assert sum(isinstance(row, str) for row in rows) == 1


@shows("list=mass-zero")
async def _(visitor: Visitor) -> None:
    rows = (await visitor.page()).json["products"]
    assert {figure for row in rows for figure in figures(row).values()} == {0}
    product = stocked(visitor.sim)
    assert figures((await visitor.product(product)).json["product"]) == visitor.sim.catalogue.item(product).stock


@shows("all=mass-zero")
async def _(visitor: Visitor) -> None:
    assert set(figures((await visitor.product(stocked(visitor.sim))).json["product"]).values()) == {0}


@shows("list=lie-stock")
async def _(visitor: Visitor) -> None:
    product = stocked(visitor.sim)
    listed = figures(row_of((await visitor.page()).json["products"], product))
    by_id = figures((await visitor.product(product)).json["product"])
    assert listed == {place: figure + 7 for place, figure in by_id.items()}


@shows("all=stock-as:number")
async def _(visitor: Visitor) -> None:
    rows = (await visitor.page()).json["products"]
    assert {type(entry["stock"]) for row in rows for entry in row["inventories"]} == {float}


@shows("all=track-as:bool")
async def _(visitor: Visitor) -> None:
    assert {type(row["track_quantity"]) for row in (await visitor.page()).json["products"]} == {bool}


@shows("location-3=vanish")
async def _(visitor: Visitor) -> None:
    rows = (await visitor.page()).json["products"]
    assert {place for row in rows for place in figures(row)} == {1, 5}
    assert [place["id"] for place in (await visitor.ask("/inventories")).json["inventories"]] == [1, 5]
    assert 3 not in figures((await visitor.product(stocked(visitor.sim))).json["product"])


@shows("page-2=lost-pagination")
async def _(visitor: Visitor) -> None:
    got = await visitor.page(2)
    assert (len(got.ids), set(got.json)) == (100, {"products"})
    assert "pagination" in (await visitor.page(1)).json


@shows("list=number-pagination")
async def _(visitor: Visitor) -> None:
    pagination = (await visitor.page(2)).json["pagination"]
    assert (pagination["perPage"], pagination["currentPage"]) == (100, 2)


@shows("page-2=wrong-total:-5")
async def _(visitor: Visitor) -> None:
    totals = [(await visitor.page(number)).json["pagination"]["total"] for number in (1, 2)]
    assert totals == [230, 225]


@shows("page-2=drop-row")
async def _(visitor: Visitor) -> None:
    got = await visitor.page(2)
    assert got.ids == list(visitor.sim.catalogue.items)[100:199]
    assert got.json["pagination"]["total"] == 230


@shows("page-2=double-row")
async def _(visitor: Visitor) -> None:
    ids = (await visitor.page(2)).ids
    assert (len(ids), ids[0]) == (101, ids[1])


@shows("page-2=reversed")
async def _(visitor: Visitor) -> None:
    assert (await visitor.page(2)).ids == list(visitor.sim.catalogue.items)[100:200][::-1]


@shows("page-2=empty-page")
async def _(visitor: Visitor) -> None:
    got = await visitor.page(2)
    assert got.ids == []
    assert got.json["pagination"]["count"] == 100


@shows("list=delete-between-pages")
async def _(visitor: Visitor) -> None:
    ids = list(visitor.sim.catalogue.items)
    assert (await visitor.page(1)).ids == ids[:100]
    assert (await visitor.page(2)).ids == ids[101:201]
    assert (await visitor.page(2)).ids == ids[101:201]
    assert ids[0] not in visitor.sim.catalogue.items


@shows("page-3=delete-before:17")
async def _(visitor: Visitor) -> None:
    await visitor.page(2)
    assert 17 in visitor.sim.catalogue.items
    await visitor.page(3)
    assert 17 not in visitor.sim.catalogue.items


@shows("page-3=create-before:LATE-1")
async def _(visitor: Visitor) -> None:
    row = (await visitor.page(3)).json["products"][-1]
    assert (row["sku"], row["inventories"][0]["stock"]) == ("LATE-1", "1.0")


@shows("page-1=set-before:17/1=-4.5")
async def _(visitor: Visitor) -> None:
    assert figures(row_of((await visitor.page()).json["products"], 17))[1] == Decimal("-4.5")


@shows("auth=revoke")
async def _(visitor: Visitor) -> None:
    assert (await visitor.page()).status == 401
    visitor.sim.faults.clear()
    assert (await visitor.page()).status == 200


@shows("auth=rotate:new-key")
async def _(visitor: Visitor) -> None:
    assert (await visitor.page()).status == 401
    assert (await visitor.ask("/inventories", headers={"API-KEY": "new-key"})).status == 200


SHOWN_ELSEWHERE = {"bad-stock", "expire", "forget-refresh", "ignore-in"}


@pytest.mark.parametrize("fault", sorted(CHECKS))
async def test_a_fault_does_what_it_says(visitor: Visitor, fault: str) -> None:
    visitor.sim.catalogue.track(17)
    added = visitor.sim.faults.add(fault)[0]
    await CHECKS[fault](visitor)
    assert added.hits > 0


def test_every_fault_is_shown() -> None:
    assert {kind_of(fault) for fault in CHECKS} | SHOWN_ELSEWHERE == {kind.name for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_example_can_be_typed_and_every_doc_is_one_sentence(kind: Any) -> None:
    assert parse(kind.example).kind == kind
    assert kind.doc.endswith(".")
    assert ". " not in kind.doc


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "expected place=kind"),
        ("page-2=50", "no kind '50'"),
        ("page-2=tiemout", "did you mean timeout"),
        ("shelf=timeout", "no place 'shelf'"),
        ("page=timeout", "page-N with a number"),
        ("all-3=timeout", "all without a number"),
        ("all=vanish", "vanish happens at location"),
        ("page-2=500x0", "no kind '500x0'"),
        ("all=slow", "slow needs :seconds"),
        ("all=slow:soon", "the argument of slow is seconds"),
        ("all=timeout:3", "takes no argument"),
        ("all=429:2", "retry=SECONDS"),
        ("list=clamp-0", "no kind 'clamp-0'"),
        ("list=clamp-N", "expected place=kind"),
        ("all=stock-as:roman", "string, number or integer"),
    ],
)
def test_a_mistyped_fault_is_refused_with_a_hint(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        parse(text)


def test_all_mistakes_are_named_at_once_and_none_of_the_faults_is_added() -> None:
    faults = Faults()
    with pytest.raises(ConfigurationError) as caught:
        faults.add("all=timeout", "nonsense", "all=vanish")
    assert len(caught.value.problems) == 2
    assert list(faults) == []


async def test_several_faults_work_together(visitor: Visitor) -> None:
    visitor.sim.faults.add("list=clamp-50", "list=mass-zero", "page-1=500x1", "page-1=double-row")
    assert (await visitor.page()).status == 500
    got = await visitor.page()
    assert len(got.ids) == 51
    assert set(figures(got.json["products"][0]).values()) <= {0}


async def test_a_row_fault_with_a_count_counts_requests_not_rows(visitor: Visitor) -> None:
    visitor.sim.faults.add("list=no-movementsx2")
    pages = [(await visitor.page()).json["products"] for _ in range(3)]
    assert [any(row["inventories"] for row in rows) for rows in pages] == [False, False, True]


@pytest.mark.parametrize("fault", ["list=huge", "page-1=drip", "page-1=stall", "all=slow:30"])
async def test_a_client_that_gives_up_leaves_nothing_behind(visitor: Visitor, fault: str) -> None:
    async def read_a_part() -> None:
        async with visitor.session.get(f"{visitor.sim.url}/products?page=1", headers=visitor.headers) as got:
            await got.content.readexactly(1_000_000)
            await asyncio.Event().wait()  # a quick machine would read all 64 MB before the time is over

    visitor.sim.faults.add(fault)
    before = len(asyncio.all_tasks())
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(read_a_part(), 0.05)
    visitor.sim.faults.clear()
    assert (await visitor.page()).status == 200
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > before + 1:
            await visitor.page()
