"""Questions put to Qoyod before a reading is acted upon: cross-check and absence."""

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from stocksync.core import absence
from stocksync.core.crosscheck import Check, agree, verdict_on
from stocksync.core.model import BadRow, Product, Reading, SnapshotProduct
from stocksync.errors import SourceRefused, SourceUnavailable
from stocksync.ports import Clock, Source
from stocksync.threads import off_loop

log = structlog.get_logger(__name__)

_ASKED_AT_ONCE = 20
"""Suspects asked for by id in one cycle: they share the request budget with everything else."""
_ASKED_AGAIN = 5
"""Of those, apart from them, whom nobody could answer for before."""
_FRAME = 5
"""Suspects between two questions for the witness."""
_ASKING = 50.0
"""Seconds after which no further question is begun."""
_NO_TIME = "no time is left before poll.deadline"
_SAME_MINUTE = 60.0
"""Seconds within which both of the witness's answers must frame the suspects'."""


@dataclass(slots=True)
class CrossCheckResult:
    """What the cross-check found."""

    results: list[Check] = field(default_factory=list)
    newer: dict[int, Product] = field(default_factory=dict)
    """What look-ups showed that is newer than the list."""
    distrusted: set[int] = field(default_factory=set)
    up_to: int = 0
    """The product id up to which all have had their turn to be checked."""

    @property
    def objection(self) -> str:
        """Why the whole reading is not believed; "" where it is."""
        return verdict_on(self.results)

    def correct(self, reading: Reading) -> Reading:
        """Put what is newer in the place of what the list showed, and leave out what is not believed."""
        believed = ((key, one) for key, one in reading.products.items() if key not in self.distrusted)
        products = {key: self.newer.get(key, one) for key, one in believed}
        return replace(reading, products=products, doubted=frozenset(self.distrusted))


async def cross_check(
    source: Source, listed: Iterable[Product], clock: Clock, until: float = math.inf
) -> CrossCheckResult:
    """Compare products with their look-ups by id, reading both sides again before a difference counts.

    At `until`, by the monotonic clock, it ends with what it has.
    """
    checked = CrossCheckResult()
    for product in listed:
        try:
            async with _before(until, clock):
                await _check(source, product, checked)
        except (SourceUnavailable, SourceRefused, TimeoutError) as error:
            checked.results.append(Check.INCONCLUSIVE)
            log.warning("cross_check_failed", product_id=product.id, error=str(error) or _NO_TIME)
    return checked


def _before(until: float, clock: Clock) -> asyncio.Timeout:
    return asyncio.timeout(None if math.isinf(until) else max(0.0, until - clock.monotonic()))


async def _check(source: Source, listed: Product, checked: CrossCheckResult) -> None:
    looked_up = _as_far_as_listed(listed, await source.product(listed.id))
    if isinstance(looked_up, Product) and agree(listed, looked_up):
        checked.results.append(Check.SAME)
        return
    checked.distrusted.add(listed.id)
    relisted = _as_far_as_listed(listed, await source.again(listed))
    looked_up = _as_far_as_listed(listed, await source.product(listed.id))
    if not isinstance(relisted, Product) or not isinstance(looked_up, Product):
        checked.results.append(Check.INCONCLUSIVE)
    elif agree(relisted, looked_up):
        checked.results.append(Check.MOVED)
        checked.newer[listed.id] = replace(looked_up, page=listed.page)
        checked.distrusted.discard(listed.id)
    else:
        checked.results.append(Check.DIFFERENT)
        log.warning("cross_check_differs", product_id=listed.id, listed=_show(relisted), by_id=_show(looked_up))


def _as_far_as_listed(listed: Product, shown: Product | BadRow | None) -> Product | BadRow | None:
    """Leave out what a product whose row was recognised lacks: locations that feed no place."""
    if not listed.recognised or not isinstance(shown, Product):
        return shown
    stock = {location: figure for location, figure in shown.stock.items() if location in listed.stock}
    return replace(shown, stock=stock, recognised=True)


@dataclass(slots=True)
class Absent:
    """What is known of the products that a reading lacks."""

    updates: dict[int, SnapshotProduct] = field(default_factory=dict)
    alive: dict[int, Product] = field(default_factory=dict)
    """Products that no list shows but that answer by id."""
    unresolved: int = 0
    """Suspects not asked for yet: while there are any, no deletion is applied, so that the guards see all at once."""


async def ask_for_absent(
    source: Source, reading: Reading, known: Mapping[int, SnapshotProduct], clock: Clock, until: float = math.inf
) -> Absent:
    """Count what is missing, and ask by id for what two complete readings lacked, until the given instant."""
    absent = Absent(updates=dict(await off_loop(len(known), absence.missing_from, reading, known)))
    suspects = absence.suspects(absent.updates)
    if not suspects:
        return absent
    asking = _Asking(source, clock, absence.witnesses_for(reading, known), until)
    in_vain = {product_id for product_id in suspects if absence.in_vain(absent.updates[product_id])}
    # A frame is what is asked between two answers of the witness; whom nobody answered for stands alone.
    new = [product_id for product_id in suspects if product_id not in in_vain][:_ASKED_AT_ONCE]
    frames = [new[start : start + _FRAME] for start in range(0, len(new), _FRAME)]
    frames += [[product_id] for product_id in suspects if product_id in in_vain][:_ASKED_AGAIN]
    await asking.ask(frames)
    left = [product_id for product_id in suspects if product_id not in asking.answers.keys() | asking.failed]
    # Once one of those asked in vain is answered for, the others may be soon: they are waited for again.
    waited_for = not in_vain.isdisjoint(asking.answers)
    absent.unresolved = sum(waited_for or product_id not in in_vain for product_id in left)
    for product_id in asking.failed:
        absent.updates[product_id] = absence.asked_in_vain(absent.updates[product_id])
    for product_id, answer in asking.answers.items():
        entry = absent.updates[product_id]
        if answer is None:
            absent.updates[product_id] = absence.proven_gone(entry, clock.now())
            log.warning("product_gone", product_id=product_id, sku=entry.sku)
            continue
        if isinstance(answer, Product):
            absent.alive[product_id] = answer
            entry = absence.entry_of(answer)
        absent.updates[product_id] = absence.proven_alive(entry)
    return absent


@dataclass(slots=True)
class _Asking:
    """Questions by id; answers count only if a witness is found before and after them within a minute."""

    source: Source
    clock: Clock
    witnesses: list[int]
    latest: float
    """When even a question that waits for its answer is given up."""
    answers: dict[int, Product | BadRow | None] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)
    """Asked for without an answer, while the witness answered."""

    async def ask(self, frames: Iterable[list[int]]) -> None:
        """Ask frame by frame, until all are asked, the witness is silent, or the time is up."""
        until = min(self.latest, self.clock.monotonic() + _ASKING)
        for witness in self.witnesses:
            if self.clock.monotonic() < until and isinstance(await self._answer(witness), Product):
                break
        else:
            log.warning("absence_unresolved", witnesses=self.witnesses)
            return
        for frame in frames:
            if self.clock.monotonic() >= until or not await self._ask_frame(frame, witness, until):
                return

    async def _ask_frame(self, frame: list[int], witness: int, until: float) -> bool:
        began = self.clock.monotonic()
        answers: dict[int, Product | BadRow | Exception | None] = {}
        slowest = 0.0
        for product_id in frame:
            asked = self.clock.monotonic()
            # One more question and the witness must still fit in, or a slow budget would never prove anything.
            if answers and asked + 2 * slowest > until:
                break
            answers[product_id] = await self._answer(product_id)
            slowest = max(slowest, self.clock.monotonic() - asked)
        if not isinstance(await self._answer(witness), Product):
            return False
        self.failed |= {product_id for product_id, answer in answers.items() if isinstance(answer, Exception)}
        if self.clock.monotonic() - began <= _SAME_MINUTE:
            self.answers |= {one: answer for one, answer in answers.items() if not isinstance(answer, Exception)}
        return True

    async def _answer(self, product_id: int) -> Product | BadRow | Exception | None:
        try:
            async with _before(self.latest, self.clock):
                return await self.source.product(product_id)
        except TimeoutError:
            return SourceUnavailable(_NO_TIME)
        except (SourceUnavailable, SourceRefused) as error:
            log.warning("question_failed", product_id=product_id, error=str(error))
            return error


def _show(product: Product) -> dict[str, str]:
    return {str(location): str(quantity) for location, quantity in product.stock.items()}
