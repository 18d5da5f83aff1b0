"""A list whose pages come again as they were costs no decoding, and shows the same as one that is read anew."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qoyod_catalogue import Catalogue, row, source_over
from virtual_time import virtually

from stocksync.core.model import Reading, Verdict
from stocksync.qoyod import product_list
from stocksync.qoyod.client import QoyodSource

PER_PAGE = 3
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def shelf(count: int) -> Catalogue:
    return Catalogue([row(number) for number in range(1, count + 1)])


def settled_by(reading: Reading) -> dict[bytes, int]:
    return {product.digest: product.id for product in reading.products.values()}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pages that were taken apart, in order."""
    pages: list[int] = []
    decode = product_list.decode_page

    def noted(body: bytes, number: int, *rest: Any, **more: Any) -> Any:
        pages.append(number)
        return decode(body, number, *rest, **more)

    monkeypatch.setattr(product_list, "decode_page", noted)
    return pages


async def settle(source: QoyodSource, decoded: list[int]) -> dict[bytes, int]:
    settled = settled_by(await source.read())
    decoded.clear()
    return settled


def test_of_a_list_that_stands_still_no_page_is_taken_apart_again(decoded: list[int]) -> None:
    async def life() -> None:
        source = source_over(shelf(9), per_page=PER_PAGE)
        settled = await settle(source, decoded)
        reading = await source.read(settled=settled)
        assert (reading.verdict, reading.total, reading.products) == (Verdict.COMPLETE, 9, {})
        assert reading.recognised == frozenset(range(1, 10))
        assert decoded == []

    virtually(life)


@pytest.mark.parametrize(("product", "page"), [(1, 1), (5, 2), (9, 3)])
@pytest.mark.parametrize("cause", ["changed", "unsettled"])
def test_a_page_is_taken_apart_for_one_row_that_changed_or_that_is_not_settled(
    decoded: list[int], product: int, page: int, cause: str
) -> None:
    async def life() -> None:
        catalogue = shelf(9)
        source = source_over(catalogue, per_page=PER_PAGE)
        settled = await settle(source, decoded)
        if cause == "changed":
            catalogue.rows[product] = row(product, "7.5")
        else:
            settled = {digest: one for digest, one in settled.items() if one != product}
        reading = await source.read(settled=settled)
        assert set(decoded) == {page}
        assert list(reading.products) == [product]
        assert reading.recognised == {*range(1, 10)} - {product}

    virtually(life)


rows = st.dictionaries(st.integers(1, 14), st.sampled_from(["1.0", "2.0", "no number"]), min_size=1)


@given(st.lists(st.tuples(rows, st.frozensets(st.integers(1, 14))), min_size=2, max_size=4))
def test_a_source_that_knows_its_pages_shows_the_same_as_one_that_does_not(days: Any) -> None:
    async def life() -> None:
        catalogue = shelf(1)
        knowing, settled = source_over(catalogue, per_page=PER_PAGE), dict[bytes, int]()
        for figures, unsettled in days:
            catalogue.rows = {key: row(key, figure) for key, figure in figures.items()}
            trusted = {digest: one for digest, one in settled.items() if one not in unsettled}
            ours = await knowing.read(settled=trusted)
            theirs = await source_over(catalogue, per_page=PER_PAGE).read(settled=trusted)
            assert told(ours) == told(theirs)
            settled |= settled_by(theirs)

    virtually(life)


def told(reading: Reading) -> tuple[Any, ...]:
    """Give all that a reading shows but its times."""
    products = {key: replace(one, read_at=LONG_AGO) for key, one in reading.products.items()}
    bad = {(one.product_id, one.page, one.path, one.reason) for one in reading.bad_rows}
    return (
        reading.verdict, reading.reasons, products, reading.recognised, reading.total, reading.pages, bad,
        reading.locations,
    )  # fmt: skip
