"""The life of a held plan in the daemon: stored, announced, ended."""

from collections.abc import Sequence

import structlog

from stocksync.core.cycle_plan import Plan
from stocksync.core.held_plan import Decision, HeldPlan, headline
from stocksync.ports import Lease
from stocksync.run.account import Account
from stocksync.run.prepared import CyclePlan

log = structlog.get_logger(__name__)


async def remember_plan(account: Account, lease: Lease, prepared: CyclePlan) -> None:
    """Store what waits for a person; only a reading that shows everything replaces or withdraws a plan."""
    plan, plans = prepared.plan, prepared.snapshot.plans
    announce_plans(account, plan, plans)
    waits = waiting_for(plans, "poll") is not None
    news = waits or plan.held is not None or bool(plan.lapsed)
    if news and (prepared.complete or (plan.held is not None and not waits)):
        await account.state.hold(lease, plan.held, plan.lapsed)


def waiting_for(plans: Sequence[HeldPlan], cause: str) -> HeldPlan | None:
    """Give the plan of this cause that waits for a person, if one does."""
    return next((plan for plan in plans if plan.decision is Decision.WAITING and plan.cause == cause), None)


def announce_plans(account: Account, plan: Plan, plans: Sequence[HeldPlan]) -> None:
    """Log each change of a held plan's life once: held, decided, lapsed."""
    for one in plans:
        said = (one.plan_id, one.decision, one.decided_at)
        if one.decision is not Decision.WAITING and said not in account.announced:
            account.announced.add(said)
            event = f"plan_{one.decision}"
            log.info(event, plan=one.plan_id, by=one.decided_by, effect=headline(one))
    for one in plan.lapsed:
        log.info(
            "plan_lapsed", plan=one.plan_id, decision=one.decision.value, by=one.decided_by, cells=len(one.changes)
        )
    held = plan.held
    if held is not None and held.plan_id not in {one.plan_id for one in plans}:
        log.warning("plan_held", plan=held.plan_id, effect=headline(held), reasons=dict(held.reasons))


def decided_of(prepared: CyclePlan) -> list[HeldPlan]:
    """Give the decided plans, cut to what still stands after this reading."""
    lapsed = {(plan.plan_id, cell) for plan in prepared.plan.lapsed for cell in plan.cells}
    decided = [plan for plan in prepared.snapshot.plans if plan.decision is not Decision.WAITING]
    standing = [plan.only(cell for cell in plan.cells if (plan.plan_id, cell) not in lapsed) for plan in decided]
    return [plan for plan in standing if plan.changes]
