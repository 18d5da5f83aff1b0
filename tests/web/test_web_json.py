import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocksync.core.answers import Preview
from stocksync.core.guards import Guard
from stocksync.core.jsonable import dumps, instant, jsonable
from stocksync.core.model import Cell, Change, Removal, figure_of


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (Decimal("1E+3"), "1000"),
        (Decimal("36.2084"), "36.2084"),
        (Decimal("0.0"), "0"),
        (Decimal("1E-9"), "0.000000001"),
        (Removal.DEACTIVATED, "deactivated"),
        (Guard.ZEROED, "zeroed"),
        (timedelta(minutes=1, milliseconds=500), 60.5),
        (datetime(2026, 8, 31, 12, tzinfo=UTC), "2026-08-31T12:00:00Z"),
        (datetime(2026, 8, 31, 15, tzinfo=timezone(timedelta(hours=3))), "2026-08-31T12:00:00Z"),
        (float("nan"), None),
        (True, True),
        ({3: "Main"}, {"3": "Main"}),
        ({Guard.ZEROED: 1}, {"zeroed": 1}),
        ({"b", "a"}, ["a", "b"]),
        (Cell(42, "MAIN"), {"product_id": 42, "place": "MAIN"}),
    ],
)
def test_every_kind_of_value_has_one_form(value, form):
    assert jsonable(value) == form


def test_a_change_tells_its_kind_and_names_its_parts():
    change = Change(42, "", "BW-001", None, Decimal(5), ((3, Decimal("2.50")), (7, Decimal("2.5"))))
    assert jsonable(change) == {
        "product_id": 42,
        "place": "",
        "sku": "BW-001",
        "before": None,
        "after": "5",
        "parts": [{"location": 3, "quantity": "2.5"}, {"location": 7, "quantity": "2.5"}],
        "cause": "poll",
        "kind": "insert",
    }


def test_a_preview_goes_whole(ex):
    told = json.loads(dumps(Preview(ex.cycle(), [ex.change()], ex.plan(), {42: "بلو"})))
    assert told["apply"][0]["kind"] == "zero"
    assert told["held"]["decision"] == "waiting"
    assert told["names"] == {"42": "بلو"}
    assert told["report"]["counts"]["read"] == 5200


def test_half_a_surrogate_pair_is_still_valid_json():
    assert dumps("a\ud800ب") == '"a\\ud800ب"'.encode()
    assert json.loads(dumps("\ud800")) == "\ud800"


def test_what_has_no_form_is_an_error_and_no_guess():
    @dataclass
    class Holder:
        inner: object

    for value in (object(), Holder(object()), {(1, 2): 3}, b"bytes"):
        with pytest.raises(TypeError):
            jsonable(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_a_quantity_survives_the_journey_exactly(quantity):
    text = json.loads(dumps(quantity))
    assert figure_of(text) == quantity
    assert "E" not in text


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_survives_the_journey_exactly(at):
    assert datetime.fromisoformat(instant(at)) == at
