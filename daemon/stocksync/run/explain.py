"""How a number came about, step by step."""

from stocksync.core import absence
from stocksync.core.answers import CellExplanation, Explanation
from stocksync.core.desired_state import figure_now
from stocksync.core.model import Cell, RowLocator, TargetRow
from stocksync.core.policy import steps
from stocksync.errors import NotFound
from stocksync.ports import Snapshot, StateQueries
from stocksync.run.account import Account
from stocksync.run.remarks import ago, remark_on, remark_on_no_row, times_in
from stocksync.run.target_row import read_live


async def explain(account: Account, register: StateQueries, sku: str) -> list[Explanation]:
    """Explain every cell of every product that bears, or bore, a SKU.

    Raises:
        NotFound: the snapshot knows no such SKU.

    """
    ids = await register.products_with(account.name, sku)
    if not ids:
        raise NotFound(f"account {account.name}: the snapshot knows no product with SKU {sku!r}")
    return [await explain_product(account, register, product_id) for product_id in ids]


async def explain_product(account: Account, register: StateQueries, product_id: int) -> Explanation:
    """Explain every cell of one product.

    Raises:
        NotFound: the snapshot does not know it.

    """
    snapshot = await register.snapshot(account.name, [product_id])
    known = snapshot.products.get(product_id)
    if known is None:
        raise NotFound(f"account {account.name}: the snapshot knows no product with the id {product_id}")
    refs = [
        RowLocator(cell.product_id, remembered.sku or known.sku, cell.place)
        for cell, remembered in snapshot.cells.items()
    ]
    live, error = await read_live(account, refs)
    creates = bool(error) or (await account.capabilities()).creates
    cells = [_cell(account, cell, snapshot, live.get(cell), error, creates=creates) for cell in sorted(snapshot.cells)]
    gone = f"deleted in Qoyod, confirmed {ago(account, known.gone_at)}" if known.gone_at else ""
    missing = f"missing from the last {known.missing} complete readings" if known.is_missing else ""
    if absence.in_vain(known):
        missing = "missing from the list, and the question for it by id fails"
    return Explanation(
        account.name, product_id, known.sku, known.name, known.tracked, known.page, cells, remark=gone or missing
    )  # fmt: skip


def _cell(
    account: Account, cell: Cell, snapshot: Snapshot, live: TargetRow | None, error: str, *, creates: bool
) -> CellExplanation:
    remembered, known = snapshot.cells[cell], snapshot.products.get(cell.product_id)
    policy, names = account.rules.policy, snapshot.locations
    confirmed_at, changed_at = times_in(snapshot, cell)
    remark = remark_on(account, cell, snapshot)
    if live is None and not error and not remark:
        remark = remark_on_no_row(remembered, snapshot.last_complete, creates=creates)
    return CellExplanation(
        place=cell.place,
        parts=remembered.parts,
        read_at=changed_at,
        steps=list(steps(remembered.parts, cell.place, policy, names)) if remembered.parts else [],
        desired=figure_now(remembered, policy, known, fed=account.rules.feed(cell.place, remembered.parts)),
        intent=remembered.intent,
        acked=remembered.acked,
        live=live,
        live_error=error,
        remark=remark,
        sent=remembered.sent,
        locations={location: names.get(location, "") for location, _ in remembered.parts},
        confirmed_at=confirmed_at,
        changed_at=changed_at,
    )
