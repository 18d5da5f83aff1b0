"""The page decoder: every "treat as" row of what is known about the API, and JSON near the schema."""

import contextlib
import json
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qoyod_catalogue import pagination, row

from stocksync.core.model import BadRow, Product
from stocksync.qoyod.settings import Filter
from stocksync.qoyod.wire import Page, PageUnreadable, decode_locations, decode_page, decode_product

AT = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING = Filter()


def page_of(*rows: Any, only: Filter = EVERYTHING) -> Page:
    body = json.dumps({"products": rows, "pagination": pagination(len(rows), 1, 100, len(rows))})
    return decode_page(body.encode(), 1, AT, only)


def page_with(stock: str) -> Page:
    """Put raw JSON where the figure belongs."""
    body = json.dumps({"products": [row(1), row(2, "HERE"), row(3)]}).replace('"HERE"', stock)
    return decode_page(body.encode(), 1, AT, EVERYTHING)


@pytest.mark.parametrize(
    ("raw", "figure"),
    [
        ("120", "120"), ("0", "0"), ("-3", "-3"), ("1.10", "1.1"), ("36.2084", "36.2084"), ("-0.0", "0"),
        ('"0.0"', "0"), ('"36.2084"', "36.2084"), ('"-7.500"', "-7.5"), ('"100"', "100"), ('"007.5"', "7.5"),
        ("1e3", "1000"), ('"0.12e2"', "12"), ("1.5E-3", "0.0015"), ("0.1", "0.1"), ("0e999", "0"),
        ("999999999999999", "999999999999999"), ('"0.0000000001"', "0.0000000001"), ('"1.000000000000000"', "1"),
        ("123456789012345.1234567891", "123456789012345.1234567891"),
    ],
)  # fmt: skip
def test_a_figure_is_the_exact_decimal_that_was_sent(raw: str, figure: str) -> None:
    page = page_with(raw)
    assert not page.bad
    assert page.products[1].stock[3] == Decimal(figure)
    assert str(page.products[1].stock[3]) == figure or "E" in str(page.products[1].stock[3])


@pytest.mark.parametrize(
    "raw",
    [
        "null", "true", "false", '""', '" "', '" 1"', '"1_0"', '"abc"', '"NaN"', '"Infinity"', '"-inf"', "{}", "[]",
        "[1]", '"1,5"', '"١٢"', '"+5"', '"--1"', '"1."', '".5"', '"0x10"', '"\\u0031"', "1000000000000000", '"1e15"',
        "1e400", "1e1000000000", '"0.00000000001"', "0.30000000000000004", "9" * 5000, '"' + "1" * 100 + '"',
    ],
)  # fmt: skip
def test_a_figure_that_is_none_makes_a_bad_row_and_never_a_zero(raw: str) -> None:
    page = page_with(raw)
    assert [product.id for product in page.products] == [1, 3]
    assert page.ids == (1, 2, 3)
    (bad,) = page.bad
    assert (bad.product_id, bad.path) == (2, "$.products[1].inventories[0].stock")
    assert len(bad.reason) < 150


@pytest.mark.parametrize(
    ("raw", "tracked"),
    [(1, True), (0, False), (True, True), (False, False), ("1", True), ("0", False)],
)
def test_tracked_is_read_in_all_its_spellings(raw: Any, tracked: bool) -> None:
    assert page_of(row(1, track_quantity=raw)).products[0].tracked is tracked


@pytest.mark.parametrize("raw", [None, 2, -1, "yes", "true", "", 1.0, [], {}])
def test_any_other_spelling_of_tracked_is_a_bad_row(raw: Any) -> None:
    page = page_of(row(1, track_quantity=raw), row(2))
    assert [p.id for p in page.products] == [2]
    assert page.bad[0].path == "$.products[0].track_quantity"


def test_no_inventories_key_is_a_bad_row_but_an_empty_list_is_unknown_stock() -> None:
    thinned, bare = row(1), row(2, inventories=[])
    del thinned["inventories"]
    page = page_of(thinned, bare)
    assert [(p.id, dict(p.stock)) for p in page.products] == [(2, {})]
    assert page.bad[0].product_id == 1
    assert "inventories" in page.bad[0].reason


@pytest.mark.parametrize("raw", [None, {}, "x", 5, [None], [5], [{"id": 3}], [{"stock": 1}], [{"id": "3", "stock": 1}]])
def test_inventories_of_another_shape_are_a_bad_row(raw: Any) -> None:
    page = page_of(row(1, inventories=raw), row(2))
    assert [p.id for p in page.products] == [2]
    assert page.bad[0].path.startswith("$.products[0].inventories")


def test_a_location_that_appears_twice_in_a_product_is_a_bad_row() -> None:
    page = page_of(row(1, inventories=[{"id": 3, "stock": 1}, {"id": 3, "stock": 2}]))
    assert page.bad[0].path == "$.products[0].inventories[1].id"


@pytest.mark.parametrize("sku", ["007", "BW-001", " bw-001 ", "A\tB", "مفتاح", "x'; DROP TABLE--", "😀"])
def test_a_sku_is_kept_exactly(sku: str) -> None:
    assert page_of(row(1, sku=sku)).products[0].sku == sku


def test_a_sku_may_be_null_but_not_missing_or_of_another_type() -> None:
    assert page_of(row(1, sku=None)).products[0].sku == ""
    nameless = row(2)
    del nameless["sku"]
    page = page_of(nameless, row(3, sku=12), row(4, sku="a\x00b"), row(5, sku="x" * 2000))
    assert [bad.product_id for bad in page.bad] == [2, 3, 4, 5]


@pytest.mark.parametrize("raw", [None, 0, -1, "42", True, 1.5, 2**63, 10**30, [], {}])
def test_a_row_whose_id_cannot_be_read_is_a_bad_row_without_an_id(raw: Any) -> None:
    page = page_of(row(raw), row(2))
    assert page.ids == (None, 2)
    assert (page.bad[0].product_id, page.bad[0].path) == (None, "$.products[0].id")


@pytest.mark.parametrize("raw", [None, 5, "x", []])
def test_a_row_that_is_no_object_is_a_bad_row(raw: Any) -> None:
    page = page_of(raw, row(2))
    assert page.ids == (None, 2)
    assert [p.id for p in page.products] == [2]


def test_names_only_display_and_new_fields_break_nothing() -> None:
    odd = row(1, name_en=5, name_ar="قطعة", brand={"deep": [1, {"x": None}]}, updated_at=None)
    product = page_of(odd, row(2, name_en=None, name_ar=None), row(3, name_en="a\x00b")).products
    assert [p.name for p in product] == ["قطعة", "", "ab"]


def test_a_location_without_a_name_is_shown_by_its_id() -> None:
    page = page_of(row(1, inventories=[{"id": 3, "stock": 1, "name_en": "", "name_ar": ""}, {"id": 4, "stock": 1}]))
    assert page.locations == {3: "3", 4: "4"}


@pytest.mark.parametrize("cast", [int, str])
def test_pagination_is_cast_from_strings_and_integers(cast: type) -> None:
    shown = {"total": cast(7), "totalPages": cast(4), "perPage": cast(2), "currentPage": cast(3)}
    page = decode_page(json.dumps({"products": [row(1)], "pagination": shown}).encode(), 3, AT, EVERYTHING)
    assert (page.total, page.total_pages, page.per_page, page.echo) == (7, 4, 2, 3)


@pytest.mark.parametrize(
    "raw", [None, [], "x", 5, {}, {"total": True, "totalPages": -1, "perPage": "x", "currentPage": 1.5}]
)
def test_pagination_that_is_none_is_told_from_pagination_that_says_zero(raw: Any) -> None:
    page = decode_page(json.dumps({"products": [row(1)], "pagination": raw}).encode(), 1, AT, EVERYTHING)
    assert (page.total, page.total_pages, page.per_page, page.echo) == (None, None, None, None)
    assert [p.id for p in page.products] == [1]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b'"maintenance"', b"<html>502</html>", b"[]", b"5", b"{}", b'{"products": null}',
        b'{"products": {}}', b'{"products": "x"}', b'{"products": [{"id": 1, "sku": "A', b"\xff\xfe",
        b'{"error": "no"}', b"[" * 100_000, b'{"products": ' + b"[" * 100_000, b'{"x": ' * 100_000,
        b'{"products": [NaN]}',
    ],
)  # fmt: skip
def test_a_body_that_is_no_page_is_unreadable_and_shown_in_one_short_line(body: bytes) -> None:
    with pytest.raises(PageUnreadable) as error:
        decode_page(body, 1, AT, EVERYTHING)
    assert len(str(error.value)) < 300
    assert "\n" not in str(error.value)


def test_a_row_nested_too_deeply_harms_no_other() -> None:
    deep = b'{"id": 1, "brand": ' + b"[" * 600 + b"]" * 600 + b"}"
    page = decode_page(b'{"products": [' + deep + b"," + json.dumps(row(2)).encode() + b"]}", 1, AT, EVERYTHING)
    assert [p.id for p in page.products] == [2]


def test_rows_outside_the_filter_are_dropped_and_named() -> None:
    page = page_of(row(1), row(2), only=Filter(sku="SKU-2"))
    assert ([p.id for p in page.products], page.dropped, page.ids) == ([2], [1], (1, 2))
    rows = [row(1, category_id=7), row(2, category_id="7"), row(3, category_id=8), row(4), row(5, category_id=[7])]
    page = page_of(*rows, only=Filter(category_id=7))
    assert ([p.id for p in page.products], page.dropped) == ([1, 2, 4], [3, 5])


def test_a_look_up_answers_with_the_product_or_the_reason() -> None:
    good = decode_product(json.dumps({"product": row(7, "1.5")}).encode(), 7, AT)
    assert isinstance(good, Product)
    assert good.page == 0
    bad = decode_product(json.dumps({"product": row(7, None)}).encode(), 7, AT)
    assert isinstance(bad, BadRow)
    assert (bad.product_id, bad.path) == (7, "$.product.inventories[0].stock")
    for body in ({"product": row(8)}, {"products": []}, "Product", None):
        with pytest.raises(PageUnreadable):
            decode_product(json.dumps(body).encode(), 7, AT)


def test_locations_are_named_by_either_language() -> None:
    found = [{"id": 1, "name": "Main", "ar_name": "x"}, {"id": 2, "name": "", "ar_name": "مستودع"}, {"id": 3}]
    assert decode_locations(json.dumps({"inventories": found}).encode()) == {1: "Main", 2: "مستودع", 3: "3"}
    with pytest.raises(PageUnreadable):
        decode_locations(b'{"inventories": [{"id": null}]}')


near = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1.5", "0.0", "NaN", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
inventories = st.lists(
    st.fixed_dictionaries({}, optional={"id": st.integers(1, 3) | near, "stock": st.integers(-5, 5) | near}), max_size=3
)
rows = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(1, 9) | near,
        "sku": st.text(max_size=3) | near,
        "track_quantity": st.sampled_from([0, 1, True, "1"]) | near,
        "inventories": inventories | near,
        "name_en": near,
        "category_id": near,
    },
)
bodies = st.fixed_dictionaries({"products": st.lists(rows | near, max_size=4) | near}, optional={"pagination": near})


@settings(max_examples=400, deadline=None)
@given(body=bodies | near, cut=st.integers(0, 400), clipped=st.booleans())
@example(body={"products": [row(1, float("nan"))]}, cut=0, clipped=False)
def test_near_the_schema_no_row_is_invented_and_no_error_is_a_strangers(body: Any, cut: int, clipped: bool) -> None:
    text = json.dumps(body)
    sent = text[: max(0, len(text) - cut)] if clipped else text
    try:
        page = decode_page(sent.encode("utf-8", "surrogatepass"), 1, AT, EVERYTHING)
    except PageUnreadable:
        return
    given_rows = [each for each in body["products"] if isinstance(each, dict)]
    known = {each["id"]: each for each in given_rows if type(each.get("id")) is int}
    assert len(page.ids) == len(body["products"]) == len(page.products) + len(page.bad)
    for product in page.products:
        each = known[product.id]
        assert product.sku == (each["sku"] or "")
        assert len(product.stock) == len(each["inventories"])
        shown = {(e["id"], Decimal(str(e["stock"]))) for e in given_inventories(given_rows, product.id)}
        assert set(product.stock.items()) <= shown


def given_inventories(given_rows: list[Any], product_id: int) -> list[Any]:
    """All figures shown under an id, which the fuzzer may give to several rows."""
    lists = [each.get("inventories") for each in given_rows if each.get("id") == product_id]
    entries = [entry for each in lists if isinstance(each, list) for entry in each if isinstance(entry, dict)]
    return [e for e in entries if isinstance(e.get("stock"), int | float | str) and _decimal(e["stock"])]


def _decimal(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and Decimal(str(value)).is_finite()
    except ArithmeticError:
        return False


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_unreadable_or_hold_no_product(body: bytes) -> None:
    with contextlib.suppress(PageUnreadable):
        assert not decode_page(body, 1, AT, EVERYTHING).products


def test_a_full_page_of_many_locations_is_decoded_whole() -> None:
    many = [
        row(i, inventories=[{"id": j, "stock": f"{i * j}.{j}0", "name_en": "Main"} for j in range(1, 6)])
        for i in range(1, 101)
    ]
    body = json.dumps({"products": many, "pagination": pagination(20_000, 1, 100, 100)}).encode()
    products = decode_page(body, 1, AT, EVERYTHING).products
    assert [len(product.stock) for product in products] == [5] * 100


ROWS_OF_NO_PRODUCT = {
    "objects": b'{"row":"no product"},',
    "numbers": b"1,",
    "strings": b'"Service is busy",',
    "empty lists": b"[],",
    "products without a figure": b'{"id":7,"sku":"A","track_quantity":1,"inventories":[{"id":1,"stock":null}]},',
}
CAP = 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("where", "rows"), [*(("products", rows) for rows in ROWS_OF_NO_PRODUCT), ("pagination", "objects")]
)
def test_a_hostile_page_of_16_mb_takes_a_small_multiple_of_it_and_gives_no_rows(where: str, rows: str) -> None:
    one = ROWS_OF_NO_PRODUCT[rows]
    whole = b'{"' + where.encode() + b'":[' + one * (CAP // len(one)) + b"{}]"
    body = whole + (b"}" if where == "products" else b',"products":[]}')
    tracemalloc.start()
    try:
        with contextlib.suppress(PageUnreadable):
            page = decode_page(body, 1, AT, EVERYTHING)
            assert where == "pagination"
            assert (page.products, page.bad, page.total) == ([], [], None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * CAP


def test_bad_rows_up_to_a_page_are_set_aside_and_beyond_it_the_page_is_bad() -> None:
    page = page_of(row(1), *({"id": number} for number in range(2, 102)))
    assert (len(page.products), len(page.bad)) == (1, 100)
    with pytest.raises(PageUnreadable, match=r"more than 100 rows could not be read, the first at \$\.products\[1\]"):
        page_of(row(1), *({"id": number} for number in range(2, 103)))
