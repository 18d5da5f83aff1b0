"""A large catalogue: weighed as a whole, then planned and written portion by portion.

One that is new, or whose rules have changed, asks for as many changes as it has cells. So a first pass compares all of
it and keeps only how much that comes to; a second compares it again, and writes each portion before it goes on to the
next.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from stocksync.core.cycle_plan import Plan
from stocksync.core.guards import Guard, Weight, exceeded_by
from stocksync.core.model import Cell
from stocksync.core.recognition import Recognised
from stocksync.errors import TargetError
from stocksync.run.account import Account
from stocksync.run.accounting import Figures, figures_of
from stocksync.run.catalogue_slices import Slice, in_slices, of_products
from stocksync.run.compare import compare, is_divisible
from stocksync.run.focus import Focus
from stocksync.run.prepared import CyclePlan
from stocksync.run.verification import CrossCheckResult
from stocksync.run.weighing import Load, bad_cells, context_of, is_familiar, load_of, plan_of
from stocksync.threads import off_loop

_PRODUCTS = 10_000
"""Products of a portion. A catalogue of up to twice as many is one: to compare it twice costs more than to keep it."""
_CHANGED = (
    "rows of the target changed while they were compared, and the guards hold them now; the next poll compares anew"
)


async def is_large(account: Account, focus: Focus) -> bool:
    """Whether a catalogue is to be divided: what waits for a person's decision, or has it, is weighed as a whole."""
    products = max(len(focus.reading.products), len(focus.snapshot.products))
    return products > 2 * _PRODUCTS and not focus.snapshot.plans and await is_divisible(account)


class Portions:
    """What one reading led to: one plan, or one after the other."""

    def __init__(self, account: Account, prepared: CyclePlan, *, divided: bool) -> None:
        """Take what was read and is known, and whether it is to be divided."""
        self._account = account
        self.whole = prepared
        """Of one portion, its plan; of many, only what they have in common."""
        self.figures: list[Figures] = []
        """Of each portion: what it comes to, and once it is written what became of it."""
        self._divided, self._familiar = divided, False
        self._loads: list[Load] = []
        self._changing: list[Cell] = []
        self._slices: Iterator[Slice] = iter(())

    async def compare(self) -> None:
        """Compare all of the reading as it stands in `whole`."""
        if self._divided:
            self.figures, self._loads, self._changing = [], [], []
            self._familiar = await off_loop(self.whole.size, is_familiar, self.whole.focus)
            for part in await self._in_slices():
                prepared = await self._compared(part, first=not self.figures)
                self._divided = self._divided and not prepared.found.negative  # a person is asked about each of these
                self._loads.append(await off_loop(prepared.size, load_of, prepared, familiar=self._familiar))
                self.figures.append(await off_loop(prepared.size, figures_of, prepared))
                self._changing += {change.product_id: change.cell for change in prepared.found.changes}.values()
        if not self._divided:
            whole = self.whole
            whole.desires, whole.found = await compare(self._account, whole.reading, whole.snapshot, whole.absent)

    @property
    def planned(self) -> Iterable[Cell]:
        """Cells that a plan decides on; of many portions, one of each product."""
        return self._changing or self.whole.found.planned

    async def weigh(self) -> None:
        """Put everything before the guards. What they hold a person decides on cell by cell: then it is one portion."""
        whole = self.whole
        if self._divided and not self._exceeded():
            self._slices, self._changing = await self._in_slices(), []
            return
        if self._divided:
            self._divided = False
            await self.compare()
        whole.bad_cells = await off_loop(whole.size, bad_cells, whole)
        whole.plan = await off_loop(whole.size, plan_of, self._account, whole)
        self.figures = [await off_loop(whole.size, figures_of, whole)]

    async def plan(self, index: int) -> CyclePlan:
        """Give the plan of the next portion, which is this one.

        Raises:
            TargetError: rows have changed since they were weighed, so that a guard would hold what is left.

        """
        if not self._divided:
            return self.whole
        prepared = await self._compared(next(self._slices), first=index == 0)
        self._loads[index] = await off_loop(prepared.size, load_of, prepared, familiar=self._familiar)
        if prepared.found.negative or self._exceeded():
            raise TargetError(_CHANGED)
        return prepared

    async def _in_slices(self) -> Iterator[Slice]:
        whole = self.whole
        return await off_loop(whole.size, in_slices, whole.reading, whole.snapshot, whole.absent, _PRODUCTS)

    async def _compared(self, part: Slice, *, first: bool) -> CyclePlan:
        """Compare a portion. What is recorded once, and for all products, goes with the first."""
        whole = self.whole
        focus, ids = whole.focus, {*part.reading.products, *part.snapshot.products}
        read = replace(focus.reading, products=of_products(focus.reading.products, ids))
        focus = replace(focus, reading=read, snapshot=part.snapshot)
        if not first:
            focus = replace(focus, left_out=Recognised(), catalogue=replace(focus.catalogue, rules=focus.rules))
        prepared = CyclePlan(
            focus,
            part.reading,
            part.absent,
            checked=whole.checked if first else CrossCheckResult(),
            layout=whole.layout if first else None,
        )
        found = await compare(self._account, part.reading, part.snapshot, part.absent)
        prepared.desires, prepared.found = found
        prepared.bad_cells = bad_cells(prepared)
        prepared.plan = Plan(tuple(prepared.found.changes))
        return prepared

    def _exceeded(self) -> dict[Guard, str]:
        weight = Weight(*(sum(counts) for counts in zip(*(load.weight for load in self._loads), strict=True)))
        facts = context_of(self._account, self.whole, sum(load.managed for load in self._loads))
        return exceeded_by(weight, self._account.limits, facts)
