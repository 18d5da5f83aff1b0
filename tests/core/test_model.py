"""How values say themselves."""

from decimal import Decimal as D

import pytest

from stocksync.core.model import Change, Removal


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(1, "MAIN", "BW-001", D(120), D(118), ()), "BW-001 @ MAIN: 120 → 118"),
        (Change(7, "", "", None, D("1.50"), ()), "7: nothing → 1.5"),
        (Change(7, "X", "", D(5), Removal.DEACTIVATED, ()), "7 @ X: 5 → deactivated"),
    ],
)
def test_a_change_says_itself(change, words):
    assert str(change) == words
