"""What the target should hold, cell by cell, after a reading."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from stocksync.core.model import Cell, Figure, Product, Removal, SnapshotCell, SnapshotProduct, SourceFigures
from stocksync.core.policy import LocationMap, OnRemoved, Policy, settle, total_of


class DesiredCell(NamedTuple):
    """A cell with the figure the target should hold."""

    cell: Cell
    sku: str
    parts: SourceFigures
    figure: Figure
    cause: str = "poll"
    held: bool = False
    refused: str = ""
    discrepancies: tuple[str, ...] = ()

    @property
    def retires(self) -> bool:
        """Whether it takes the product's row out of use."""
        return isinstance(self.figure, Removal) or self.cause in {"deleted", "untracked", "unmapped"}

    def stands(self, remembered: SnapshotCell | None, *, by_sku: bool) -> bool:
        """Whether the target has acknowledged it, and nothing is to be written."""
        return (
            remembered is not None
            and remembered.intent is None
            and remembered.asked == self.figure
            and (not by_sku or remembered.sku == self.sku)  # under another SKU it has another row
        )


@dataclass(slots=True)
class DesiredState:
    """All that a reading says about cells; each cell stands in exactly one of the first three, or is settled."""

    wants: dict[Cell, DesiredCell] = field(default_factory=dict)
    """Once they are compared, only those of which more is to be told than that: see `compared`."""
    unknown: list[Cell] = field(default_factory=list)
    """Cells of read products whose figure Qoyod no longer shows."""
    unmanaged: list[Cell] = field(default_factory=list)
    """Cells of untracked products, or at places that no location feeds any more."""
    orphaned: list[Cell] = field(default_factory=list)
    """Cells of tracked products at places that no location feeds any more, as the map was changed."""
    given_up: list[Cell] = field(default_factory=list)
    """Unmanaged cells whose last write the target refused, and that nobody asks for any more."""
    unmapped: dict[int, int] = field(default_factory=dict)
    """By product, location entries that feed no place: ignored."""
    unmapped_held: dict[int, int] = field(default_factory=dict)
    """The same, where a person has to say what they feed."""
    unchanged: dict[int, int] = field(default_factory=dict)
    """By product, cells of which nothing differs from what is remembered and acknowledged: no want is made of them."""
    yielding: set[int] = field(default_factory=set)
    """Products that leave a row alone for another one that bears its SKU: whether it still does must be looked at."""
    outdated: set[int] = field(default_factory=set)
    """Products of which something newer is remembered than the row that was read."""
    fresh: dict[Cell, tuple[SourceFigures, datetime]] = field(default_factory=dict)
    """Raw figures that differ from the remembered ones."""
    wanted: Counter[int] = field(default_factory=Counter)
    """By product, the wants that were compared."""

    def compared(self, memory: "SnapshotCells") -> None:
        """Let go of the wants of which nothing more is to be told: of a large catalogue they fill the memory."""
        self.wanted.update(cell.product_id for cell in self.wants)
        self.wants = {
            cell: want
            for cell, want in self.wants.items()
            if want.discrepancies
            or want.cause != "poll"
            or ((one := memory.get(cell)) is not None and (one.intent is not None or one.unknown_since is not None))
        }

    def add(self, other: "DesiredState") -> None:
        """Take in what was derived of other products."""
        for each in fields(self):
            ours, theirs = getattr(self, each.name), getattr(other, each.name)
            ours.extend(theirs) if isinstance(ours, list) else ours.update(theirs)


@dataclass(frozen=True, slots=True)
class Rules:
    """What turns figures into desires."""

    policy: Policy
    places: LocationMap

    def feed(self, place: str, parts: SourceFigures) -> bool:
        """Whether one of a cell's locations still belongs to its place; where nothing was read, nothing says not."""
        return not parts or any(self.places.of(location) == place for location, _ in parts)


SnapshotCells = Mapping[Cell, SnapshotCell]
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NAMED = 10
"""Products that a reason names; of more it says how many."""

CLOCK_SKEW = timedelta(minutes=2)
"""How far two machines' clocks may stand apart."""


def is_from_the_future(at: datetime, now: datetime) -> bool:
    """Whether a clock was wrong when this was read."""
    return at > now + CLOCK_SKEW


def believable(cells: SnapshotCells, now: datetime) -> SnapshotCells:
    """Take the age from figures that were read in the future: they would win for as long."""
    wrong = {
        cell: one._replace(source_at=_LONG_AGO) for cell, one in cells.items() if is_from_the_future(one.source_at, now)
    }
    return {**cells, **wrong} if wrong else cells


def cells_by_product(cells: SnapshotCells) -> dict[int, list[Cell]]:
    """Group the remembered cells by product."""
    grouped: dict[int, list[Cell]] = {}
    for cell in cells:
        grouped.setdefault(cell.product_id, []).append(cell)
    return grouped


def desires_of(products: Iterable[Product], memory: SnapshotCells, rules: Rules) -> DesiredState:
    """Derive the desired figure of every cell of the products that were read."""
    desires = DesiredState()
    remembered = cells_by_product(memory)
    for product in products:
        known = remembered.get(product.id, ())
        if product.tracked:
            _tracked(product, known, memory, rules, desires)
            continue
        for cell in known:
            _want_removed(cell, product.sku, memory[cell], (rules.policy.on_untracked, "untracked"), desires)
    return desires


def want_gone(gone: Mapping[int, SnapshotProduct], memory: SnapshotCells, rules: Rules, desires: DesiredState) -> None:
    """Add what `on_deleted` asks for the cells of products that Qoyod confirmed as deleted."""
    for cell in [cell for cell in memory if cell.product_id in gone]:
        sku = memory[cell].sku or gone[cell.product_id].sku
        _want_removed(cell, sku, memory[cell], (rules.policy.on_deleted, "deleted"), desires)


def want_open_intents(
    memory: SnapshotCells,
    known: Mapping[int, SnapshotProduct],
    alive: Collection[int],
    rules: Rules,
    desires: DesiredState,
) -> None:
    """Add every cell whose write was begun and never acknowledged, whatever was read of it now.

    `alive` are the products that were read as tracked: a removal that was begun is not repeated for them.
    """
    open_cells = {cell for cell, remembered in memory.items() if remembered.intent is not None}
    for cell in sorted(open_cells - desires.wants.keys()):
        remembered = memory[cell]
        product = known.get(cell.product_id)
        removed = isinstance(remembered.intent, Removal) or is_retired(product)
        # Nothing feeds it any more: only what was begun is known, and a figure worked out anew would be another's.
        repeats = (cell.product_id not in alive and removed) or not rules.feed(cell.place, remembered.parts)
        sku = product.sku if product is not None else remembered.sku
        parts = remembered.parts
        if repeats or not parts:
            assert remembered.intent is not None  # noqa: S101  the cell was chosen for its open intent
            desires.wants[cell] = DesiredCell(cell, sku, parts, remembered.intent, "repeat")
        else:
            settled = settle(total_of(parts), rules.policy)
            desires.wants[cell] = DesiredCell(cell, sku, parts, settled.figure, "repeat", settled.held, settled.refused)
    desires.unknown = [cell for cell in desires.unknown if cell not in open_cells]
    desires.unmanaged = [cell for cell in desires.unmanaged if cell not in open_cells]


def give_up_refused(
    refused: Iterable[Cell], retired: Collection[int], memory: SnapshotCells, rules: Rules, desires: DesiredState
) -> None:
    """Leave alone what the target refuses of products, or at places, that have ended: it would be tried for ever."""
    for cell in refused:
        want = desires.wants.get(cell)
        ended = cell.product_id in retired or (cell in memory and not rules.feed(cell.place, memory[cell].parts))
        if want is not None and want.cause == "repeat" and ended:
            del desires.wants[cell]
            desires.unmanaged.append(cell)
            desires.given_up.append(cell)


def contested_skus(read: Iterable[Product], known: Mapping[int, SnapshotProduct]) -> dict[str, tuple[int, ...]]:
    """Name the SKUs that several live products bear, by the newest that is known of each product.

    Rows that are found by such a SKU belong to nobody until a person has chosen, whatever part was read now.
    """
    living = {product_id: entry.sku for product_id, entry in known.items() if not is_retired(entry)}
    for product in read:
        if product.tracked:
            living[product.id] = product.sku
        else:
            living.pop(product.id, None)
    bearers: dict[str, list[int]] = {}
    for product_id, sku in sorted(living.items()):
        bearers.setdefault(sku, []).append(product_id)
    return {sku: tuple(ids) for sku, ids in bearers.items() if len(ids) > 1}


def yield_skus(
    desires: DesiredState, read: Iterable[Product], known: Mapping[int, SnapshotProduct], memory: SnapshotCells
) -> None:
    """Settle whose a row is where rows are found by SKU and several products bear, or bore, one.

    A product that is gone or untracked leaves the row to a live one; between two live ones a person must choose.
    """
    read = list(read)
    bearers: dict[str, set[int]] = {}
    for product in (one for one in read if one.tracked):
        bearers.setdefault(product.sku, set()).add(product.id)
    for product_id, entry in known.items():
        if not is_retired(entry):
            bearers.setdefault(entry.sku, set()).add(product_id)
    # Worded once for all of them: thousands may bear one SKU, or none.
    contested = {sku: _shared_by(ids, sku) for sku, ids in contested_skus(read, known).items()}
    shut: set[tuple[str, str]] = set()
    # In one order, whatever order the pages came in: of two that leave a row one is told to empty it.
    for cell, want in sorted(desires.wants.items(), key=itemgetter(0)):
        row = (want.sku, cell.place)
        # What is only repeated belongs to a product that was not read now: it yields as well, until one of them is.
        yields = want.retires or want.cause == "repeat"
        heirs = bearers.get(want.sku, set()) if yields else set()
        if heirs - {cell.product_id} or (want.retires and row in shut):
            del desires.wants[cell]
            desires.unmanaged.append(cell)
            desires.yielding.add(cell.product_id)
        elif want.retires and not want.stands(memory.get(cell), by_sku=True):
            shut.add(row)
        elif not want.retires and want.sku in contested:
            desires.wants[cell] = want._replace(refused=contested[want.sku])


def _shared_by(product_ids: Sequence[int], sku: str) -> str:
    named = ", ".join(map(str, product_ids[:_NAMED]))
    more = f" and {len(product_ids) - _NAMED} more" if len(product_ids) > _NAMED else ""
    return f"products {named}{more} bear the SKU {sku!r}"


def is_retired(known: SnapshotProduct | None) -> bool:
    """Whether a product is gone or no longer tracked: what the target holds then is the rule's figure, not Qoyod's."""
    return known is not None and (known.gone_at is not None or not known.tracked)


def figure_now(
    remembered: SnapshotCell, policy: Policy, known: SnapshotProduct | None = None, *, fed: bool = True
) -> Figure | None:
    """Give the figure that the target should hold by what is remembered; None before any is known.

    `fed` is false where no location feeds the cell's place any more: then it holds what was last written.
    """
    if isinstance(remembered.asked, Removal) or is_retired(known) or not fed:
        return remembered.asked
    return settle(total_of(remembered.parts), policy).figure if remembered.parts else remembered.asked


def is_derived(figure: Figure, remembered: SnapshotCell, policy: Policy) -> bool:
    """Whether a figure is Qoyod's, or a rule's: what a row was believed to hold may be somebody else's."""
    if isinstance(figure, Removal) or not figure or not remembered.parts:
        return True
    return settle(total_of(remembered.parts), policy).figure == figure


def orphaned_units(orphaned: Iterable[Cell], memory: SnapshotCells) -> dict[str, Decimal]:
    """Sum, place by place, the stock that stands where no location feeds it any more: it may be sold twice."""
    units: dict[str, Decimal] = {}
    for cell in sorted(orphaned):
        acked = memory[cell].acked
        if isinstance(acked, Decimal) and acked:
            units[cell.place] = units.get(cell.place, Decimal(0)) + acked
    return units


def _tracked(
    product: Product, known: Iterable[Cell], memory: SnapshotCells, rules: Rules, desires: DesiredState
) -> None:
    found, astray = parts_by_place(product.stock, rules.places)
    if astray:
        (desires.unmapped if rules.places.ignores else desires.unmapped_held)[product.id] = astray
    for place, parts in found.items():
        cell = Cell(product.id, place)
        remembered = memory.get(cell)
        if remembered is not None and _is_settled(product, parts, remembered, rules.policy):
            desires.unchanged[product.id] = desires.unchanged.get(product.id, 0) + 1
        else:
            _place(product, cell, parts, remembered=remembered, rules=rules, desires=desires)
    for cell in known:
        if cell.place in found:
            continue
        # A figure that Qoyod no longer shows is unknown, unless its location feeds another place now.
        remembered = memory[cell]
        if not remembered.parts:
            desires.unmanaged.append(cell)
        elif rules.feed(cell.place, remembered.parts):
            desires.unknown.append(cell)
        else:
            desires.orphaned.append(cell)
            _want_removed(cell, product.sku, remembered, (rules.policy.on_unmapped, "unmapped"), desires)


def _is_settled(product: Product, parts: SourceFigures, remembered: SnapshotCell, policy: Policy) -> bool:
    """Whether a cell is one of the many that need no second look: the target holds the raw figure as it is read."""
    return (
        remembered.asked == parts[0][1]
        and remembered.parts == parts
        and len(parts) == 1
        and remembered.intent is None
        and remembered.unknown_since is None
        and remembered.sku == product.sku
        and policy.leaves_alone(parts[0][1])
    )


def parts_by_place(stock: Mapping[int, Decimal], places: LocationMap) -> tuple[dict[str, SourceFigures], int]:
    """Sort raw figures by the place they feed; how many feed none comes second."""
    found: dict[str, SourceFigures] = {}
    astray = 0
    for location, quantity in sorted(stock.items()):
        place = places.of(location)
        if place is None:
            astray += 1
        else:
            found[place] = (*found[place], (location, quantity)) if place in found else _alone(location, quantity)
    return found, astray


@lru_cache(maxsize=4096)  # of a whole catalogue that is new these are a tenth of all that is kept
def _alone(location: int, quantity: Decimal) -> SourceFigures:
    return ((location, quantity),)


def _place(
    product: Product,
    cell: Cell,
    parts: SourceFigures,
    *,
    remembered: SnapshotCell | None,
    rules: Rules,
    desires: DesiredState,
) -> None:
    if remembered is not None and remembered.parts != parts:
        if remembered.source_at > product.read_at:
            parts = remembered.parts
            desires.outdated.add(product.id)
        elif _lost_a_part(parts, remembered.parts, cell.place, rules.places):
            desires.unknown.append(cell)
            return
        else:
            desires.fresh[cell] = (parts, product.as_of)
    elif remembered is None:
        desires.fresh[cell] = (parts, product.as_of)
    settled = settle(total_of(parts), rules.policy)
    desires.wants[cell] = DesiredCell(
        cell, product.sku, parts, settled.figure,
        held=settled.held, refused=settled.refused, discrepancies=settled.discrepancies,
    )  # fmt: skip


def _lost_a_part(parts: SourceFigures, before: SourceFigures, place: str, places: LocationMap) -> bool:
    """Whether a location that fed this sum is no longer shown: then the sum is unknown."""
    shown = {location for location, _ in parts}
    return any(location not in shown and places.of(location) == place for location, _ in before)


def _want_removed(
    cell: Cell, sku: str, remembered: SnapshotCell, rule: tuple[OnRemoved, str], desires: DesiredState
) -> None:
    action, cause = rule
    figure = action.figure
    if figure is None or (remembered.acked is None and remembered.intent is None):
        desires.unmanaged.append(cell)
        return
    desires.wants[cell] = DesiredCell(cell, sku, remembered.parts, figure, cause=cause)
