"""The rehearsal guide tells the truth."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stocksync.simulator.api import Api
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.credentials import Credentials
from stocksync.simulator.fault_kinds import KINDS, PLACES
from stocksync.simulator.faults import parse
from stocksync.simulator.journal import Journal, Logged
from stocksync.simulator.server import Simulator
from stocksync.simulator.wire import Answer, Manner, Request

GUIDE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
WALL = datetime(2030, 1, 1, tzinfo=UTC)


def test_the_guide_s_table_is_exactly_the_faults_there_are() -> None:
    table = GUIDE.partition("| kind | places |")[2].partition("\n\n")[0].splitlines()[2:]
    assert table == [
        f"| `{kind.name}` | {', '.join(kind.places)} | {kind.argument or 'none'} | `{kind.example}` | {kind.doc} |"
        for kind in KINDS
    ]


def test_every_place_is_explained_and_every_fault_in_the_guide_can_be_typed() -> None:
    assert set(re.findall(r"^\| `([a-z]+)(?:-N)?` \|", GUIDE.partition("| place |")[2], re.MULTILINE)) >= set(PLACES)
    typed = re.findall(r"`((?:all|list|auth|(?:page|product|location)-\d+)=[^`]+)`", GUIDE)
    assert len(typed) > len(KINDS)
    for text in typed:
        parse(text)


def test_every_product_that_the_guide_names_is_in_the_catalogue_that_the_simulator_starts_with() -> None:
    catalogue = Catalogue()
    named = re.findall(
        r"product-(\d+)=|products/(\d+)|\"product_id\": (\d+)|\"delete\": (\d+)|delete-before:(\d+)", GUIDE
    )
    ids = {int(number) for groups in named for number in groups if number}
    assert ids
    assert ids <= {product for product, _ in catalogue.figures()}
    assert all((int(one), int(place)) in catalogue.figures() for one, place in re.findall(r"(\d+)/(\d+)=", GUIDE))
    assert (10, 3) in catalogue.figures()


async def test_every_endpoint_in_the_guide_exists_and_none_is_missing() -> None:
    told = set(re.findall(r"^\| `([A-Z]+) (/_sim/[a-z]+)", GUIDE, re.MULTILINE))
    async with Simulator(Catalogue(1, 1)) as sim:
        app = sim._runner.app if sim._runner else None
        assert app is not None
        routes = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    there = {(method, re.sub(r"/\{id\}$", "", path)) for method, path in routes if path.startswith("/_sim/")}
    assert {(method, path) for method, path in there if method != "HEAD"} == told


def answers(seed: int) -> list[Answer]:
    api = Api(Catalogue(230, 3, seed=seed), credentials=Credentials("k"))
    api.faults.add("page-2=stall", "page-3=resetx1")
    headers = {"api-key": "k"}
    pages = [Request("GET", "/2.0/products", (("page", str(page)), ("per_page", "100")), headers) for page in (1, 2, 3)]
    return [api.answer(page, now=float(at), wall=WALL) for at, page in enumerate(pages)]


def test_the_api_is_a_function_without_socket_or_clock() -> None:
    assert answers(1) == answers(1)
    assert answers(1) != answers(2)
    assert [answer.manner for answer in answers(1)] == [Manner.WHOLE, Manner.STALL, Manner.RESET]


@pytest.mark.parametrize(("moments", "worst"), [((), 0), ((0, 1, 59.9, 60, 61), 3), ((0, 100, 200), 1)])
def test_the_worst_minute_is_counted_over_a_sliding_window(moments: tuple[float, ...], worst: int) -> None:
    journal = Journal()
    for at in moments:
        journal.add(Logged(journal.next_number(), at, WALL, "GET", "/2.0/products", (), 1, 200, "whole", {}))
        journal.add(Logged(journal.next_number(), at, WALL, "POST", "/oauth/token", (), None, 200, "whole", {}))
    assert journal.worst_minute() == worst
