"""Whom a person means by a word that is nobody's SKU."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocksync.core.near_sku import KnownSku, did_you_mean, nearest, pieces

SHOP = [KnownSku(number, f"OUD-{number:05}", f"Oud {number}") for number in range(1, 40)]
SHOP += [KnownSku(101, "BW 7", "Blue Widget"), KnownSku(102, "", "Nameless"), KnownSku(103, "007", "Tin")]


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("oud-00001", "did you mean OUD-00001?"),
        (" OUD-00001 ", "did you mean OUD-00001?"),
        ("OUD-\u0660\u0660\u0660\u0660\u0661", "did you mean OUD-00001?"),
        ("17", "did you mean OUD-00017 (the SKU of product 17)?"),
        ("blue widget", "did you mean 'BW 7' (Blue Widget)?"),
        ("bw 7", "did you mean 'BW 7'?"),
        ("102", "did you mean product 102, which has no SKU (stocksync stock --id 102)?"),
        ("7", "did you mean 007 or OUD-00007 (the SKU of product 7)?"),
        ("XYZ", ""),
        ("", ""),
    ],
)
def test_one_question_names_what_can_be_typed(typed, asked):
    assert did_you_mean(typed, nearest(typed, SHOP)) == asked


@pytest.mark.parametrize(
    "typed", ["OUD-0001", "OUD-000011", "OUD-O0001", "ODU-00001", "OUD00001", "OUD_00001", "UD-00001"]
)
def test_a_slip_of_the_fingers_finds_the_sku(typed):
    assert "OUD-00001" in [one.sku for one in nearest(typed, SHOP)]
    assert len(nearest(typed, SHOP)) <= 3


@given(st.text("abcdefgh-", min_size=3, max_size=30), st.data())
def test_one_slip_leaves_two_of_three_pieces_where_they_are(sku, data):
    at = data.draw(st.integers(0, len(sku) - 1))
    for typed in (f"{sku[:at]}x{sku[at:]}", f"{sku[:at]}x{sku[at + 1 :]}", f"{sku[:at]}{sku[at + 1 :]}"):
        first, middle, last = pieces(typed)
        if first:
            assert sku.startswith(first) + (middle in sku) + sku.endswith(last) >= 2
