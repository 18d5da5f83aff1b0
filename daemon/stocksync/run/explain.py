"""How a number came about, step by step."""

from stocksync.core import absence
from stocksync.core.answers import CellExplanation, Explanation
from stocksync.core.desired_state import figure_now
from stocksync.core.drift import Cause
from stocksync.core.held_plan import Decision, HeldChange, HeldPlan
from stocksync.core.model import Cell, RowLocator, SnapshotCell, SnapshotProduct, TargetRow, show
from stocksync.core.policy import steps
from stocksync.errors import NotFound
from stocksync.ports import Snapshot, StateQueries
from stocksync.run.account import Account
from stocksync.run.lookup import read_live


async def explain(account: Account, register: StateQueries, sku: str) -> list[Explanation]:
    """Explain every cell of every product that bears, or bore, a SKU.

    Raises:
        NotFound: the snapshot knows no such SKU.

    """
    ids = await register.products_with(account.name, sku)
    if not ids:
        raise NotFound(f"account {account.name}: the snapshot knows no product with SKU {sku!r}")
    return [await _explain(account, register, product_id) for product_id in ids]


async def _explain(account: Account, register: StateQueries, product_id: int) -> Explanation:
    snapshot = await register.snapshot(account.name, [product_id])
    known = snapshot.products[product_id]
    refs = [
        RowLocator(cell.product_id, remembered.sku or known.sku, cell.place)
        for cell, remembered in snapshot.cells.items()
    ]
    live, error = await read_live(account, refs)
    cells = [
        _cell(
            account,
            cell,
            remembered,
            live.get(cell),
            known=known,
            remark=_remark(account, cell, remembered, snapshot),
            error=error,
        )
        for cell, remembered in sorted(snapshot.cells.items())
    ]
    gone = f"deleted in Qoyod, confirmed {known.gone_at:%Y-%m-%d %H:%M} UTC" if known.gone_at else ""
    missing = f"missing from the last {known.missing} complete readings" if known.missing > 0 else ""
    if absence.in_vain(known):
        missing = "missing from the list, and the question for it by id fails"
    return Explanation(
        account.name, product_id, known.sku, known.name, known.tracked, known.page, cells, remark=gone or missing
    )  # fmt: skip


def _cell(
    account: Account,
    cell: Cell,
    remembered: SnapshotCell,
    live: TargetRow | None,
    *,
    known: SnapshotProduct,
    remark: str,
    error: str,
) -> CellExplanation:
    policy = account.rules.policy
    return CellExplanation(
        place=cell.place,
        parts=remembered.parts,
        read_at=remembered.source_at,
        steps=list(steps(remembered.parts, cell.place, policy, {})) if remembered.parts else [],
        desired=figure_now(remembered, policy, known, fed=account.rules.feed(cell.place, remembered.parts)),
        intent=remembered.intent,
        acked=remembered.acked,
        live=live,
        live_error=error,
        remark=remark,
        sent=remembered.sent,
    )


def _remark(account: Account, cell: Cell, remembered: SnapshotCell, snapshot: Snapshot) -> str:
    if remembered.unknown_since is not None:
        return f"unknown: Qoyod no longer shows it, since {remembered.unknown_since:%Y-%m-%d %H:%M} UTC"
    entry = snapshot.quarantine.get(cell) or snapshot.quarantine.get((cell.product_id, None))
    if entry is not None:
        return f"quarantined ({entry.side}, {entry.attempts} attempts): {entry.reason}"
    for plan in snapshot.plans:
        for held in plan.changes:
            if held.change.cell == cell:
                return _held(plan, held)
    if not account.rules.feed(cell.place, remembered.parts):
        return f"no location feeds {cell.place!r} any more; policy.on_unmapped = {account.rules.policy.on_unmapped}"
    if remembered.sent is not None:
        made = f"{show(remembered.sent)} was written, and the target made {show(remembered.acked)} of it"
        return f"{Cause.ALTERED_BY_TARGET.value}: {made} (a trigger, or the column's type)"
    return ""


def _held(plan: HeldPlan, held: HeldChange) -> str:
    why = "; ".join(f"{guard.value}: {plan.reasons.get(guard.value, 'a limit was exceeded')}" for guard in held.guards)
    would = f"{show(held.change.before) or 'nothing'} → {show(held.change.after)} is held by {why}"
    if plan.decision is Decision.WAITING:
        return f"{would}; right: stocksync approve {plan.plan_id}"
    when = f" on {plan.decided_at:%Y-%m-%d %H:%M} UTC" if plan.decided_at else ""
    return f"{would}; {plan.decision} by {plan.decided_by}{when} ({plan.plan_id})"
