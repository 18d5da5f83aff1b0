"""Several products by SKU: one request where the filter is followed, and never a figure of what was not asked."""

from collections.abc import Mapping
from typing import Any

import pytest
from qoyod_catalogue import Catalogue, answer, pagination, row, source_over
from virtual_time import virtually

from stocksync.core.model import BadRow, Product
from stocksync.qoyod.transport import Response

ASKED = ["SKU-2", "SKU-4", "SKU-2", "NO-SUCH"]


class Filtering(Catalogue):
    """Follows `q[sku_in][]` as `follows` says of the SKUs that were asked for."""

    def __init__(self, follows: Any, rows: int = 5) -> None:
        super().__init__([row(number) for number in range(1, rows + 1)])
        self.follows = follows
        self.together = 0

    async def get(self, path: str, params: Any, headers: Mapping[str, str]) -> Response:
        if path == "/products" and "q[sku_in][]" in params:
            self.together += 1
            return self._many(params.getall("q[sku_in][]"))
        return await super().get(path, params, headers)

    def _many(self, skus: list[str]) -> Response:
        shown = self.follows(self, skus)
        if isinstance(shown, Response):
            return shown
        if not shown:
            return answer("We found nothing", 404)
        return answer({"products": shown[:100], "pagination": pagination(len(shown), 1, 100, len(shown))})


def asked_of(catalogue: Filtering, rounds: int = 1, skus: list[str] = ASKED) -> tuple[dict[str, Any], int]:
    """Give what is found, by id, and how many requests were allowed."""
    allowed = 0

    async def work() -> dict[str, Any]:
        source = source_over(catalogue)

        async def allow() -> None:
            nonlocal allowed
            allowed += 1

        for _ in range(rounds):
            found = await source.find_many(skus, allow)
        return {sku: one.id if isinstance(one, Product) else one for sku, one in found.items()}

    return virtually(work), allowed


def among(catalogue: Filtering, skus: list[str]) -> list[Any]:
    return [each for each in catalogue.rows.values() if each["sku"] in skus]


def test_the_lines_of_an_order_are_one_request_and_a_sku_without_a_row_is_asked_for_alone() -> None:
    catalogue = Filtering(among)
    assert asked_of(catalogue) == ({"SKU-2": 2, "SKU-4": 4, "NO-SUCH": None}, 2)
    assert (catalogue.together, [each["q[sku_eq]"] for each in catalogue.asked]) == (1, ["NO-SUCH"])


@pytest.mark.parametrize(
    "follows",
    [
        lambda catalogue, _skus: list(catalogue.rows.values()),
        lambda catalogue, _skus: list(catalogue.rows.values())[:2],
        lambda catalogue, skus: among(catalogue, skus[-2:-1]),
        lambda catalogue, skus: among(catalogue, skus[:1]),
        lambda _catalogue, _skus: answer({"error": "unknown parameter"}, 422),
    ],
    ids=["ignored", "other rows", "one of them", "the first", "refused"],
)
def test_a_filter_that_is_not_followed_is_noticed_and_not_used_again(follows: Any) -> None:
    catalogue = Filtering(follows)
    found, _ = asked_of(catalogue, rounds=2)
    assert found == {"SKU-2": 2, "SKU-4": 4, "NO-SUCH": None}
    assert catalogue.together == 1


def test_nothing_found_of_all_is_asked_again_one_by_one() -> None:
    catalogue = Filtering(lambda *_: [])
    assert asked_of(catalogue)[0] == {"SKU-2": 2, "SKU-4": 4, "NO-SUCH": None}


def test_a_row_that_cannot_be_read_is_asked_for_alone() -> None:
    catalogue = Filtering(among)
    catalogue.rows[2]["inventories"][0]["stock"] = None
    found, _ = asked_of(catalogue)
    assert isinstance(found["SKU-2"], BadRow)
    assert found["SKU-4"] == 4


def test_more_than_a_page_or_an_address_holds_are_several_requests() -> None:
    catalogue = Filtering(among, rows=230)
    skus = [f"SKU-{number}" for number in range(1, 231)]
    found, allowed = asked_of(catalogue, skus=skus)
    assert len(found) == 230
    assert (catalogue.together, allowed) == (3, 3)
    assert catalogue.asked == []
