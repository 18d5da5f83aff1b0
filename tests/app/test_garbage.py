"""Values that hold each other in circles go, and what lives as long as the process is not looked through for them."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from stocksync.app import garbage


class Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


async def test_after_a_while_what_is_there_is_looked_through_no_more_and_what_is_new_still_is() -> None:
    kept = [[number] for number in range(1000)]
    dead = weakref.ref(Circle())
    frozen = gc.get_freeze_count()
    await asyncio.wait_for(garbage.keep_what_stays(0), 5)
    assert dead() is None, "what was there in vain is not kept"
    assert gc.get_freeze_count() > frozen + len(kept)
    new = weakref.ref(Circle())
    gc.collect()
    assert new() is None


def test_what_a_reload_left_goes_even_where_it_was_set_aside() -> None:
    left = Circle()
    gone = weakref.ref(left)
    gc.freeze()
    del left
    gc.collect()
    assert gone() is not None
    garbage.let_go_of_what_went()
    assert gone() is None
    assert gc.get_freeze_count() > 0


def test_a_piece_of_what_is_new_is_small_and_the_rest_is_looked_through_seldom() -> None:
    """Of 50,000 values that takes 10 to 20 ms (the benchmark of many accounts)."""
    garbage.look_seldom()
    each, young, old = gc.get_threshold()
    assert each * young <= 50_000
    assert each * young * old >= 100_000_000
