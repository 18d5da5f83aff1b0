"""One product, now: a fresh figure from Qoyod beside the snapshot's and the target's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from stocksync.core.answers import LocationStock, StockAnswer, StockAnswers
from stocksync.core.desired_state import figure_now, is_retired, parts_by_place
from stocksync.core.health import NEW_KEY
from stocksync.core.model import BadRow, Cell, Product, RowLocator, SnapshotCell, SourceFigures, TargetRow
from stocksync.core.policy import settle, total_of
from stocksync.errors import (
    NotFound,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    Unanswered,
    Unauthorized,
)
from stocksync.ports import Lease, Priority, Snapshot, StateQueries
from stocksync.run.account import Account
from stocksync.run.lookup_push import NOT_WRITER, LookupPushes, Push, push_news
from stocksync.run.remarks import remark_on, remark_on_no_row, times_in
from stocksync.run.target_row import read_live

_SILENCES: Mapping[type[Exception], str] = {
    Unauthorized: "Qoyod refuses the credential",
    SourceRefused: "Qoyod refuses the question",
    SourceUnavailable: "Qoyod does not answer",
    SourceError: "Qoyod cannot be asked",
}
_PATIENCE = 10.0
"""Seconds that a look-up waits for its share of the budget."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for: exactly one of the two."""

    sku: str | None = None
    product_id: int | None = None

    def __str__(self) -> str:
        """As people say it."""
        return f"the SKU {self.sku!r}" if self.sku is not None else f"the id {self.product_id}"


async def look_up(
    account: Account,
    register: StateQueries,
    query: Query,
    lease: Lease | None,
    *,
    fresh: bool = True,
    pushes: LookupPushes | None = None,
) -> StockAnswer:
    """Answer from Qoyod, pushing a changed figure where the lease is ours; from the snapshot where Qoyod is away.

    With `pushes` the answer does not wait for a cycle that writes, nor for a slow target; without, all is done after.

    Raises:
        NotFound: Qoyod (or, where it is not asked, the snapshot) knows no such product.
        AskedTooOften: look-ups have spent their share of the budget.
        Unanswered: Qoyod cannot be asked, and the snapshot does not know it.

    """
    product, silence = await _ask(account, query) if fresh else (None, None)
    if product is None:
        return await _remembered(account, register, query, silence)
    return (await _push_and_answer(account, register, [product], lease, pushes))[0]


async def look_up_many(
    account: Account,
    register: StateQueries,
    skus: Sequence[str],
    lease: Lease | None,
    *,
    pushes: LookupPushes | None = None,
) -> StockAnswers:
    """As `look_up`, for several products, such as the lines of an order: what changed is weighed and pushed as one.

    Raises:
        AskedTooOften: look-ups have spent their share of the budget.

    """
    wanted = list(dict.fromkeys(skus))
    found, silence = await _ask_for_many(account, wanted)
    products = [product for product in found.values() if isinstance(product, Product)]
    answers = {one.sku: one for one in await _push_and_answer(account, register, products, lease, pushes)}
    not_found = [sku for sku in wanted if silence is None and found.get(sku) is None]
    unanswered: dict[str, str] = {}
    for sku in wanted:
        row = found.get(sku)
        why = _unreadable(row) if isinstance(row, BadRow) else silence
        if why is not None:
            try:
                answers[sku] = await _remembered(account, register, Query(sku), why)
            except Unanswered as error:
                unanswered[sku] = str(error)
    return StockAnswers(account.name, [answers[sku] for sku in wanted if sku in answers], not_found, unanswered)


async def _push_and_answer(
    account: Account,
    register: StateQueries,
    products: Sequence[Product],
    lease: Lease | None,
    pushes: LookupPushes | None,
) -> list[StockAnswer]:
    """Push what is new of what Qoyod has just shown, where the lease is ours, and answer."""
    ids = [product.id for product in products]
    snapshot = await account.state.snapshot(account.name, ids)
    news = [product for product in products if not _is_settled(account, product, snapshot)]
    told: Mapping[int, Push] = {}
    if news and lease is not None:
        told = await push_news(account, register, news, lease, pushes)
    if news:
        snapshot = await account.state.snapshot(account.name, ids)
    unchanged = Push(note="" if lease else NOT_WRITER)
    answers: list[StockAnswer] = []
    for product in products:
        push = told.get(product.id, unchanged)
        known = replace(snapshot, cells=_cells_of(product.id, snapshot))
        places, remark = await _places(account, product.sku, product, known)
        answers.append(StockAnswer(
            account.name, product.id, product.sku, product.name, product.tracked,
            fresh=True, at=product.read_at, places=places, pushed=push.pushed, note=remark or push.note,
            confirmed_at=product.read_at if product.stock else _oldest(places), changed_at=_newest(places),
        ))  # fmt: skip
    return answers


async def _ask(account: Account, query: Query) -> tuple[Product | None, SourceError | None]:
    """Give the product, or why Qoyod does not show it."""
    await account.lookups.turn(_PATIENCE)
    try:
        if query.sku is not None:
            found = await account.source.find(query.sku)
        else:
            found = await account.source.product(query.product_id or 0, Priority.PERSON)
    except SourceError as error:
        return None, _silence(error)
    if found is None:
        raise NotFound(f"Qoyod knows no product with {query}")
    if isinstance(found, BadRow):
        return None, _unreadable(found)
    if query.sku is not None and found.sku != query.sku:
        raise NotFound(f"Qoyod answered {query} with SKU {found.sku!r}: that is another product")
    return found, None


async def _ask_for_many(
    account: Account, skus: Sequence[str]
) -> tuple[Mapping[str, Product | BadRow | None], SourceError | None]:
    """Give what Qoyod has under each SKU, or why it does not show it."""
    patience = iter([_PATIENCE])

    async def allowed() -> None:
        # Who is let in with the first request may finish: where there is one for each SKU they are only paced.
        await account.lookups.turn(next(patience, float("inf")))

    try:
        return await account.source.find_many(skus, allowed), None
    except SourceError as error:
        return {}, _silence(error)


def _silence(error: SourceError) -> SourceError:
    words = next(words for kind, words in _SILENCES.items() if isinstance(error, kind))
    cure = f"; {NEW_KEY}" if isinstance(error, Unauthorized) else ""
    return type(error)(f"{words}: {error}{cure}")


def _unreadable(row: BadRow) -> SourceError:
    return SourceUnavailable(f"Qoyod's row cannot be read: {row.path}: {row.reason}")


def _is_settled(account: Account, product: Product, snapshot: Snapshot) -> bool:
    """Whether the target holds, acknowledged, what Qoyod has just shown; where in doubt, it does not."""
    known, mine = snapshot.products.get(product.id), _cells_of(product.id, snapshot)
    shown = _parts_now(account, product) if product.tracked else {}
    same = known is not None and (known.sku, known.tracked, known.gone_at) == (product.sku, product.tracked, None)
    alone = not account.siblings and not any(key[0] == product.id for key in snapshot.quarantine)
    at_home = snapshot.target in {None, account.target_id}
    if not (same and alone and at_home and product.tracked and mine.keys() == shown.keys()):
        return False
    for cell, one in mine.items():
        certain = one.intent is None and one.unknown_since is None and one.sent is None
        desired = settle(total_of(shown[cell]), account.rules.policy)
        plain = not (desired.held or desired.refused) and one.asked == desired.figure
        if not (certain and plain and (one.sku, one.parts) == (product.sku, shown[cell])):
            return False
    return True


async def _remembered(
    account: Account, register: StateQueries, query: Query, silence: SourceError | None
) -> StockAnswer:
    ids = [query.product_id] if query.product_id is not None else []
    if query.product_id is None:
        ids = await register.products_with(account.name, query.sku or "")
    snapshot = await account.state.snapshot(account.name, ids)
    if not snapshot.products:
        unknown = f"the snapshot knows no product with {query}"
        raise NotFound(unknown) if silence is None else Unanswered(f"{silence}; {unknown}") from silence
    product_id, known = max(snapshot.products.items(), key=lambda item: item[1].sku == query.sku)
    mine = replace(snapshot, cells=_cells_of(product_id, snapshot))
    places, remark = await _places(account, known.sku, None, mine)
    # The answer as a whole is as old as its oldest figure.
    note = "" if silence is None else f"{silence} (this is the snapshot)"
    confirmed = _oldest(places)
    return StockAnswer(
        account.name, product_id, known.sku, known.name, known.tracked,
        fresh=False, at=confirmed, places=places, note="; ".join(filter(None, (note, remark))),
        confirmed_at=confirmed, changed_at=_newest(places),
    )  # fmt: skip


def _cells_of(product_id: int, snapshot: Snapshot) -> dict[Cell, SnapshotCell]:
    return {cell: one for cell, one in snapshot.cells.items() if cell.product_id == product_id}


def _oldest(places: list[LocationStock]) -> datetime | None:
    return min((place.confirmed_at for place in places if place.confirmed_at), default=None)


def _newest(places: list[LocationStock]) -> datetime | None:
    return max((place.changed_at for place in places if place.changed_at), default=None)


async def _places(
    account: Account, sku: str, product: Product | None, snapshot: Snapshot
) -> tuple[list[LocationStock], str]:
    parts = {cell: remembered.parts for cell, remembered in snapshot.cells.items()}
    shown = _parts_now(account, product) if product else parts
    cells = sorted({*parts, *shown})
    live, remark = await read_live(account, [RowLocator(cell.product_id, sku, cell.place) for cell in cells])
    places = {cell: _place(account, cell, shown.get(cell), snapshot) for cell in cells}
    if not remark:  # where it cannot be asked, nothing is said of what the target has
        creates = (await account.capabilities()).creates
        for cell, place in places.items():
            places[cell] = _in_target(place, cell, live.get(cell), snapshot, creates=creates)
    if product is not None:
        # It was asked for just now; what it shows no longer keeps the time at which it was last seen.
        for cell in shown:
            changed_at = places[cell].changed_at or product.read_at
            places[cell] = replace(places[cell], confirmed_at=product.read_at, changed_at=changed_at)
    return list(places.values()), remark


def _parts_now(account: Account, product: Product) -> dict[Cell, SourceFigures]:
    found, _ = parts_by_place(product.stock, account.rules.places)
    return {Cell(product.id, place): parts for place, parts in found.items()}


def _place(account: Account, cell: Cell, parts: SourceFigures | None, snapshot: Snapshot) -> LocationStock:
    """Give what Qoyod shows of a cell, or showed, and what is remembered of it."""
    remembered, known = snapshot.cells.get(cell), snapshot.products.get(cell.product_id)
    policy, total = account.rules.policy, total_of(parts) if parts else None
    fed = remembered is None or account.rules.feed(cell.place, remembered.parts)
    desired = remembered and figure_now(remembered, policy, known, fed=fed)
    if total is not None and not is_retired(known):
        desired = settle(total, policy).figure
    confirmed_at, changed_at = times_in(snapshot, cell) if remembered else (None, None)
    feeding = parts or (remembered.parts if remembered else ())
    return LocationStock(
        place=cell.place,
        locations={location: snapshot.locations.get(location, "") for location, _ in feeding},
        source=total,
        desired=desired,
        snapshot=remembered.acked if remembered else None,
        target=None,
        sent=remembered.sent if remembered else None,
        confirmed_at=confirmed_at,
        changed_at=changed_at,
        remark=remark_on(account, cell, snapshot) if remembered else "",
    )


def _in_target(
    place: LocationStock, cell: Cell, row: TargetRow | None, snapshot: Snapshot, *, creates: bool
) -> LocationStock:
    """Add what stands in the target, or why nothing does and nothing will."""
    if row is not None:
        return replace(place, target=row.quantity, in_target=True)
    remembered, remark = snapshot.cells.get(cell), place.remark
    if remembered is not None and not remark:
        remark = remark_on_no_row(remembered, snapshot.last_complete, creates=creates)
    return replace(place, in_target=False, remark=remark)
