"""A catalogue of which much is to be changed: weighed as a whole, then planned and written portion by portion.

One whose rules have changed asks for as many changes as it has cells. So a first pass compares all of it and keeps only
how much that comes to; a second compares it again, and writes each portion before it goes on to the next. What the
target refuses as a whole comes once more after the others.

Of a catalogue that was never written before, what no guard can hold is written at once: rows that the target lacks
altogether. From the first portion on of which it holds any row, what is left is weighed as a whole like every other.
"""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import replace

from stocksync.core.catalogue import Recognised
from stocksync.core.cycle_plan import Plan
from stocksync.core.desired_state import DesiredState
from stocksync.core.diff import ChangeSet
from stocksync.core.guards import Guard, Weight, exceeded_by
from stocksync.core.model import Cell, Reading
from stocksync.core.policy import LocationMap
from stocksync.errors import MoreThanWeighed
from stocksync.run.account import Account
from stocksync.run.accounting import Figures, figures_of, not_reached
from stocksync.run.catalogue_slices import Slice, Slices, chosen
from stocksync.run.compare import compare, in_slices
from stocksync.run.focus import Focus
from stocksync.run.prepared import CyclePlan
from stocksync.run.verification import CrossCheckResult
from stocksync.run.weighing import NOTHING, Load, bad_cells, context_of, is_familiar, load_of, plan_of
from stocksync.threads import off_loop

_KEPT = 100_000
"""Cells to be told of, or read anew, that are kept at once: with no more of them, what is known is one portion."""
_CELLS = 24_000
"""Cells of each portion where there are more, and of those of a catalogue that was never written before."""
_MORE = "more is to be changed than when it was weighed, and the guards would hold it; the next poll compares anew"


class Portions:
    """What one reading led to: one plan, or one after the other."""

    def __init__(self, account: Account, prepared: CyclePlan, *, divisible: bool) -> None:
        """Take what was read and is known, and whether it may be divided."""
        self._account = account
        self.whole = prepared
        """Of one portion, its plan; of many, only what they have in common."""
        self.figures: list[Figures] = []
        """Of each portion: what it comes to, and once it is written what became of it."""
        self._divisible, self._divided, self._familiar = divisible, False, False
        known = prepared.snapshot
        unknown = not (known.products or known.cells or known.quarantine or prepared.focus.left_out != Recognised())
        self._unweighed = divisible and unknown
        """Whether portions may be written as they come: nothing is remembered, so that rows of ours should be new."""
        self._prepared = prepared
        self._bare = False
        """Whether the target held no row, and none was met since."""
        self._begun = 0
        """How many were planned before what was left had to be weighed."""
        self._loads: list[Load] = []
        self._changing: list[Cell] = []
        self._slices: Slices
        self._put_off: dict[int, Slice] = {}

    async def compare(self) -> None:
        """Compare all of the reading as it stands in `whole`; divide it where there is too much to be kept."""
        whole, kept = self.whole, list[CyclePlan]()
        loads, figures = list[Load](), list[Figures]()
        self._changing, self._divided = [], False
        self._familiar = await off_loop(whole.size, is_familiar, whole.focus)
        self._slices = await self._in_slices()
        if self._unweighed and len(self._slices) > 1:
            await self._take_as_new()
            return
        for part in self._slices:
            kept.append(await self._compared(part, first=not (kept or self._divided or self._begun)))
            # A person is asked about each figure below zero.
            self._divisible = self._divisible and not kept[-1].found.negative
            if self._divided and not self._divisible:
                await self.compare()
                return
            changed = sum(max(one.found.kept, len(one.desires.fresh)) for one in kept)
            if self._divisible and (self._divided or changed > _KEPT):
                self._divided = True  # and of portions only how much they come to is kept
                for one in kept:
                    loads.append(await off_loop(one.size, load_of, one, familiar=self._familiar))
                    figures.append(await off_loop(one.size, figures_of, one))
                    self._changing += {change.product_id: change.cell for change in one.found.changes}.values()
                kept.clear()
        self._loads[self._begun :] = loads
        if self._divided:
            self.figures[self._begun :] = figures
        whole.desires, whole.found = DesiredState(), ChangeSet()
        for one in kept:
            await off_loop(one.size, whole.desires.add, one.desires)
            await off_loop(one.size, whole.found.add, one.found)

    @property
    def planned(self) -> Iterable[Cell]:
        """Cells that a plan decides on; of many portions, one of each product."""
        return self._changing if self._divided else self.whole.found.planned

    @property
    def writes(self) -> bool:
        """Whether anything is to be written."""
        return self._divided or bool(self.whole.plan.apply)

    def settle_under(self, rules: bytes, layout: str) -> None:
        """Take the rules and the layout as they are since the table was made; nothing is planned anew."""
        self.whole.focus, self.whole.layout = replace(self.whole.focus, rules=rules), layout

    async def weigh(self) -> None:
        """Put everything before the guards. What they hold a person decides on cell by cell: then it is one portion."""
        whole = self.whole
        if self._divided and not self._exceeded():
            self._changing = []
            return
        if self._divided:
            self._divisible = self._unweighed = self._bare = False
            await self.compare()
        whole.bad_cells = await off_loop(whole.size, bad_cells, whole)
        whole.plan = await off_loop(whole.size, plan_of, self._account, whole, familiar=self._familiar)
        self.figures[self._begun :] = [await off_loop(whole.size, figures_of, whole)]

    async def plan(self, index: int) -> CyclePlan | None:
        """Give the plan of a portion, the next one or one that was put off; None where there are no more.

        Where it is the first of which the target holds rows after all, what is left is weighed: `whole` and the figures
        from there on are others then.

        Raises:
            MoreThanWeighed: rows have changed since they were weighed, so that a guard would hold what is left.

        """
        again = self._put_off.pop(index, None)
        self._bare = self._bare and again is None
        if again is None and not self._divided:
            return self.whole if index == self._begun else None
        if index >= len(self.figures):
            return None
        prepared = await self._compared(again or self._slices[index - self._begun], first=index == 0)
        load = await off_loop(prepared.size, load_of, prepared, familiar=self._familiar)
        if again:  # its intents are open by now, which what is known of it does not show: nothing of it is settled
            prepared.focus = replace(prepared.focus, rules=b"")
        elif self._unweighed and (prepared.found.negative or load != NOTHING):
            await self._weigh_from(index)
            return await self.plan(index)
        self._loads[index] = load
        if prepared.found.negative or self._exceeded():
            raise MoreThanWeighed(_MORE)
        return prepared

    def look_for_rows(self) -> bool:
        """Ask for the rows of each portion from now on: somebody else inserts rows into what was empty.

        Gives whether that is new: then a portion that is planned already is to be planned anew.
        """
        was, self._bare = self._bare, False
        return was

    def put_off(self, index: int, prepared: CyclePlan) -> None:
        """Let a portion be planned once more after the others."""
        self._put_off[index] = Slice(prepared.reading, prepared.snapshot, prepared.absent)
        self._prepared.layout = None  # recorded by now: once more, it would undo what others record of altered figures

    async def _in_slices(self) -> Slices:
        whole = self.whole
        part, read = Slice(whole.reading, whole.snapshot, whole.absent), whole.reading.products
        if not self._divisible:
            return await in_slices(self._account, part, sys.maxsize)
        products = max(len(read), len(whole.snapshot.products), 1)
        cells = max(len(whole.snapshot.cells), sum(len(product.stock) for product in read.values()), products)
        return await in_slices(self._account, part, max(1, _CELLS * products // cells))

    async def _take_as_new(self) -> None:
        """Expect that the target holds no row of ours: `plan` looks at each portion before it is written."""
        figures = list[Figures]()
        for part in self._slices:
            expected = CyclePlan(self._focus_on(part), part.reading, part.absent)
            figures.append(await off_loop(expected.size, not_reached, expected))
            await asyncio.sleep(0)
        self._bare = await self._account.target.is_empty()
        self._divided, self._loads, self.figures = True, [NOTHING] * len(figures), figures
        self._changing = await off_loop(self.whole.size, _to_be_met, self.whole.reading, self._account.rules.places)

    async def _weigh_from(self, index: int) -> None:
        """Weigh what is left as a whole: the portions before this one were planned as nothing that counts there."""
        whole, left = self.whole, await off_loop(self.whole.size, self._slices.rest, index)
        focus = await off_loop(whole.size, self._focus_on, left)
        checked = whole.checked if index == 0 else replace(whole.checked, distrusted=set())  # counted with the first
        layout = whole.layout if index == 0 else None
        self.whole = CyclePlan(focus, left.reading, left.absent, checked, layout=layout)
        self._unweighed, self._bare, self._begun = False, False, index
        await self.compare()
        await self.weigh()

    def _focus_on(self, part: Slice) -> Focus:
        ids = {*part.reading.products, *part.snapshot.products}
        entire = self._prepared.focus.reading
        read = replace(entire, products=chosen(entire.products, ids))
        return replace(self.whole.focus, reading=read, snapshot=part.snapshot)

    async def _compared(self, part: Slice, *, first: bool) -> CyclePlan:
        """Compare a portion. What is recorded once, and undoes what was recorded before, goes with the first."""
        entire, rows = self._prepared, len(part.reading.products) + len(part.snapshot.cells)
        focus = await off_loop(rows, self._focus_on, part)
        if not first:
            focus = replace(focus, left_out=Recognised(), catalogue=replace(focus.catalogue, rules=focus.rules))
        checked = entire.checked if first else CrossCheckResult()
        prepared = CyclePlan(focus, part.reading, part.absent, checked, layout=entire.layout if first else None)
        found = await compare(self._account, part, bare=self._bare)
        prepared.desires, prepared.found = found
        prepared.bad_cells = bad_cells(prepared)
        prepared.plan = Plan(tuple(prepared.found.changes))
        return prepared

    def _exceeded(self) -> dict[Guard, str]:
        weight = Weight(*(sum(counts) for counts in zip(*(load.weight for load in self._loads), strict=True)))
        facts = context_of(self._account, self.whole, sum(load.managed for load in self._loads))
        return exceeded_by(weight, self._account.limits, facts)


def _to_be_met(reading: Reading, places: LocationMap) -> list[Cell]:
    """Name one cell of each product that has any."""
    met: dict[int, Cell] = {}
    for product in reading.products.values():
        for at in map(places.of, product.stock) if product.tracked else ():
            if at is not None:
                met[product.id] = Cell(product.id, at)
    return list(met.values())
