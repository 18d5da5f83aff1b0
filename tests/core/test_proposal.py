"""What `init` proposes for tables as people have them."""

import pytest

from stocksync.core.proposal import (
    ColumnSketch,
    Holds,
    Proposal,
    TableSketch,
    propose_columns,
    propose_map,
    propose_tables,
)

OWN = {"product_id": "product_id", "sku": "sku", "location": "location_id", "quantity": "quantity"}
WHOLE, NUMBER, TEXT, MOMENT, FLAG = Holds.WHOLE, Holds.NUMBER, Holds.TEXT, Holds.MOMENT, Holds.FLAG


def sketch(name="stock", /, *, filled=False, required=(), **columns):
    return TableSketch(name, tuple(ColumnSketch(one, holds, one in required) for one, holds in columns.items()), filled)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (sketch(sku=TEXT, qty=NUMBER, wh=TEXT), {"sku": "sku", "quantity": "qty", "location": "wh"}),
        (sketch(product_code=TEXT, total_on_hand=WHOLE), {"sku": "product_code", "quantity": "total_on_hand"}),
        (
            sketch(SKU=TEXT, Qty=WHOLE, Updated_At=MOMENT, Is_Active=FLAG),
            {"sku": "SKU", "quantity": "Qty", "updated_at": "Updated_At", "active": "Is_Active"},
        ),
        (sketch(qoyod_id=WHOLE, sku=TEXT, stock=NUMBER), {"product_id": "qoyod_id", "sku": "sku", "quantity": "stock"}),
        (sketch(sku=TEXT, stock=TEXT, quantity=WHOLE), {"sku": "sku", "quantity": "quantity"}),
        (sketch(product_id=WHOLE, sku=TEXT, qty=WHOLE), {"sku": "sku", "quantity": "qty"}),
        (sketch(sku=TEXT, qty=WHOLE, growth=TEXT), {"sku": "sku", "quantity": "qty"}),
        (sketch(qoyod_id=TEXT, sku=TEXT, qty=MOMENT, level=NUMBER), {"sku": "sku", "quantity": "level"}),
    ],
    ids=["short names", "names with more before", "capitals", "a column for Qoyod's id", "text is no quantity",
         "product_id is the shop's own", "two letters at the end of a word", "names whose columns hold something else"],
)  # fmt: skip
def test_columns_are_found_by_name_and_by_what_they_hold(table, columns):
    proposal = propose_columns(table, OWN)
    assert proposal.columns == columns
    assert proposal.match_by == ("product_id" if "product_id" in columns else "sku")
    assert proposal.fits


def test_our_own_table_is_taken_as_it_is():
    table = sketch("stock_levels", product_id=WHOLE, sku=TEXT, location_id=TEXT, quantity=NUMBER, note=TEXT)
    assert propose_columns(table, OWN) == Proposal("stock_levels", OWN)


@pytest.mark.parametrize(
    ("table", "insert"),
    [
        (sketch(sku=TEXT, qty=WHOLE), True),
        (sketch(sku=TEXT, qty=WHOLE, filled=True), False),
        (sketch(sku=TEXT, qty=WHOLE, title=TEXT, required=("title",)), False),
    ],
)
def test_rows_are_made_only_in_an_empty_table_that_asks_for_nothing_else(table, insert):
    assert propose_columns(table, OWN).insert is insert


def test_the_likeliest_table_comes_first_and_what_holds_no_stock_is_not_proposed():
    tables = [
        sketch("customers", code=TEXT, name=TEXT),
        sketch("order_lines", sku=TEXT, quantity=WHOLE),
        sketch("shop.stock", sku=TEXT, qty=WHOLE, warehouse=TEXT),
        sketch("levels", qoyod_product_id=WHOLE, qty=WHOLE, location=TEXT),
    ]
    assert [one.table for one in propose_tables(tables, OWN)] == ["levels", "shop.stock", "order_lines"]


def test_a_name_that_says_stock_weighs_more_than_one_more_column():
    tables = [
        sketch("a_price_list", sku=TEXT, qty=WHOLE, updated_at=MOMENT),
        sketch("b_inventory", sku=TEXT, qty=WHOLE),
    ]
    assert [one.table for one in propose_tables(tables, OWN)] == ["b_inventory", "a_price_list"]


def test_a_table_of_exactly_our_columns_is_ours():
    table = sketch("levels", product_id=WHOLE, sku=TEXT, location_id=TEXT, quantity=NUMBER)
    assert propose_columns(table, OWN) == Proposal("levels", OWN)


@pytest.mark.parametrize(
    ("locations", "values", "proposed"),
    [
        ({2: "Outlet", 1: "Outlet"}, ["Outlet"], {1: "Outlet"}),
        ({1: "Main"}, ["", "Main"], {1: "Main"}),
        ({1: "A1 Tower"}, ["A1"], {}),
        ({1: "Main Warehouse", 3: "Riyadh Outlet"}, ["MAIN", "OUTLET", "OLD"], {1: "MAIN", 3: "OUTLET"}),
        ({1: "Main Warehouse"}, ["main warehouse"], {1: "main warehouse"}),
        ({1: "الرياض", 2: "جدة"}, ["جدة", "الرياض"], {1: "الرياض", 2: "جدة"}),
        ({1: "Main", 2: "Main 2"}, ["Main"], {1: "Main"}),
        ({1: "Jeddah"}, ["RUH-1", ""], {}),
        ({1: ""}, ["A"], {}),
    ],
)
def test_locations_meet_the_values_that_are_named_like_them(locations, values, proposed):
    assert propose_map(locations, values) == proposed
