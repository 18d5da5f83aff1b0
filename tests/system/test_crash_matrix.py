"""Killed at any commit: nothing is lost, the target follows, and neither the ledger nor its feed tells a lie."""

from collections.abc import Callable
from typing import Any

import pytest
from feed_reader import Reader, applied, opened
from system_shop import Shop, watch, witnessed

SEPARATE = ("claim", "begin", "intend", "write", "acknowledge", "end", "release")
SHARED = ("claim", "begin", "observe", "transaction", "end", "release")
IN_BATCHES = {"intend", "write", "acknowledge", "transaction"}
"""Reached once per batch of four: the second time, one batch is done, one is open and one is not begun."""


@pytest.mark.parametrize(
    ("backend", "sharing"),
    [
        ("sqlite", "shared"),
        ("postgresql", "separate"),
        ("postgresql", "shared"),
        ("mariadb", "separate"),
        # Half a minute of two cores that the soak alone takes: the same code runs in the four above.
        pytest.param("sqlite", "separate", marks=pytest.mark.soak),
        pytest.param("mariadb", "shared", marks=pytest.mark.soak),
    ],
)
async def test_killed_at_any_commit_the_target_follows_within_two_cycles_and_the_ledger_tells_no_lie(
    open_shop: Callable[..., Any], backend: str, sharing: str
) -> None:
    target = backend if sharing == "separate" else "shared"
    shop = await open_shop(backend, target, products=8, settings={"target": {"batch_size": 4}})
    assert (await shop.command("once")).code == 0
    await watch(shop.target)
    reader = Reader()
    for round_, point in enumerate(SEPARATE if sharing == "separate" else SHARED):
        for when in ("before", "after"):
            where = f"{when} the commit of {point}"
            old = move_figures(shop, round_ * 2 + (when == "after"))
            nth = 2 if point in IN_BATCHES else 1
            killed = await shop.killed("once", point=point, when=when, nth=nth)
            assert killed.code == -9, f"{where} was not reached: {killed}"
            await follow(shop, reader, where)
            move_on(shop, old)
            await recover(shop, where)
            await follow(shop, reader, where)
            await check_ledger(shop, where, exactly_once=sharing == "shared")
    ended = await shop.command("once", "--json")
    assert (ended.code, ended.json[0]["counts"]["applied"]) == (0, 0), "all is known: nothing is written again"


async def follow(shop: Shop, reader: Reader, where: str) -> None:
    """Read on behind the cursor: whatever was applied is seen, in order, and nothing that was not.

    The state is opened for it alone, so that a cycle finds it as it left it.
    """
    async with opened(shop) as state:
        await reader.read(state)
    assert reader.seen == await applied(shop), where


async def test_without_intents_the_same_kill_would_leave_a_wrong_figure_for_good(
    open_shop: Callable[..., Any],
) -> None:
    shop = await open_shop(products=8, settings={"target": {"batch_size": 4}})
    assert (await shop.command("once")).code == 0
    await watch(shop.target)
    old = move_figures(shop, 1)
    killed = await shop.killed("once", point="write", when="after", nth=2, blind=True)
    assert killed.code == -9
    move_on(shop, old)
    await shop.expire_lease()
    for _ in range(2):
        assert (await shop.command("once")).code == 0
    assert not await shop.equal(), "the matrix can fail"


def move_figures(shop: Shop, number: int) -> dict[tuple[int, int], Any]:
    """Change ten of the sixteen figures, to values never seen before; gives the old ones."""
    old = shop.catalogue.figures()
    for index, (product, place) in enumerate(sorted(old)[:10]):
        shop.set(product, place, 1000 * (number + 1) + index)
    return old


def move_on(shop: Shop, old: dict[tuple[int, int], Any]) -> None:
    """While nobody looks, four figures flip back, three change once more, and three stay."""
    for index, (product, place) in enumerate(sorted(old)[:10]):
        if index % 5 in {0, 2}:
            shop.set(product, place, old[product, place])
        elif index % 5 == 4 or index == 1:
            shop.set(product, place, shop.catalogue.figures()[product, place] + 500)


async def recover(shop: Shop, where: str) -> None:
    await shop.expire_lease()
    for _ in range(2):
        ended = await shop.command("once")
        assert ended.code == 0, f"{where}: {ended}"
        if await shop.equal():
            break
    assert await shop.rows() == shop.truth(), where
    assert await shop.intents() == {}, where


async def check_ledger(shop: Shop, where: str, *, exactly_once: bool) -> None:
    rows, acked, seen = await shop.rows(), await shop.acknowledged(), await witnessed(shop.target)
    entries: dict[tuple[int, str], list[Any]] = {}
    for entry in await shop.entries():
        entries.setdefault((entry.product_id, entry.place), []).append(entry)
    assert acked == rows, where
    for cell, told in entries.items():
        afters = [entry.after for entry in told]
        assert afters[-1] == rows[cell], f"{where}: {cell}"
        assert set(afters) <= shop.shown[cell], f"{where}: {cell} never showed that"
        held = [afters[0], *seen.get(cell, [])]  # the first cycle made the table, before anybody watched
        assert is_subsequence(afters, held), f"{where}: {cell} is told to have been {afters}, and was {held}"
        assert {entry.before for entry in told[1:]} <= set(held), f"{where}: {cell}"
        if exactly_once:
            assert afters == held, f"{where}: {cell} was written and not told, or twice"


def is_subsequence(some: list[str], every: list[str]) -> bool:
    remaining = iter(every)
    return all(one in remaining for one in some)
