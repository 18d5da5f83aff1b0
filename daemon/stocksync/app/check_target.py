"""`check`, the target's part: what a cycle will do there, rehearsed and rolled back."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice

from stocksync.core.answers import CheckResult, CheckState
from stocksync.core.desired_state import parts_by_place
from stocksync.core.model import Change, Product, Removal
from stocksync.core.policy import LocationMap, OnRemoved, Unmapped, settle, total_of
from stocksync.ports import Capabilities
from stocksync.run.account import Account
from stocksync.targets.rehearsal import MADE_UP

_FREE_IDS = (1, 2_147_483_646)
_MOST = 1000


async def target_results(
    account: Account, products: Sequence[Product], locations: Mapping[int, str]
) -> list[CheckResult]:
    """Look at the target, rehearse a cycle on it, and tell what was met."""
    part = f"{account.name}: target"
    capabilities = await account.shape()
    trials = await account.target.rehearse(list(_sample(account, capabilities, products, locations)))
    blocks = any(trial.blocks for trial in trials)
    state = {True: CheckState.FAILED, False: CheckState.WARNING}
    found = [CheckResult(part, state[trial.blocks], trial.what, trial.todo) for trial in trials]
    notes = [CheckResult(part, CheckState.WARNING, note) for note in capabilities.notes if not capabilities.unmade]
    # A ✓ above a ✗ of the same part would say that the table is well.
    return [*found, *notes] if blocks else [_described(account, capabilities), *found, *notes]


def _described(account: Account, capabilities: Capabilities) -> CheckResult:
    column = {None: "any number", 0: "whole numbers"}.get(capabilities.scale, f"{capabilities.scale} decimals")
    first = "; ".join(capabilities.notes) if capabilities.unmade else "found"
    facts = [first, f"quantities keep {column}"]
    facts.append("rows are matched by " + ("SKU" if capabilities.by_sku else "product id"))
    if account.shared:
        facts.append("one transaction with the state")
    facts.append("a look-up, an update and an insert were tried and rolled back")
    return CheckResult(f"{account.name}: target", CheckState.WELL, "; ".join(facts))


def _sample(
    account: Account, capabilities: Capabilities, products: Sequence[Product], locations: Mapping[int, str]
) -> Iterator[Change]:
    """Give the changes of one page, and made-up ones for each place: Qoyod may show no figure there yet."""
    yield from islice(_of_products(account, products), _MOST)
    highest = max((product.id for product in products), default=0)
    free = _FREE_IDS[1] if highest < _FREE_IDS[1] else highest + 1
    for place in _places(account.rules.places, locations):
        for product_id in (_FREE_IDS[0], free):
            yield _made_up(product_id, place, Decimal(1))
    policy, place = account.rules.policy, next(iter(_places(account.rules.places, locations)), "")
    rules = {policy.on_deleted, policy.on_untracked}
    if OnRemoved.DEACTIVATE in rules and capabilities.can_deactivate:
        yield _made_up(free, place, Removal.DEACTIVATED)
    if OnRemoved.DELETE in rules:
        yield _made_up(free, place, Removal.DELETED)


def _of_products(account: Account, products: Sequence[Product]) -> Iterator[Change]:
    for product in products:
        found, _ = parts_by_place(product.stock, account.rules.places) if product.tracked else ({}, 0)
        for place, parts in found.items():
            settled = settle(total_of(parts), account.rules.policy)
            if not (settled.held or settled.refused):
                yield Change(product.id, place, product.sku, None, settled.figure, parts)


def _made_up(product_id: int, place: str, figure: Decimal | Removal) -> Change:
    return Change(product_id, place, "0", Decimal(0), figure, (), MADE_UP)


def _places(places: LocationMap, locations: Mapping[int, str]) -> list[str]:
    if places.summed:
        return [""]
    as_is = [str(location) for location in sorted(locations)] if places.unmapped is Unmapped.AS_IS else []
    return list(dict.fromkeys([*places.map.values(), *(place for place in as_is if int(place) not in places.map)]))
