"""What the simulation holds a world to: it knows what Qoyod said when, and what a person approved.

Nothing here asks the code under test what it should have done.
"""

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from decided import Decided
from weather import Weather

from stocksync.core.model import Cell, Change, Kind, Removal
from stocksync.core.report import CycleReport, Outcome
from stocksync.ports import LedgerRow

_DESTRUCTIVE = {Kind.ZERO, Kind.DEACTIVATE, Kind.DELETE}
_SHARE, _FALL = 0.15, 0.30
CLOCKS_APART = 130.0
"""Seconds for which figures that a writer with a clock ahead read may outlive newer ones, and a cycle."""


PROCESS: ContextVar[str] = ContextVar("PROCESS", default="")
"""The simulated process that a log line is of."""


@dataclass(frozen=True, slots=True)
class Began:
    """What stood when a cycle began."""

    at: float
    managed: int
    standing: int
    """Managed cells whose rows were there."""
    usual_total: float
    faults: int
    """How many faults had struck by then."""


@dataclass
class Oracle:
    """Everything that was shown and approved, and every promise found broken."""

    weather: Weather
    per_minute: int
    broken: list[str] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)
    """Named states that this world came through."""
    deleted: set[int] = field(default_factory=set)
    decided: Decided = field(init=False)
    meddled: dict[Cell, float] = field(default_factory=dict)
    """When a person last edited a row."""
    began: dict[str, "Began"] = field(default_factory=dict)
    """What stood when each process's last cycle began."""
    distrusted: dict[tuple[str, int], tuple[float, dict[str, Decimal]]] = field(default_factory=dict)
    """When a process's cross-check last found a product's answer by id to differ, and what its list said there."""
    struck: int = 0
    """Answers that a fault had a hand in."""
    _shown: dict[Cell, list[tuple[float, Decimal]]] = field(default_factory=lambda: defaultdict(list))
    _by_id: dict[Cell, list[tuple[float, Decimal]]] = field(default_factory=lambda: defaultdict(list))
    """What was shown to whoever asked for the product, as a look-up does beside the cycle."""
    _listed: dict[tuple[str, Cell], float] = field(default_factory=dict)
    """When a process last saw a cell on a list page."""
    _written_as_of: dict[Cell, float] = field(default_factory=dict)
    _sent: deque[float] = field(default_factory=deque)
    _judged: int = 0

    def __post_init__(self) -> None:
        self.decided = Decided(self.note)

    def note(self, text: str) -> None:
        """Note a broken promise."""
        self.broken.append(text)

    def see_request(self, now: float) -> None:
        """Hold the requests of all processes together to the limit of any sliding minute."""
        self._sent.append(now)
        while self._sent and self._sent[0] <= now - 60:
            self._sent.popleft()
        if len(self._sent) > self.per_minute:
            self.note(f"{len(self._sent)} requests within a minute at {now:.1f}")

    def see_answer(self, process: str, now: float, body: bytes) -> None:
        """Remember every figure that an answer shows, faults and all: that is what Qoyod said."""
        try:
            told = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return
        single = isinstance(told, dict) and isinstance(told.get("product"), dict)
        rows = [told["product"]] if single else told.get("products", ()) if isinstance(told, dict) else ()
        for row in rows if isinstance(rows, list) else ():
            figures = _figures(row)
            for cell, figure in figures.items():
                self._shown[cell].append((now, figure))
                if single:
                    self._by_id[cell].append((now, figure))
                doubt = process, cell.product_id
                if single and self.distrusted.get(doubt, (0.0, {}))[1].get(cell.place) == figure:
                    del self.distrusted[doubt]  # by id it says the same now
                if not single:
                    self._listed[process, cell] = now

    def see_commit(self, process: str, changes: Iterable[Change], now: float) -> None:
        """Judge figures that became the target's: shown by Qoyod, and never older than what was written before."""
        began = self.began.get(process)
        for change in changes:
            if isinstance(change.after, Removal):
                if change.product_id not in self.deleted:
                    self.note(f"{change} though the product exists")
                continue
            if change.cause == "deleted" or change.cause.startswith("approved"):
                continue
            at, listed = self.distrusted.get((process, change.product_id), (-1.0, {}))
            doubted = began is not None and at >= began.at and change.after == listed.get(change.place)
            if doubted and not self._was_told(change, began.at):
                self.note(f"{change} at {now:.1f}, though list and look-up differed in that cycle")
            since = self._written_as_of.get(change.cell, float("-inf"))
            shown = self._shown.get(change.cell, [])
            start = bisect_left(shown, (since, Decimal("-Infinity")))
            at = next((at for at, figure in shown[start:] if figure == change.after), None)
            if at is not None:
                self._written_as_of[change.cell] = at
            elif any(figure == change.after for _, figure in shown):
                self.note(f"{change} at {now:.1f} is older than what was written before, as of {since:.1f}")
            else:
                self.note(f"{change} was never shown")

    def _was_told(self, change: Change, since: float) -> bool:
        return any(at >= since and figure == change.after for at, figure in self._by_id[change.cell])

    def see_report(
        self, report: CycleReport, began: Began, rows: Sequence[LedgerRow], managed: int, now: float
    ) -> None:
        """Judge what a cycle, and what look-ups and healing since the last one, applied beside the guards."""
        if "add up" in report.error or "unexpected" in report.error:
            self.note(report.error)
        fresh, self._judged = rows[self._judged :], len(rows)
        self.decided.cover(rows, now)
        if self.weather.minimum_cells > min(began.standing, managed):
            return
        own = {number: row.change for number, row in enumerate(rows) if row.cycle_id == report.cycle_id}
        self._weigh(own, max(began.managed, managed), f"cycle {report.cycle_id}")
        start = len(rows) - len(fresh)
        looked_up = {n: row.change for n, row in enumerate(fresh, start) if row.cycle_id.startswith("lookup-")}
        self._weigh(looked_up, max(began.managed, managed), "row of look-ups")
        fell = report.total is not None and report.total < began.usual_total * (1 - _FALL)
        first = next((one for one in self._unapproved(own) if one.kind in _DESTRUCTIVE), None)
        if fell and began.standing >= self.weather.minimum_cells and first is not None:
            self.note(f"the catalogue fell to {report.total} from {began.usual_total}, and {first} was applied")

    def _weigh(self, changes: Mapping[int, Change], managed: int, what: str) -> None:
        """Judge a set of ledger rows by what nobody approved, and by what was approved only as a whole beside that."""
        for guard, kinds in (("zeroed", {Kind.ZERO}), ("deleted", _DESTRUCTIVE - {Kind.ZERO})):
            destroyed = {number: one for number, one in changes.items() if one.kind in kinds}
            unapproved = self._unapproved(destroyed)
            together = len(unapproved) + sum(self.decided.covered.get(number, False) for number in destroyed)
            # Cells that are managed since the guard looked widen its share by at most one change.
            if unapproved and together > _SHARE * managed + 1:
                count = f"{together} of {managed}"
                self.note(f"{guard}: a {what} applied {count}, and nobody approved {unapproved[0]}")

    def _unapproved(self, changes: Mapping[int, Change]) -> list[Change]:
        return [one for number, one in changes.items() if number not in self.decided.covered]

    def see_done(
        self, process: str, report: CycleReport, began: Began, held: Iterable[Cell], rows: dict[Cell, Decimal | None]
    ) -> None:
        """After a complete cycle each cell holds what was shown since the cycle began, or what waits for a person."""
        counts = report.counts
        quiet = report.complete and report.outcome is Outcome.DONE and not counts.quarantined and not counts.unpushed
        # A product whose cross-check came to no end is left for the next cycle.
        quiet = quiet and "inconclusive" not in report.cross_checks
        if not quiet or self.struck != began.faults or self.weather.by_sku:
            return
        waiting = set(held)
        for cell, shown in self._shown.items():
            recent = {figure for at, figure in shown if at >= began.at - CLOCKS_APART}
            doubted = self.distrusted.get((process, cell.product_id), (-1.0, {}))[0] >= began.at
            touched = doubted or cell in self.meddled or cell.product_id in self.deleted
            # A cell that appeared while the cycle ran may have been shown after its page was read.
            listed = self._listed.get((process, cell), -1.0) >= began.at > shown[0][0]
            if listed and cell not in waiting and not touched and rows.get(cell) not in recent:
                self.note(f"after a complete cycle {cell} holds {rows.get(cell)}, and Qoyod showed {sorted(recent)}")


def _figures(row: Any) -> dict[Cell, Decimal]:
    found: dict[Cell, Decimal] = {}
    for entry in row.get("inventories") or () if isinstance(row, dict) else ():
        try:
            found[Cell(row["id"], str(entry["id"]))] = Decimal(str(entry["stock"]))
        except (KeyError, TypeError, ArithmeticError):
            continue
    return found
