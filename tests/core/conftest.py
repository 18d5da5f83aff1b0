"""Short ways to write products, memories and rules."""

from decimal import Decimal
from types import SimpleNamespace

import pytest
from making import NOW, known, product, reading, remembered

from stocksync.core.model import Cell


@pytest.fixture
def make():
    return SimpleNamespace(
        product=product, remembered=remembered, known=known, reading=reading, now=NOW, cell=Cell, d=Decimal
    )
