"""Held plans: what waits for a person, what a person decided, and how both are said in one line."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from heapq import nsmallest
from itertools import islice

from stocksync.core.guards import ONE_BY_ONE, Guard
from stocksync.core.model import Cell, Change, Kind, show
from stocksync.errors import NotFound


class Decision(StrEnum):
    """What a person said to a held plan."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class HeldChange:
    """A change that waits, and the guards that say so, the strictest first."""

    change: Change
    guards: tuple[Guard, ...]
    name: str = field(default="", compare=False)
    """The product's name when it was held."""
    location: str = field(default="", compare=False)
    """The place's name; filled where the change is shown."""

    @property
    def strictest(self) -> Guard:
        """The guard by whose rule it is released."""
        return min(self.guards, key=list(Guard).index)

    @property
    def one_by_one(self) -> bool:
        """Whether an approval releases it by itself; else only all such changes together, as they were shown."""
        return ONE_BY_ONE.issuperset(self.guards)


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """The changes of one account that wait for a person, or that one has decided on, in key order."""

    account: str
    plan_id: str
    """Stays the same as long as a guard of this plan holds, whichever rows it holds; "" where it is not stored."""
    created_at: datetime
    """Since when: the first time that this id was held."""
    reasons: Mapping[str, str]
    """Guard to the sentence with its figures."""
    changes: tuple[HeldChange, ...]
    """Of a decided plan: those that are not written yet (approved), or whose facts have not changed (rejected)."""
    decision: Decision = Decision.WAITING
    decided_by: str = ""
    decided_at: datetime | None = None
    cause: str = "poll"
    """poll, or heal: what an audit would put back."""

    @property
    def cells(self) -> frozenset[Cell]:
        """The cells it is about."""
        return frozenset(held.change.cell for held in self.changes)

    @property
    def fingerprint(self) -> str:
        """Of the exact figures: equal only where every change is."""
        digest = blake2b(digest_size=8)
        for held in self.changes:
            change = held.change
            figures = (change.product_id, change.place, change.sku, show(change.before), show(change.after))
            digest.update("\0".join(map(str, ("", *figures))).encode(errors="surrogatepass"))
        return digest.hexdigest()

    def only(self, cells: Iterable[Cell]) -> "HeldPlan":
        """Cut the plan to some of its cells."""
        wanted = set(cells)
        return replace(self, changes=tuple(held for held in self.changes if held.change.cell in wanted))

    def named(self, names: Mapping[int, str]) -> "HeldPlan":
        """Put the products' names beside their ids."""
        return replace(
            self, changes=tuple(replace(one, name=names.get(one.change.product_id, one.name)) for one in self.changes)
        )

    def located(self, places: Mapping[str, str]) -> "HeldPlan":
        """Put the locations' names beside their values."""
        return replace(
            self, changes=tuple(replace(one, location=places.get(one.change.place, "")) for one in self.changes)
        )

    def continues(self, before: "HeldPlan") -> bool:
        """Whether a guard that held the earlier plan holds this one: then it is the same question."""
        guards = {guard for held in self.changes for guard in held.guards}
        return any(not guards.isdisjoint(held.guards) for held in before.changes)

    def as_episode_of(self, before: "HeldPlan") -> "HeldPlan":
        """Give the plan the id and the age of an earlier one."""
        return replace(self, plan_id=before.plan_id, created_at=before.created_at)

    def under(self, guard: Guard) -> "HeldPlan":
        """Cut the plan to what this guard decides on: the changes that no stricter guard holds."""
        changes = tuple(held for held in self.changes if held.strictest is guard)
        named = {each.value for held in changes for each in held.guards}
        return replace(
            self, changes=changes, reasons={name: why for name, why in self.reasons.items() if name in named}
        )


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a set of changes does."""

    cells: int
    to_zero: int
    units: Decimal
    """What those that go to zero lose."""
    removed: int
    removed_units: Decimal
    below_zero: bool = False


def extent_of(plan: HeldPlan) -> Extent:
    """Count what a plan would do."""
    changes = [held.change for held in plan.changes]
    zeroes = [change for change in changes if change.kind is Kind.ZERO]
    removals = [change for change in changes if change.kind in {Kind.DEACTIVATE, Kind.DELETE}]
    below = any(isinstance(change.after, Decimal) and change.after < 0 for change in zeroes)
    return Extent(len(changes), len(zeroes), _lost(zeroes), len(removals), _lost(removals), below)


def headline(plan: HeldPlan) -> str:
    """Say what a plan would do, the worst first: `832 figures would go to 0 (159,674 units)`."""
    extent = extent_of(plan)
    others = extent.cells - extent.to_zero - extent.removed
    zero = "0 or below" if extent.below_zero else "0"
    parts = [
        f"{_many(extent.to_zero, 'figure')} would go to {zero} ({_units(extent.units)})" if extent.to_zero else "",
        f"{_many(extent.removed, 'row')} would be removed ({_units(extent.removed_units)})" if extent.removed else "",
    ]
    kind = "other figure" if any(parts) else "figure"
    verb = "be put back" if plan.cause == "heal" else "change"
    parts.append(f"{_many(others, kind)} would {verb}" if others else "")
    return ", ".join(part for part in parts if part) or "nothing would change"


def by_guard(changes: Iterable[HeldChange]) -> dict[str, int]:
    """Count the changes that each guard holds; several may hold the same one."""
    return dict(Counter(guard.value for held in changes for guard in held.guards))


def by_urgency(plans: Iterable[HeldPlan]) -> list[HeldPlan]:
    """Give what waits for a person first, a poll's before an audit's; then what is approved, then what is rejected."""
    return sorted(plans, key=lambda plan: (list(Decision).index(plan.decision), plan.cause != "poll", plan.created_at))


def largest_falls(plan: HeldPlan, limit: int) -> list[Change]:
    """Give the changes that take most away, the largest first."""
    return [held.change for held in _falls(plan, limit)]


def worst_rows(plan: HeldPlan, limit: int) -> list[HeldChange]:
    """Give changes as a person looks for them: the largest falls first, then the others in key order."""
    falls = _falls(plan, limit)
    fallen = {held.change.cell for held in falls}
    others = (held for held in plan.changes if held.change.cell not in fallen)
    return [*falls, *islice(others, limit - len(falls))]


def open_plan(
    account: str,
    changes: Sequence[HeldChange],
    reasons: Mapping[Guard, str],
    *,
    cause: str,
    now: datetime,
    earlier: Iterable[HeldPlan],
) -> HeldPlan:
    """Make the plan that waits; it continues an earlier one that shares a guard, with its id and its age."""
    guards = {guard for held in changes for guard in held.guards}
    plan = HeldPlan(
        account=account,
        plan_id="",
        created_at=now,
        reasons={guard.value: reasons[guard] for guard in Guard if guard in guards and guard in reasons},
        changes=tuple(sorted(changes, key=lambda held: held.change.cell)),
        cause=cause,
    )
    continued = next((before for before in earlier if plan.continues(before)), None)
    if continued is not None:
        return plan.as_episode_of(continued)
    seed = f"{account}\0{cause}\0{now.isoformat()}\0{plan.fingerprint}"
    return replace(plan, plan_id=blake2b(seed.encode(), digest_size=5).hexdigest())


def plan_with(known: Iterable[HeldPlan], plan_id: str) -> HeldPlan:
    """Find the plan of this id, or of the only id that begins so; its parts under one id are put together.

    Raises:
        NotFound: there is none, or several.

    """
    by_id: dict[str, list[HeldPlan]] = {}
    for plan in known:
        by_id.setdefault(plan.plan_id, []).append(plan)
    ids = [plan_id] if plan_id in by_id else sorted(each for each in by_id if plan_id and each.startswith(plan_id))
    if not ids:
        raise NotFound(f"no plan {plan_id} is held (any more); `stocksync plan` shows what is")
    if len(ids) > 1:
        raise NotFound(f"several plans begin with {plan_id}: {', '.join(ids)}")
    parts = by_id[ids[0]]
    changes = {held.change.cell: held for part in reversed(parts) for held in part.changes}
    reasons = {guard: why for part in reversed(parts) for guard, why in part.reasons.items()}
    return replace(parts[0], reasons=reasons, changes=tuple(changes[cell] for cell in sorted(changes)))


def plan_for(known: Iterable[HeldPlan], plan_id: str, account: str | None, guard: Guard | None) -> HeldPlan:
    """Find the plan that a person means: by its id or the beginning of it, else by what waits of an account or guard.

    With a guard it is cut to what that guard decides on.

    Raises:
        NotFound: there is none, or several.

    """
    theirs = [plan for plan in known if account in {None, plan.account}]
    waiting = [plan for plan in theirs if plan.decision is Decision.WAITING]
    mine = [plan_with(theirs, plan_id)] if plan_id else waiting
    found = mine if guard is None else [plan.under(guard) for plan in mine]
    found = [plan for plan in found if plan.changes]
    if len(found) == 1:
        return found[0]
    whose = "".join((f" of {account}" if account else "", f" under the guard {guard}" if guard else ""))
    if not found:
        raise NotFound(f"nothing{whose} waits for a person; `stocksync plan` shows what is held")
    choices = "; ".join(f"{plan.plan_id} of {plan.account}: {headline(plan)}" for plan in found)
    raise NotFound(f"several plans wait: name one by its id ({choices})")


def approval_of(plan: HeldPlan) -> str:
    """Give the cause under which the ledger keeps a change that a person released."""
    return f"approved {plan.plan_id} by {plan.decided_by}"


def _falls(plan: HeldPlan, limit: int) -> list[HeldChange]:
    falls = [held for held in plan.changes if _fall(held.change) > 0]
    return nsmallest(limit, falls, key=lambda held: (-_fall(held.change), held.change.cell))


def _fall(change: Change) -> Decimal:
    if not isinstance(change.before, Decimal):
        return Decimal(0)
    return change.before - (change.after if isinstance(change.after, Decimal) else 0)


def _lost(changes: Iterable[Change]) -> Decimal:
    return sum((_fall(change) for change in changes), Decimal(0))


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _units(number: Decimal) -> str:
    return "1 unit" if number == 1 else f"{number.normalize():,f} units"
