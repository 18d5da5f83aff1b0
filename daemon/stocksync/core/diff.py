"""The change set: cells whose desired figure differs from what the target acknowledged."""

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Protocol

from stocksync.core.desired_state import CLOCK_SKEW, DesiredCell, SnapshotCells
from stocksync.core.look_alike import Rivals
from stocksync.core.model import Cell, Change, Figure, Removal, RowLocator, SnapshotCell, SnapshotProduct, TargetRow


@dataclass(slots=True)
class ChangeSet:
    """What a cycle found to do; every want stands in exactly one of these."""

    changes: list[Change] = field(default_factory=list)
    negative: list[Change] = field(default_factory=list)
    """Changes that the negative rule wants a person for."""
    refused: list[tuple[Change, str]] = field(default_factory=list)
    """Changes that cannot be written as they are, with the reason."""
    waiting: list[Cell] = field(default_factory=list)
    """Quarantined, and not due yet."""
    unchanged: int = 0
    skipped: list[Cell] = field(default_factory=list)
    """`missing = "skip"` and the target has no such row."""
    adopted: dict[Cell, tuple[Figure, str]] = field(default_factory=dict)
    """First contact with a row that already is right; counted as unchanged."""

    @property
    def planned(self) -> list[Cell]:
        """Cells that a plan decides on."""
        return [change.cell for change in (*self.changes, *self.negative)]

    @property
    def kept(self) -> int:
        """Count the cells of which more is kept than that they are unchanged."""
        told: tuple[Sized, ...] = (self.changes, self.negative, self.refused, self.waiting, self.skipped, self.adopted)
        return sum(len(one) for one in told)

    def add(self, other: "ChangeSet") -> None:
        """Take in what was found of other products."""
        self.unchanged += other.unchanged
        self.adopted.update(other.adopted)
        for ours, theirs in (
            (self.changes, other.changes), (self.negative, other.negative), (self.refused, other.refused),
            (self.waiting, other.waiting), (self.skipped, other.skipped),
        ):  # fmt: skip
            ours.extend(theirs)  # type: ignore[arg-type]


class Waiting(Protocol):
    """A quarantine entry, as far as it matters here."""

    @property
    def figure(self) -> Figure | None:
        """What could not be written."""

    @property
    def last_at(self) -> datetime:
        """When it was last tried."""

    @property
    def retry_at(self) -> datetime:
        """When to try again."""


@dataclass(frozen=True, slots=True)
class DiffContext:
    """What the comparison depends on besides the figures."""

    by_sku: bool
    creates: bool
    now: datetime
    shut: frozenset[tuple[str, str]] = frozenset()
    """Rows by (SKU, place) that we deactivated for a product that bore the SKU before; only where `by_sku`."""
    rivals: Rivals = field(default_factory=dict)
    """Products whose SKUs the target may take for one."""


def to_look_up(wants: Iterable[DesiredCell], memory: SnapshotCells) -> list[RowLocator]:
    """Name the cells whose figure before is not certain: first contact, and open intents."""
    return [
        RowLocator(want.cell.product_id, want.sku, want.cell.place)
        for want in wants
        if (remembered := memory.get(want.cell)) is None or remembered.acked is None or remembered.intent is not None
    ]


def diff(
    wants: Iterable[DesiredCell],
    memory: SnapshotCells,
    live: Mapping[Cell, TargetRow],
    quarantine: Mapping[tuple[int, str | None], Waiting],
    terms: DiffContext,
) -> ChangeSet:
    """Compare each want with what the target acknowledged, or with what stands in it."""
    found = ChangeSet()
    for want in wants:
        remembered = memory.get(want.cell)
        if want.stands(remembered, by_sku=terms.by_sku) and not want.refused:
            found.unchanged += 1
        else:
            waiting = quarantine.get(want.cell)
            _differing(want, remembered, live.get(want.cell), waiting=waiting, terms=terms, found=found)
    found.changes.sort(key=attrgetter("cell"))
    return found


def _differing(
    want: DesiredCell,
    remembered: SnapshotCell | None,
    live: TargetRow | None,
    *,
    waiting: Waiting | None,
    terms: DiffContext,
    found: ChangeSet,
) -> None:
    first = remembered is None or (remembered.acked is None and remembered.intent is None)
    change = _change(want, remembered, live, terms)
    there = live is not None and live.holds(want.figure) and not isinstance(change.before, Removal)
    # What may be another's row is written all the same: only then can the target tell the two apart.
    if first and there and not change.rivals:
        found.adopted[want.cell] = (want.figure, want.sku)
        found.unchanged += 1
    elif first and live is None and not terms.creates:
        found.skipped.append(want.cell)
    elif waiting is not None and waiting.figure == want.figure and waits(waiting, terms.now):
        found.waiting.append(want.cell)
    elif want.refused or (live is not None and live.unreadable):
        found.refused.append((change, want.refused or (live.unreadable if live else "")))
    else:
        (found.negative if want.held else found.changes).append(change)


def waits(waiting: Waiting, now: datetime) -> bool:
    """Whether it is too early to try again.

    What is judged at each poll has nothing to wait for; what was set aside in the future was so by a wrong clock.
    """
    return max(now, waiting.last_at) < waiting.retry_at and waiting.last_at <= now + CLOCK_SKEW


def _change(want: DesiredCell, remembered: SnapshotCell | None, live: TargetRow | None, terms: DiffContext) -> Change:
    cell, cause = want.cell, want.cause
    if cause == "poll" and remembered is not None and remembered.acked is not None:
        if remembered.intent is not None:
            cause = "repeat"
        elif terms.by_sku and remembered.sku != want.sku:
            cause = "renamed"
    rivals = terms.rivals.get(cell.product_id, ())
    return Change.of(
        cell, want.sku, _before(want, remembered, live, terms), want.figure, want.parts,
        cause=cause, rivals=tuple(one._replace(place=cell.place) for one in rivals),
    )  # fmt: skip


def shut_rows(
    memory: SnapshotCells, known: Mapping[int, SnapshotProduct] = MappingProxyType({})
) -> frozenset[tuple[str, str]]:
    """Name the rows by (SKU, place) that we deactivated, or may have."""
    shut = [(cell, one.sku) for cell, one in memory.items() if Removal.DEACTIVATED in {one.acked, one.intent}]
    # What was never acknowledged has no SKU yet: its row was written under its product's.
    borne = {cell.product_id: known[cell.product_id].sku for cell, _ in shut if cell.product_id in known}
    return frozenset((sku or borne.get(cell.product_id, ""), cell.place) for cell, sku in shut)


def _before(
    want: DesiredCell, remembered: SnapshotCell | None, live: TargetRow | None, terms: DiffContext
) -> Figure | None:
    if remembered is not None and remembered.acked is not None and remembered.intent is None:
        return remembered.acked
    if live is None:
        return None
    ours = (want.sku, want.cell.place) in terms.shut
    if remembered is not None:
        ours = ours or Removal.DEACTIVATED in {remembered.acked, remembered.intent}
    if live.active is False and ours:
        return Removal.DEACTIVATED
    return live.quantity
