"""The wire shapes are those of the real API."""

from typing import Any

import pytest
from aiohttp import ClientSession
from visitor import Got, Visitor

from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.render import Style
from stocksync.simulator.server import Simulator


def rows(got: Got) -> list[dict[str, Any]]:
    return got.json["products"]


async def test_a_list_page_has_the_published_shape(visitor: Visitor) -> None:
    got = await visitor.page(2)
    assert got.status == 200
    assert got.headers["Content-Type"].startswith("application/json")
    assert got.json["pagination"] == {
        "count": 100, "total": 230, "perPage": "100", "currentPage": "2", "totalPages": 3,
    }  # fmt: skip
    for row in rows(got):
        assert isinstance(row["id"], int)
        assert isinstance(row["sku"], str)
        assert row["track_quantity"] in (0, 1)
        assert row["track_quantity"] is not True
        for entry in row["inventories"]:
            assert set(entry) == {"id", "name_en", "name_ar", "stock"}
            assert isinstance(entry["stock"], str)
            assert "." in entry["stock"]


async def test_a_product_weighs_about_what_a_real_one_does(visitor: Visitor) -> None:
    sizes = [len((await visitor.page(number)).text.encode()) / 100 for number in (1, 2)]
    assert all(650 < size < 900 for size in sizes)


async def test_all_pages_together_are_the_catalogue(visitor: Visitor) -> None:
    ids = [identity for number in (1, 2, 3) for identity in (await visitor.page(number)).ids]
    assert ids == list(visitor.sim.catalogue.items)


async def test_figures_are_decimal_strings_as_a_real_account_sends_them(visitor: Visitor) -> None:
    product = visitor.sim.catalogue.create(stock={1: 0, 3: "36.2084", 5: "-120.50"})
    entries = (await visitor.product(product.id)).json["product"]["inventories"]
    assert [(entry["id"], entry["stock"]) for entry in entries] == [(1, "0.0"), (3, "36.2084"), (5, "-120.5")]


@pytest.mark.parametrize(
    ("style", "stock", "tracked"),
    [
        (Style("number", "bool"), [2.0, 36.2084], True),
        (Style("integer", "text"), [2, 36.2084], "1"),
    ],
)
async def test_other_accounts_send_other_shapes(style: Style, stock: list[float], tracked: object) -> None:
    catalogue = Catalogue(0, 2)
    catalogue.create(stock={1: 2, 3: "36.2084"})
    async with Simulator(catalogue, style=style) as sim, ClientSession() as session:
        row = rows(await Visitor(session, sim).page())[0]
    assert [entry["stock"] for entry in row["inventories"]] == stock
    assert [type(entry["stock"]) for entry in row["inventories"]] == [type(figure) for figure in stock]
    assert row["track_quantity"] == tracked
    assert type(row["track_quantity"]) is type(tracked)


async def test_services_and_products_without_a_movement_have_empty_inventories(visitor: Visitor) -> None:
    shown = [row for number in (1, 2, 3) for row in rows(await visitor.page(number))]
    assert any(row["track_quantity"] == 1 and row["inventories"] == [] for row in shown)
    assert any(row["track_quantity"] == 0 for row in shown)
    assert all(row["inventories"] == [] for row in shown if row["track_quantity"] == 0)


async def test_a_change_is_seen_at_once_and_leaves_updated_at_alone(visitor: Visitor) -> None:
    identity = (await visitor.page()).ids[0]
    before = (await visitor.product(identity)).json["product"]
    visitor.sim.catalogue.items[identity].tracked = True
    visitor.sim.catalogue.stock_take(identity, 1, "7.25")
    after = rows(await visitor.page())[0]
    assert after["inventories"][0]["stock"] == "7.25"
    assert after["updated_at"] == before["updated_at"]


async def test_locations_are_listed_with_their_own_field_names(visitor: Visitor) -> None:
    places = (await visitor.ask("/inventories")).json["inventories"]
    assert [(place["id"], place["is_default"]) for place in places] == [(1, True), (3, False), (5, False)]
    assert all(place["name"] and place["ar_name"] for place in places)


@pytest.mark.parametrize("key", ["API-KEY", "Authorization"])
async def test_the_api_key_is_taken_in_either_header(visitor: Visitor, key: str) -> None:
    assert (await visitor.ask("/inventories", headers={key: "sim-key"})).status == 200


@pytest.mark.parametrize("headers", [{}, {"API-KEY": "wrong"}, {"Authorization": "Bearer wrong"}])
async def test_a_missing_or_wrong_credential_is_401_with_the_known_body(visitor: Visitor, headers: Any) -> None:
    got = await visitor.ask("/inventories", headers=headers)
    assert (got.status, got.json) == (401, {"error": "Unauthorized - Invalid API key"})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/products?page=9&per_page=100", "We found nothing"),
        ("/products?q[sku_eq]=no-such&page=1", "We found nothing"),
        ("/products/999999", "Product not found"),
        ("/elsewhere", "URL not found"),
    ],
)
async def test_each_404_says_what_was_not_found(visitor: Visitor, path: str, text: str) -> None:
    got = await visitor.ask(path)
    assert (got.status, got.json) == (404, text)


async def test_an_empty_catalogue_is_a_404_that_found_nothing(visitor: Visitor) -> None:
    visitor.sim.catalogue.items.clear()
    visitor.sim.catalogue.generation += 1
    assert (await visitor.page()).text == '"We found nothing"'


async def test_filters_narrow_the_list(visitor: Visitor) -> None:
    items = list(visitor.sim.catalogue.items.values())
    sku = items[40].sku
    assert (await visitor.page(**{"q[sku_eq]": sku})).ids == [items[40].id]
    two = [("q[sku_in][]", items[3].sku), ("q[sku_in][]", items[150].sku), ("page", "1")]
    assert (await visitor.ask("/products", params=two)).ids == [items[3].id, items[150].id]
    later = await visitor.page(**{"q[id_gt]": str(items[200].id)})
    assert later.ids == [item.id for item in items[201:]]
    category = await visitor.page(**{"q[category_id_eq]": "2"})
    assert category.ids == [item.id for item in items if item.category_id == 2]
    named = await visitor.page(**{"q[en_name_cont]": "almonds"})
    assert named.ids
    assert named.ids == [item.id for item in items if "almonds" in item.english]


async def test_an_unknown_filter_is_ignored_in_silence(visitor: Visitor) -> None:
    got = await visitor.page(**{"q[warehouse_eq]": "1", "q[sku_almost]": "x"})
    assert got.json["pagination"]["total"] == 230


async def test_the_order_may_be_turned_round(visitor: Visitor) -> None:
    got = await visitor.page(**{"q[s]": "id desc"})
    assert got.ids == sorted(visitor.sim.catalogue.items, reverse=True)[:100]


async def test_pages_are_25_unless_told_and_100_at_most(visitor: Visitor) -> None:
    assert len((await visitor.ask("/products?page=1")).ids) == 25
    assert len((await visitor.page(per_page="5000")).ids) == 100
    assert len((await visitor.ask("/products?page=1&limit=3")).ids) == 25


async def test_without_page_parameters_everything_comes_in_one_body_without_pagination(visitor: Visitor) -> None:
    got = await visitor.ask("/products")
    assert len(got.ids) == 230
    assert "pagination" not in got.json
