"""Reading the whole list over a catalogue that moves, lies and fails; in virtual time."""

import asyncio
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qoyod_catalogue import JSON, Catalogue, answer, pagination, row, source_over
from qoyod_told import Told
from structlog.testing import capture_logs
from virtual_time import virtually

from stocksync.core.model import BadRow, Product, Reading, Verdict
from stocksync.errors import SourceRefused, SourceUnavailable, Unauthorized
from stocksync.qoyod.settings import Filter
from stocksync.qoyod.transport import Response, TransportFault


def read(catalogue: Catalogue, **settings: Any) -> Reading:
    settings.setdefault("per_page", 3)
    return virtually(lambda: source_over(catalogue, **settings).read())


def shelf(count: int) -> Catalogue:
    return Catalogue([row(number) for number in range(1, count + 1)])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 30, 31])
@pytest.mark.parametrize("concurrency", [1, 4, 50])
def test_a_still_catalogue_is_read_completely_with_few_requests(count: int, concurrency: int) -> None:
    catalogue = shelf(count)
    reading = read(catalogue, concurrency=concurrency)
    assert (reading.verdict, reading.reasons, reading.total) == (Verdict.COMPLETE, (), count)
    assert sorted(reading.products) == list(range(1, count + 1))
    assert reading.products[count].page == -(-count // 3) == reading.pages
    assert reading.locations == {3: "Main"}
    last = -(-count // 3)
    assert len(catalogue.asked) <= last + min(concurrency, max(0, last - 1))


def test_every_request_names_page_size_order_and_filter() -> None:
    catalogue = shelf(7)
    read(catalogue, only=Filter(category_id=7))
    for asked in catalogue.asked:
        assert set(asked) == {"path", "page", "per_page", "q[s]", "q[category_id_eq]"}
        assert (asked["q[s]"], asked["per_page"], asked["q[category_id_eq]"]) == ("id asc", "3", "7")


def test_pages_are_read_concurrently_but_no_more_than_asked() -> None:
    catalogue = shelf(60)
    flying, most = 0, 0

    async def get(path: str, params: Any, headers: Any) -> Response:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(1)
        flying -= 1
        return catalogue.list(params)

    catalogue.get = get  # type: ignore[method-assign]
    assert read(catalogue, concurrency=4).verdict is Verdict.COMPLETE
    assert most == 4


def test_progress_is_told_up_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    virtually(lambda: source_over(shelf(30), per_page=3).read(lambda done, total: told.append((done, total))))
    assert told[0] == (1, 10)
    assert told[-1] == (10, 10)


def test_we_found_nothing_is_an_empty_reading_quoted_or_bare() -> None:
    for body in (b'"We found nothing"', b"We found nothing", b"WE FOUND NOTHING!"):
        catalogue = shelf(5)
        catalogue.faults.append(lambda _, body=body: Response(404, {}, body))
        reading = read(catalogue)
        assert (reading.verdict, dict(reading.products)) == (Verdict.EMPTY, {})
        assert len(catalogue.asked) == 1


def test_any_other_404_is_refused_and_never_an_empty_catalogue() -> None:
    for body in (b'"URL not found"', b"<html>nginx</html>", b"", b'"Product not found"'):
        catalogue = shelf(5)
        catalogue.faults.append(lambda _, body=body: Response(404, {}, body))
        with pytest.raises(SourceRefused, match="base_url"):
            read(catalogue)


def test_found_nothing_on_a_later_page_is_inconsistent() -> None:
    catalogue = shelf(9)
    catalogue.faults.append(lambda asked: answer("We found nothing", 404) if asked["page"] == "2" else None)
    reading = read(catalogue)
    assert reading.verdict is Verdict.INCONSISTENT
    assert "page 2 answered that nothing was found" in reading.reasons[0]
    assert sorted(reading.products) == [1, 2, 3, 7, 8, 9]


def test_a_page_that_fails_once_is_retried_and_the_reading_is_complete() -> None:
    faults = [answer("oops", 500), TransportFault("reset", "gone"), Response(200, {}, b"<html>"), answer("maintenance")]
    catalogue = shelf(9)
    catalogue.faults.append(lambda asked: faults.pop() if asked["page"] == "2" and faults else None)
    assert read(catalogue).verdict is Verdict.COMPLETE
    assert not faults


def test_a_page_that_fails_for_good_makes_the_reading_partial_and_the_rest_flows() -> None:
    catalogue = shelf(9)
    catalogue.faults.append(lambda asked: answer("oops", 500) if asked["page"] == "2" else None)
    reading = read(catalogue, attempts=3)
    assert (reading.verdict, sorted(reading.products)) == (Verdict.PARTIAL, [1, 2, 3, 7, 8, 9])
    assert "page 2: Qoyod answered 500" in reading.reasons[0]
    assert catalogue.pages_asked()["2"] == 3


def test_a_page_that_is_refused_harms_no_other() -> None:
    catalogue = shelf(9)
    catalogue.faults.append(lambda asked: answer({"error": "bad"}, 422) if asked["page"] == "3" else None)
    reading = read(catalogue)
    assert reading.verdict is Verdict.PARTIAL
    assert "422" in reading.reasons[0]
    assert catalogue.pages_asked()["3"] == 1


def test_a_broken_page_1_does_not_hide_the_others() -> None:
    catalogue = shelf(9)
    catalogue.faults.append(lambda asked: answer("oops", 500) if asked["page"] == "1" else None)
    reading = read(catalogue)
    assert (reading.verdict, sorted(reading.products)) == (Verdict.PARTIAL, [4, 5, 6, 7, 8, 9])


def test_a_server_that_is_away_is_an_error_and_one_that_dies_midway_is_soon_left_alone() -> None:
    catalogue = shelf(300)
    catalogue.faults.append(lambda _: TransportFault("connect", "no connection"))
    with pytest.raises(SourceUnavailable, match="no connection"):
        read(catalogue)
    assert len(catalogue.asked) == 10
    catalogue = shelf(300)
    catalogue.faults.append(lambda _: TransportFault("reset", "gone") if len(catalogue.asked) > 10 else None)
    reading = read(catalogue)
    assert reading.verdict is Verdict.PARTIAL
    assert len(reading.products) > 20
    assert len(catalogue.asked) < 50


def test_a_server_that_repeats_page_1_for_ever_is_recognised_and_left() -> None:
    for echoes in (True, False):
        catalogue = shelf(30)

        def repeat(asked: Any, catalogue: Catalogue = catalogue, echoes: bool = echoes) -> Response:
            shown = pagination(30, int(asked["page"]) if echoes else 1, 3, 3)
            return answer({"products": [catalogue.rows[n] for n in (1, 2, 3)], "pagination": shown})

        catalogue.faults.append(repeat)
        with capture_logs() as logs:
            reading = read(catalogue)
        assert reading.verdict is Verdict.INCONSISTENT
        assert sorted(reading.products) == [1, 2, 3]
        assert len(catalogue.asked) <= 30
        assert [each["verdict"] for each in logs if each["event"] == "reading_doubted"] == ["inconsistent"]


def test_missing_pagination_is_recognised_asked_for_again_and_never_complete() -> None:
    catalogue = shelf(9)
    catalogue.faults.append(lambda _: answer({"products": list(catalogue.rows.values())}))
    with capture_logs() as logs:
        reading = read(catalogue)
    assert (reading.verdict, len(reading.products)) == (Verdict.INCONSISTENT, 9)
    assert "pagination_missing" in [each["event"] for each in logs]
    assert len(catalogue.asked) <= 4


def test_pagination_that_is_missing_once_costs_one_more_request() -> None:
    catalogue = shelf(9)
    faults = [answer({"products": [row(1)]})]
    catalogue.faults.append(lambda _: faults.pop() if faults else None)
    assert read(catalogue).verdict is Verdict.COMPLETE


def test_a_server_that_clamps_per_page_is_followed_and_named() -> None:
    catalogue = shelf(30)
    catalogue.largest = 5
    with capture_logs() as logs:
        reading = read(catalogue, per_page=100)
    assert (reading.verdict, len(reading.products), reading.pages) == (Verdict.COMPLETE, 30, 6)
    assert [each["given"] for each in logs if each["event"] == "per_page_clamped"] == [[5]]


def test_total_pages_beyond_reason_are_not_followed() -> None:
    catalogue = shelf(9)

    def lie(asked: Any) -> Response:
        page = int(asked["page"])
        rows = [catalogue.rows[n] for n in range(3 * page - 2, 3 * page + 1)]
        return answer({"products": rows, "pagination": {**pagination(9, page, 3, 3), "totalPages": claimed}})

    catalogue.faults.append(lie)
    for claimed in (500, 10**9):
        catalogue.asked.clear()
        reading = read(catalogue)
        assert (reading.verdict, len(reading.products)) == (Verdict.INCONSISTENT, 9)
        assert f"{claimed} pages" in reading.reasons[0]
        assert len(catalogue.asked) < 20


def test_a_deletion_between_pages_is_noticed_and_resolved() -> None:
    """Row 4 moves to page 1 after page 1 was read; without another look nobody would have read it."""
    catalogue = shelf(9)

    def trade() -> None:
        if len(catalogue.asked) == 2:
            catalogue.rows.pop(2, None)

    catalogue.between = trade
    reading = read(catalogue, concurrency=1)
    assert reading.verdict is Verdict.COMPLETE
    assert sorted(reading.products) == [1, 3, 4, 5, 6, 7, 8, 9]


def test_a_deletion_that_an_insertion_hides_from_the_totals_is_noticed_too() -> None:
    catalogue = shelf(9)

    def trade() -> None:
        if len(catalogue.asked) == 2:
            catalogue.rows.pop(2, None)
            catalogue.rows[10] = row(10)

    catalogue.between = trade
    reading = read(catalogue, concurrency=1)
    if reading.verdict is Verdict.COMPLETE:
        assert sorted(reading.products) == [1, 3, 4, 5, 6, 7, 8, 9, 10]
    assert set(reading.products) >= {1, 3, 4, 5, 6, 7, 8, 9}


def test_a_catalogue_that_never_holds_still_is_inconsistent_and_the_reading_ends() -> None:
    catalogue = shelf(30)

    def trade() -> None:
        catalogue.rows.pop(min(catalogue.rows))

    catalogue.between = trade
    reading = read(catalogue, concurrency=1)
    assert reading.verdict is Verdict.INCONSISTENT
    assert len(catalogue.asked) <= 31


def test_a_filter_that_is_ignored_is_named_and_its_rows_are_dropped() -> None:
    catalogue = Catalogue([row(n, category_id=7 if n == 4 else 1) for n in range(1, 10)])
    with capture_logs() as logs:
        reading = read(catalogue, only=Filter(category_id=7))
    assert (reading.verdict, sorted(reading.products)) == (Verdict.INCONSISTENT, [4])
    assert "8 of 9 rows do not match the filter" in reading.reasons[-1]
    assert [each["count"] for each in logs if each["event"] == "rows_outside_filter"] == [8]


def test_one_bad_row_harms_one_row_and_one_without_an_id_the_verdict() -> None:
    catalogue = shelf(9)
    catalogue.rows[5] = row(5, None)
    reading = read(catalogue)
    assert (reading.verdict, len(reading.products)) == (Verdict.COMPLETE, 8)
    assert [(bad.product_id, bad.page, bad.path) for bad in reading.bad_rows] == [
        (5, 2, "$.products[1].inventories[0].stock")
    ]
    catalogue.rows[5] = row("five")  # type: ignore[arg-type]
    reading = read(catalogue)
    assert reading.verdict is Verdict.INCONSISTENT
    assert [bad.product_id for bad in reading.bad_rows] == [None]


def test_retries_and_429s_end_only_with_the_deadline_outside() -> None:
    told = Told()
    catalogue = shelf(9)
    catalogue.faults.append(lambda _: answer("slow down", 429, **{"retry-after": "5"}))

    async def work() -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await source_over(catalogue, told=told).read()
        return asyncio.get_running_loop().time() - began

    assert virtually(work) == 600
    assert 100 < len(told.waits) < 125
    assert set(told.waits) == {5.0}


def test_one_product_is_looked_up_by_id() -> None:
    catalogue = shelf(3)
    catalogue.rows[2] = row(2, "abc")

    async def work() -> None:
        source = source_over(catalogue)
        good, bad, none = await source.product(1), await source.product(2), await source.product(9)
        assert isinstance(good, Product)
        assert isinstance(bad, BadRow)
        assert none is None
        assert await source.locations() == {3: "Main"}
        for body in (b"URL not found", b"We found nothing", b""):
            catalogue.faults[:] = [lambda _, body=body: Response(404, {}, body)]
            with pytest.raises(SourceRefused):
                await source.product(1)

    virtually(work)


def test_one_product_is_found_by_its_exact_sku_and_the_row_is_checked() -> None:
    catalogue = shelf(200)

    async def work() -> None:
        source = source_over(catalogue)
        found = await source.find("SKU-7")
        assert isinstance(found, Product)
        assert found.id == 7
        assert await source.find("sku-7") is None
        catalogue.faults[:] = [lambda asked: catalogue.list({**asked, "q[sku_eq]": "SKU-7"})]
        assert await source.find("SKU-70") is None, "another product than the one asked for"
        catalogue.faults[:] = [lambda asked: catalogue.list({k: v for k, v in asked.items() if k != "q[sku_eq]"})]
        with pytest.raises(SourceRefused, match="did not follow"):
            await source.find("SKU-150")
        catalogue.faults.clear()
        catalogue.rows[7] = row(7, None)
        assert isinstance(await source.find("SKU-7"), BadRow)

    virtually(work)


def test_a_product_is_read_again_where_it_stood() -> None:
    catalogue = shelf(9)

    async def work() -> None:
        source = source_over(catalogue, per_page=3)
        product = (await source.read()).products[5]
        catalogue.rows[5] = row(5, "42")
        again = await source.again(product)
        assert again is not None
        assert again.stock[3] == 42
        del catalogue.rows[5]
        assert await source.again(product) is None
        catalogue.rows.clear()
        assert await source.again(product) is None

    virtually(work)


def test_the_first_page_alone_proves_nothing() -> None:
    async def work() -> None:
        page = await source_over(shelf(9), per_page=3).first_page()
        assert (page.verdict, page.total, len(page.products)) == (Verdict.PARTIAL, 9, 3)
        assert (await source_over(Catalogue([])).first_page()).verdict is Verdict.EMPTY

    virtually(work)


class _Market:
    """Trade and faults, all drawn from one seed; knows what was ever shown and what was always there."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.catalogue = shelf(random.randint(0, 14))
        self.catalogue.delay = lambda: random.choice([0, 0, 0.1, 3]) * random.random()
        self.catalogue.between = self.trade
        self.catalogue.faults.append(self.fail)
        self.always = set(self.catalogue.rows)
        self.shown = {(each, Decimal(1)) for each in self.catalogue.rows}
        self.busy = random.choice([0, 0.05, 0.3])
        self.failing = random.choice([0, 0, 0.1, 0.5])

    def trade(self) -> None:
        while self.random.random() < self.busy:
            self.random.choice([self.delete, self.create, self.move])()

    def delete(self) -> None:
        if self.catalogue.rows:
            gone = self.random.choice(sorted(self.catalogue.rows))
            del self.catalogue.rows[gone]
            self.always.discard(gone)

    def create(self) -> None:
        self.put(max([50, *self.catalogue.rows]) + 1, Decimal(1))

    def move(self) -> None:
        if self.catalogue.rows:
            self.put(self.random.choice(sorted(self.catalogue.rows)), Decimal(self.random.randint(-5, 5)))

    def put(self, product_id: int, figure: Decimal) -> None:
        self.catalogue.rows[product_id] = row(product_id, str(figure))
        self.shown.add((product_id, figure))

    def fail(self, _: Any) -> Any:
        if self.random.random() >= self.failing:
            return None
        fates = [
            TransportFault("reset", "gone"), answer("oops", 502), answer("no"), answer({"products": []}),
            Response(200, {}, b'{"products": [{"id"'), answer("wait", 429, **{"retry-after": "1"}),
        ]  # fmt: skip
        return self.random.choice(fates)


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 4), concurrency=st.integers(1, 5))
def test_nothing_is_missed_invented_or_endless_while_the_catalogue_moves(
    seed: int, size: int, concurrency: int
) -> None:
    """Random trade between and during requests, random faults, random delays: promise 4 and the verdict."""
    market = _Market(Random(seed))
    try:
        reading = read(market.catalogue, per_page=size, concurrency=concurrency, seed=seed)
    except SourceUnavailable:
        return
    assert {(product.id, product.stock[3]) for product in reading.products.values()} <= market.shown
    if reading.verdict is Verdict.COMPLETE:
        assert market.always <= set(reading.products)
        assert len(reading.products) == reading.total
    assert len(market.catalogue.asked) < 1000


CHALLENGE = b"<!DOCTYPE html><html><title>Just a moment...</title></html>"
HTML = {"content-type": "text/html; charset=UTF-8"}
EDGE = (
    b'{"type":"https://example.test/1020","title":"Error 1020: Access denied","cloudflare_error":true,"message":"no"}'
)
OTHERS_WORDS = {
    "Cloudflare's challenge": Response(403, {**HTML, "cf-mitigated": "challenge"}, CHALLENGE),
    "Cloudflare's error as JSON": Response(403, JSON, EDGE),
    "a firewall's page": Response(403, HTML, b"<html><center><h1>403 Forbidden</h1></center></html>"),
    "a page that is not called HTML": Response(403, {}, b"\n <html>"),
    "a plain sentence": Response(403, {"content-type": "text/plain"}, b"error code: 1010"),
    "no word at all": Response(403, {}, b""),
    "a proxy that asks for a login": Response(401, HTML, b"<html>401 Authorization Required</html>"),
    "a proxy that asks for its own login": Response(407, HTML, b"<html>Proxy Authentication Required</html>"),
    "a firewall's 406": Response(406, HTML, b"<html>Not Acceptable! Mod_Security</html>"),
}


@pytest.mark.parametrize("whose", OTHERS_WORDS)
@pytest.mark.parametrize("page", ["1", "3"])
@pytest.mark.parametrize(("times", "verdict", "products"), [(2, Verdict.COMPLETE, 15), (99, Verdict.PARTIAL, 12)])
def test_a_refusal_that_is_not_the_apis_own_is_a_fault_of_its_page_alone(
    whose: str, page: str, times: int, verdict: Verdict, products: int
) -> None:
    catalogue, told, left = shelf(15), Told(), [OTHERS_WORDS[whose]] * times
    catalogue.faults.append(lambda asked: left.pop() if asked["page"] == page and left else None)
    reading = virtually(lambda: source_over(catalogue, told=told, per_page=3).read())
    assert (reading.verdict, len(reading.products)) == (verdict, products)
    assert told.authorizations == [True]


@pytest.mark.parametrize(
    "refusal",
    [
        answer({"error": "This plan has no API"}, 403),
        answer({"message": "Forbidden"}, 403),
        answer({"error": "Unauthorized - Invalid API key"}, 401),
        Response(401, {}, b""),
        Response(401, {"content-type": "text/plain"}, b"HTTP Token: Access denied."),
    ],
)
def test_a_refusal_of_the_api_itself_ends_the_reading_at_once(refusal: Response) -> None:
    catalogue, told = shelf(15), Told()
    catalogue.faults.append(lambda asked: refusal if asked["page"] == "3" else None)
    with pytest.raises(Unauthorized):
        virtually(lambda: source_over(catalogue, told=told, per_page=3).read())
    assert told.authorizations == [True, False]


@pytest.mark.parametrize("words", [b"We found nothing", b"Product not found"])
def test_a_page_that_says_what_qoyod_says_of_what_is_gone_proves_nothing(words: bytes) -> None:
    """A shop's or a CDN's 404 page may well read "Product not found"."""
    catalogue = shelf(9)

    async def work() -> None:
        source = source_over(catalogue, per_page=3, attempts=2)
        page = b"\n<!DOCTYPE html><html>" + b" " * 3000 + b"<h1>" + words + b"</h1></html>"
        catalogue.faults[:] = [lambda _: Response(404, HTML, page)]
        with pytest.raises(SourceUnavailable):
            await source.product(1)
        with pytest.raises(SourceUnavailable):
            await source.find("SKU-1")
        with pytest.raises(SourceUnavailable):
            await source.read()
        catalogue.faults[:] = [lambda _: Response(404, HTML, words)]
        if b"nothing" in words:
            assert (await source.read()).verdict is Verdict.EMPTY, "a plain sentence that is sent as HTML"
        else:
            assert await source.product(1) is None

    virtually(work)
