"""Several polls of one tenant that write to one table: what the others have read and written since we looked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from stocksync.core.desired_state import DesiredState, SnapshotCells
from stocksync.core.model import Cell, Product, SnapshotCell, SnapshotProduct
from stocksync.run.account import Account


@dataclass(slots=True)
class SharedTable:
    """What the account's siblings know better; empty where it has none."""

    newer: dict[Cell, SnapshotCell] = field(default_factory=dict)
    """Cells that a sibling read later than the reading at hand, as they should be remembered."""
    theirs: set[Cell] = field(default_factory=set)
    """Cells that a sibling has written too."""
    disputed: set[Cell] = field(default_factory=set)
    """Cells that a sibling has written since, or may have: only the target itself can tell what they hold."""

    def corrected(self, memory: SnapshotCells) -> SnapshotCells:
        """Give the raw figures by whoever read them last, and no disputed cell as settled."""
        if not self.newer and not self.disputed:
            return memory
        known = {**memory, **self.newer}
        return known | {cell: known[cell]._replace(intent=known[cell].acked) for cell in self.disputed}

    def doubting(self, memory: SnapshotCells) -> SnapshotCells:
        """Forget what we know to be in the target where a sibling may have changed it."""
        if not self.disputed:
            return memory
        return {**memory, **{cell: memory[cell]._replace(acked=None) for cell in self.disputed}}

    def leave(self, desires: DesiredState) -> None:
        """Take nothing out of use at a place that a sibling may feed, though no location of this account does."""
        for cell in self.theirs.intersection(desires.orphaned):
            if desires.wants.pop(cell, None) is not None:
                desires.unmanaged.append(cell)

    def refresh(self, desires: DesiredState, products: Mapping[int, Product]) -> None:
        """Date what was read, so that the siblings see that it is newer than theirs."""
        for cell, remembered in self.newer.items():
            desires.fresh[cell] = (remembered.parts, remembered.source_at)
        for cell in self.disputed - self.newer.keys():
            want = desires.wants.get(cell)
            if want is not None and cell.product_id in products:
                desires.fresh.setdefault(cell, (want.parts, products[cell.product_id].as_of))


async def overlap(account: Account, cells: SnapshotCells, products: Mapping[int, Product]) -> SharedTable:
    """Ask the state what the siblings know of these cells."""
    found = SharedTable()
    asked = sorted({cell.product_id for cell in cells} | products.keys())
    for theirs in await _remembered_by_siblings(account, asked):
        for cell in cells.keys() & theirs.keys():
            if theirs[cell].acked is not None:
                found.theirs.add(cell)
            if _disputed(cells[cell], theirs[cell]):
                found.disputed.add(cell)
            product = products.get(cell.product_id)
            if product is not None and theirs[cell].source_at > product.read_at:
                ours = found.newer.get(cell, cells[cell])
                if theirs[cell].source_at > ours.source_at:
                    found.newer[cell] = ours._replace(parts=theirs[cell].parts, source_at=theirs[cell].source_at)
    return found


async def known_products(
    account: Account, own: Mapping[int, SnapshotProduct], skus: Sequence[str]
) -> Mapping[int, SnapshotProduct]:
    """Give all products that may share a row with these SKUs: a sibling with another filter knows some of its own.

    What the account itself knows of a product goes before.
    """
    known: dict[int, SnapshotProduct] = {}
    for name in account.siblings:
        known |= (await account.state.snapshot(name, await account.state.look_alikes(name, skus))).products
    return {**known, **own} if known else own


async def disputed_cells(account: Account, cells: SnapshotCells, product_ids: Collection[int]) -> set[Cell]:
    """Name the cells that a sibling has written since we did, or may have."""
    siblings = await _remembered_by_siblings(account, sorted(product_ids))
    return {
        cell for theirs in siblings for cell in cells.keys() & theirs.keys() if _disputed(cells[cell], theirs[cell])
    }


async def _remembered_by_siblings(account: Account, product_ids: list[int]) -> list[SnapshotCells]:
    return [(await account.state.snapshot(name, product_ids)).cells for name in account.siblings]


def _disputed(ours: SnapshotCell, theirs: SnapshotCell) -> bool:
    return theirs.intent is not None or (theirs.acked != ours.acked and theirs.source_at > ours.source_at)
