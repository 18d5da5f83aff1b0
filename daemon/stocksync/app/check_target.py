"""`check`, the target's part: what a cycle will do there, rehearsed and rolled back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import islice

from stocksync.core.answers import CheckResult, CheckState
from stocksync.core.desired_state import parts_by_place
from stocksync.core.model import Change, Product, Removal, show
from stocksync.core.policy import OnRemoved, settle, total_of
from stocksync.ports import MADE_UP, Capabilities, StateQueries, Trial
from stocksync.run.account import Account

_MOST = 1000


async def target_results(
    account: Account, state: StateQueries, products: Sequence[Product], locations: Mapping[int, str]
) -> list[CheckResult]:
    """Look at the target, rehearse a cycle on it, and tell what was met."""
    capabilities = await account.capabilities()
    trials = await account.target.rehearse(list(sample(account, capabilities, products, locations)))
    trials += [Trial(note, blocks=False) for note in capabilities.notes if not capabilities.unmade]
    trials += await _altered(account, state)
    part, state_of = f"{account.name}: target", {True: CheckState.FAILED, False: CheckState.WARNING}
    names, found = account.rules.places.names(locations), []
    for trial in trials:
        known = [f"{place} is {names[place]}" for place in trial.places if names.get(place, place) != place]
        what = f"{trial.what} ({', '.join(known)})" if known else trial.what
        found.append(CheckResult(part, state_of[trial.blocks], what, trial.todo))
    # A ✓ above a ✗ of the same part would say that the table is well.
    if any(trial.blocks for trial in trials):
        return found
    column = {None: "any number", 0: "whole numbers"}.get(capabilities.scale, f"{capabilities.scale} decimals")
    facts = [
        "; ".join(capabilities.notes) if capabilities.unmade else "found",
        f"quantities keep {column}",
        "rows are matched by " + ("SKU" if capabilities.by_sku else "product id"),
        *(["one transaction with the state"] if account.shared else []),
        "tried and rolled back",
    ]
    return [CheckResult(part, CheckState.WELL, "; ".join(facts)), *found]


async def _altered(account: Account, state: StateQueries) -> list[Trial]:
    """Name what the target makes another figure of."""
    (status,) = await state.status([account.name])
    if not status.altered:
        return []
    ref, cell = (await state.altered(account.name, 1))[0]
    where = f"{ref.sku or ref.product_id} @ {ref.place}" if ref.place else ref.sku or str(ref.product_id)
    example = f"{where}: {show(cell.sent)} was written, the target made {show(cell.acked)} of it"
    what = f"altered_by_target: a trigger or the column's type alters {status.altered} figure(s), such as {example}"
    return [Trial(what, "see the table's triggers and the quantity's type", blocks=False)]


def sample(
    account: Account, capabilities: Capabilities, products: Sequence[Product], locations: Mapping[int, str]
) -> Iterator[Change]:
    """Give the changes of one page; then one made up for each place, as perhaps no product has a figure there yet."""
    real = list(islice(_of_products(account, products), _MOST))
    yield from real
    highest = max((product.id for product in products), default=0)
    made_up = Change(highest + 1, "", "0", None, Decimal(1), (), MADE_UP)
    fed = dict.fromkeys(change.place for change in real)
    # A row is made up for every place of the map, as a figure may come there at any time.
    given = account.rules.places
    as_is = [place for location in sorted(locations) if (place := given.of(location)) is not None]
    places = [""] if given.summed else list(dict.fromkeys(given.map.values())) or [*fed][:1] or as_is[:1]
    # One of Qoyod's own products where there is any: what refers to a table of products must find it there.
    base = next((change for change in real if change.sku), made_up)
    for place in places:
        yield replace(made_up, place=place)
        if place not in fed:
            yield replace(base, place=place, parts=(), cause=MADE_UP)
    policy, place = account.rules.policy, next(iter(places), "")
    rules = {policy.on_deleted, policy.on_untracked, policy.on_unmapped}
    removals = {OnRemoved.DEACTIVATE: Removal.DEACTIVATED, OnRemoved.DELETE: Removal.DELETED}
    for number, (rule, removal) in enumerate(removals.items(), highest + 2):
        if rule in rules and (rule is OnRemoved.DELETE or capabilities.can_deactivate):
            yield replace(made_up, product_id=number, sku=str(number), place=place, after=removal)


def _of_products(account: Account, products: Sequence[Product]) -> Iterator[Change]:
    for product in products:
        found, _ = parts_by_place(product.stock, account.rules.places) if product.tracked else ({}, 0)
        for place, parts in found.items():
            settled = settle(total_of(parts), account.rules.policy)
            if not (settled.held or settled.refused):
                yield Change(product.id, place, product.sku, None, settled.figure, parts)
