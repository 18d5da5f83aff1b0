"""What the state and the target hold of single products, for who looks one up."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from stocksync.core.model import Cell, RowLocator, TargetRow
from stocksync.ports import Snapshot
from stocksync.run.account import Account
from stocksync.run.target_row import read_live


@dataclass(frozen=True, slots=True)
class LocalFigures:
    """The snapshot of products, and the target's rows of them where these were read with it."""

    snapshot: Snapshot
    looked_for: Collection[RowLocator] = ()
    """The rows that were read; `live` holds those that are there."""
    live: Mapping[Cell, TargetRow] = field(default_factory=dict)
    remark: str = ""
    """Why the target could not be asked for them."""

    def know(self, product_ids: Collection[int]) -> bool:
        """Whether the snapshot holds all of these products."""
        return self.snapshot.products.keys() >= set(product_ids)

    async def rows(self, account: Account, wanted: Sequence[RowLocator]) -> tuple[Mapping[Cell, TargetRow], str]:
        """Give the target's rows, read now where they were not all read before, with a remark where it is away."""
        if wanted and set(wanted) <= set(self.looked_for):
            return self.live, self.remark
        return await read_live(account, list(wanted))


async def local_figures(account: Account, product_ids: Sequence[int]) -> LocalFigures:
    """Load both. A row is looked for under the SKU that its product is known by."""
    snapshot = await account.state.snapshot(account.name, product_ids)
    skus = {product_id: entry.sku for product_id, entry in snapshot.products.items()}
    wanted = [
        RowLocator(at.product_id, skus[at.product_id], at.place) for at in snapshot.cells if at.product_id in skus
    ]
    return LocalFigures(snapshot, wanted, *await read_live(account, wanted))
