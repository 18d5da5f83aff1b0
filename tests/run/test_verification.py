"""How many of the missing are asked for by id, by a Qoyod that takes its time or fails for some."""

import asyncio
from dataclasses import dataclass, field

import pytest
from making import NOW, known, product, reading
from virtual_time import virtually

from stocksync.core.crosscheck import Check
from stocksync.core.model import BadRow
from stocksync.errors import SourceUnavailable
from stocksync.run.verification import ask_for_absent, cross_check


@dataclass
class Qoyod:
    """Answers by id in its own time; `gone` are not found, `broken` fail, anything else is there."""

    gone: set = field(default_factory=set)
    broken: set = field(default_factory=set)
    seconds: float = 0.1
    slow: dict = field(default_factory=dict)
    at: float = 0.0
    asked: list = field(default_factory=list)

    def now(self):
        return NOW

    def monotonic(self):
        return self.at

    async def product(self, product_id):
        self.asked.append(product_id)
        self.at += self.slow.get(product_id, self.seconds)
        if product_id in self.broken:
            raise SourceUnavailable("500")
        return None if product_id in self.gone else product(product_id, {3: 1})


LISTED = reading(product(1, {3: 1}), product(2, {3: 1}), product(3, {3: 1}), product(4, {3: 1}))


def memory(*missing):
    return {one: known() for one in LISTED.products} | {one: known(missing=2) for one in missing}


async def run(qoyod, entries):
    """Give what one reading after the other leads to, until nothing is to be waited for; 20 at most."""
    for cycle in range(20):
        absent = await ask_for_absent(qoyod, LISTED, entries, qoyod)
        entries = entries | absent.updates
        if not absent.unresolved:
            return cycle + 1, {one for one, entry in entries.items() if entry.gone_at}
    return None, set()


@pytest.mark.parametrize("seconds", [0.1, 5, 12, 20, 28])
async def test_however_slow_the_answers_are_there_is_progress(seconds):
    qoyod = Qoyod(gone=set(range(10, 18)), seconds=seconds)
    cycles, gone = await run(qoyod, memory(*range(10, 18)))
    assert gone == qoyod.gone
    assert cycles <= 8


async def test_an_answer_that_no_witness_confirmed_within_a_minute_proves_nothing():
    cycles, gone = await run(Qoyod(gone={10}, seconds=40), memory(10))
    assert (cycles, gone) == (None, set())


@pytest.mark.parametrize("broken", [{10}, set(range(10, 20)), set(range(10, 60))])
async def test_those_that_cannot_be_asked_for_delay_nobody_for_long(broken):
    qoyod = Qoyod(gone={70, 71}, broken=broken)
    cycles, gone = await run(qoyod, memory(*broken, 70, 71))
    assert gone == {70, 71}
    assert cycles <= 3


async def test_one_that_fails_slowly_takes_its_neighbours_with_it_only_once():
    qoyod = Qoyod(gone={10, 12}, broken={11}, slow={11: 150.0})
    cycles, gone = await run(qoyod, memory(10, 11, 12))
    assert gone == {10, 12}
    assert cycles == 2


async def test_when_those_in_vain_are_answered_for_the_guards_see_them_all_at_once():
    several = set(range(10, 30))
    qoyod = Qoyod(broken=set(several), gone=set(several))
    first = await ask_for_absent(qoyod, LISTED, memory(*several), qoyod)
    assert first.unresolved == 0
    qoyod.broken.clear()
    second = await ask_for_absent(qoyod, LISTED, memory() | first.updates, qoyod)
    assert second.unresolved == 15
    assert (await run(qoyod, memory() | second.updates))[1] == several


async def test_a_failing_qoyod_puts_nobody_off():
    absent = await ask_for_absent(Qoyod(broken=set(range(100))), LISTED, memory(10), Qoyod())
    assert (absent.unresolved, absent.updates[10].missing) == (1, 3)


async def test_a_witness_that_is_garbled_or_fails_is_replaced_twice():
    class Garbled(Qoyod):
        async def product(self, product_id):
            found = await super().product(product_id)
            return BadRow(1, 0, "$", "bad", NOW) if product_id == 1 else found

    for broken, gone in (({2}, {10}), ({2, 3}, set())):
        assert (await run(Garbled(gone={10}, broken=broken), memory(10)))[1] == gone


class Silent:
    """Shows products by id until `speaks` is over, then never answers; the clock is the loop's."""

    def __init__(self, speaks=0, **stock):
        self.speaks, self.stock = speaks, stock

    def now(self):
        return NOW

    def monotonic(self):
        return asyncio.get_running_loop().time()

    async def product(self, product_id):
        self.speaks -= 1
        if self.speaks < 0:
            await asyncio.Event().wait()
        return product(product_id, {3: self.stock.get("figure", 1)})


def test_a_cross_check_that_nobody_answers_ends_in_time_and_proves_nothing():
    async def work():
        silent = Silent()
        checked = await cross_check(silent, LISTED.products.values(), silent, until=30)
        assert silent.monotonic() == 30
        assert checked.results == [Check.INCONCLUSIVE] * 4
        assert not checked.distrusted
        assert not checked.objection

    virtually(work)


def test_a_product_that_differed_before_the_time_was_up_is_not_believed():
    async def work():
        silent = Silent(speaks=1, figure=2)
        silent.again = silent.product
        checked = await cross_check(silent, [LISTED.products[1]], silent, until=30)
        assert checked.distrusted == {1}

    virtually(work)


@pytest.mark.parametrize("speaks", range(4))
def test_questions_that_nobody_answers_end_in_time_and_delete_nothing(speaks):
    async def work():
        silent = Silent(speaks)
        absent = await ask_for_absent(silent, LISTED, memory(10, 11, 12), silent, until=30)
        assert silent.monotonic() == 30
        assert not absent.alive
        assert not any(entry.gone_at for entry in absent.updates.values())

    virtually(work)
