"""The integrated system's database, as a cycle needs it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from stocksync.core.model import (
    Cell,
    Change,
    Figure,
    RowLocator,
    TargetRow,
)
from stocksync.core.read_back import altered_figure

Fence = Callable[[], Awaitable[None]]
"""Raises LeaseLost unless this process may still commit; called inside the transaction it protects."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What start-up found out about a target."""

    scale: int | None
    """Decimal places the quantity column keeps; 0 for integers, None for unlimited."""
    summed: bool
    """True where the target has no location column."""
    by_sku: bool
    """True where rows are found by SKU."""
    creates: bool
    """False where unknown rows are skipped."""
    can_deactivate: bool
    can_scan: bool
    """False where the target can only be asked for given cells."""
    layout: str = ""
    """What a quantity goes through: its column's type, or the statement that writes it."""
    loose: bool = False
    """True where the target finds rows by SKU in a way of its own, which may take several SKUs for one."""
    unmade: bool = False
    """True where the table is still to be made."""
    notes: tuple[str, ...] = ()
    """For `check`: rights, missing index, and the like."""


MADE_UP = "made_up"
"""The cause of a change that only a rehearsal asks for: its product or its figure is not Qoyod's."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Something that a rehearsal met: what would fail, or may hurt, and its cure."""

    what: str
    todo: str = ""
    blocks: bool = True
    """False: figures are written all the same."""
    places: tuple[str, ...] = ()
    """Location values that it names."""


@dataclass(slots=True)
class BatchResult:
    """What became of a batch that was committed."""

    applied: list[Change] = field(default_factory=list)
    skipped: list[Change] = field(default_factory=list)
    """`missing = "skip"` and the target has no such row."""
    ambiguous: list[tuple[Change, str]] = field(default_factory=list)
    """Not written, with the reason: several rows match, or the SKU to match by is empty."""
    waiting: list[Change] = field(default_factory=list)
    """Not written, as another transaction holds their rows: they are to be tried again."""
    left_out: dict[Cell, str] = field(default_factory=dict)
    """What the target refused of an applied change beside its figure: the column, and the target's words."""
    altered: dict[Cell, Figure] = field(default_factory=dict)
    """What the target made of an applied figure, read back in the same transaction, where that is another one."""
    met: int = 0
    """How many rows were there for applied changes that knew of none."""

    def read_back(self, live: Mapping[Cell, TargetRow]) -> None:
        """Take from what was applied what the target did not keep, and note what it made another figure of."""
        applied, self.applied = self.applied, []
        for change in applied:
            try:
                stands = altered_figure(change, live.get(change.cell))
            except ValueError as error:
                self.ambiguous.append((change, str(error)))
                continue
            self.applied.append(change)
            if stands is not None:
                self.altered[change.cell] = stands


class Target(Protocol):
    """The integrated system's database, for one account.

    Every call may raise TargetUnavailable; a wrong table or column is a ConfigurationError.
    """

    async def inspect(self) -> Capabilities:
        """Reflect the table and check the mapping; a table that is still to be made is described. Writes nothing."""

    async def stale(self) -> bool | None:
        """Whether the columns are no longer those that were inspected, as somebody altered the table meanwhile.

        None: there was nothing to look at, and so nobody was asked.
        """

    async def make(self) -> None:
        """Make the table where it is not there and `create_table` says so: called before something is written."""

    async def read(self, refs: Sequence[RowLocator]) -> dict[Cell, TargetRow]:
        """Look cells up; one that is not there is absent from the answer."""

    async def is_empty(self) -> bool:
        """Whether it holds no row at all; False where that cannot be told."""

    def scan(self, size: int) -> "AsyncPages":
        """Walk the whole table in key order, `size` rows at a time; only where `can_scan`."""

    async def write(
        self,
        changes: Sequence[Change],
        fence: Fence,
        transaction: Any = None,  # noqa: ANN401
        *,
        patient: bool = True,
        cycle_id: str = "",
    ) -> BatchResult:
        """Write a batch in one transaction, calling `fence` inside it, and read back what it made of the figures.

        With `transaction` (the state's, where both are one database) it joins that one and does not commit. Rows that
        another transaction holds are waited for, with all others of the batch, or left out of it where not `patient`.
        The user's own `after_batch` statement, if any, is told `cycle_id` and runs in the same transaction.

        Raises:
            RowsRefused: the batch was rolled back because of its data; nothing of it was written.
            RowsLocked: the same, because of rows that another transaction holds.
            TargetConflict: the same, and it may go through at once.
            LeaseLost: from the fence; nothing was written.

        """

    async def retry_columns(
        self,
        left_out: Sequence[tuple[Change, str]],
        fence: Fence,
        transaction: Any = None,  # noqa: ANN401
    ) -> dict[Cell, str]:
        """Set again the columns that rows were written without, by the words of `BatchResult.left_out`; no figure.

        Gives what is refused still. May raise what `write` raises; then nothing was set.
        """

    async def rehearse(self, sample: Sequence[Change]) -> list[Trial]:
        """Do what a cycle does with such changes, in a transaction that is rolled back; give what was met."""

    async def close(self) -> None:
        """Give the connections back."""


class AsyncPages(Protocol):
    """Pages of target rows, as (key, figure): the key is (match value, place)."""

    def __aiter__(self) -> "AsyncPages":
        """Iterate."""

    def __anext__(self) -> Awaitable[list[tuple[str, str, TargetRow]]]:
        """Give the next page of (product id or SKU as text, place, live row)."""
