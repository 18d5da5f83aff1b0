"""How values say themselves in JSON."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal as D
from math import inf

import pytest

from stocksync.core.jsonable import dumps, instant, jsonable
from stocksync.core.model import Change, Kind, RowLocator

RIYADH = timezone(timedelta(hours=3))


@dataclass
class Held:
    parts: tuple[tuple[int, D], ...]
    until: timedelta


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (Kind.ZERO, "zero"),
        ("text", "text"),
        (D("1E+3"), "1000"),
        (D("2.50"), "2.5"),
        (1.23456789, 1.234568),
        (inf, None),
        (timedelta(milliseconds=1500), 1.5),
        (datetime(2026, 8, 31, 12, tzinfo=UTC), "2026-08-31T12:00:00Z"),
        ({Kind.ZERO: 1, 2: D(3), "x": {1}}, {"zero": 1, "2": "3", "x": [1]}),
        (frozenset({3, 1, 2}), [1, 2, 3]),
        ([(1, D(2))], [[1, "2"]]),
        (RowLocator(1, "A", "MAIN"), {"product_id": 1, "sku": "A", "place": "MAIN"}),
        (
            Held(((3, D("1.50")),), timedelta(seconds=2)),
            {"parts": [{"location": 3, "quantity": "1.5"}], "until": 2.0},
        ),
    ],
)
def test_every_kind_of_value_has_its_form_in_json(value, form):
    assert jsonable(value) == form
    assert json.loads(dumps(value)) == form


def test_a_change_in_json_has_its_kind_and_no_rivals():
    told = jsonable(Change(1, "MAIN", "A", D(5), D(0), ((3, D(0)),), rivals=(RowLocator(2, "a", "MAIN"),)))
    assert told["kind"] == "zero"
    assert "rivals" not in told
    assert (told["before"], told["after"], told["parts"]) == ("5", "0", [{"location": 3, "quantity": "0"}])


def test_what_json_has_no_form_for_is_an_error():
    with pytest.raises(TypeError, match=r"^object has no form in JSON$"):
        jsonable(object())
    with pytest.raises(TypeError, match=r"^tuple cannot be a key in JSON$"):
        jsonable({(1, 2): 3})
    with pytest.raises(TypeError, match=r"^type has no form in JSON$"):
        jsonable(Held)


def test_text_stays_readable_whatever_is_in_it():
    assert dumps({"a": "قهوة"}) == '{"a": "قهوة"}'.encode()
    assert dumps("\ud800") == b'"\\ud800"'
    assert dumps([1], indent=1) == b"[\n 1\n]"


def test_an_instant_is_in_utc_and_has_fractions_only_where_it_has_some():
    assert instant(datetime(2026, 8, 31, 15, tzinfo=RIYADH)) == "2026-08-31T12:00:00Z"
    assert instant(datetime(2026, 8, 31, 12, 0, 0, 250_000)) == "2026-08-31T12:00:00.250000Z"  # noqa: DTZ001
