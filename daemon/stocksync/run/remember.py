"""What a reading and a push change in the snapshot and in the quarantine."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

import structlog

from stocksync.core import absence
from stocksync.core.desired_state import is_from_the_future
from stocksync.core.drift import Cause
from stocksync.core.model import Cell, Change, Figure, SettledProduct, show
from stocksync.core.recognition import needing_another_look, settle
from stocksync.core.status import Side
from stocksync.ports import Lease, Quarantined, Snapshot, SnapshotUpdate
from stocksync.run.account import Account
from stocksync.run.prepared import CyclePlan
from stocksync.run.write_result import WriteResult
from stocksync.threads import off_loop

_FIRST_RETRY = timedelta(minutes=1)
_LAST_RETRY = timedelta(hours=6)
_NAMED = 5

log = structlog.get_logger(__name__)


def observed_of(prepared: CyclePlan, now: datetime) -> SnapshotUpdate:
    """Collect what a reading changes in the snapshot."""
    snapshot, desires, reading = prepared.snapshot, prepared.desires, prepared.reading
    known, absent = snapshot.products, prepared.absent.updates
    changed = {product_id: entry for product_id, entry in absent.items() if known.get(product_id) != entry}
    newly_unknown = dict.fromkeys((cell for cell in desires.unknown if snapshot.cells[cell].unknown_since is None), now)
    locations = {**snapshot.locations, **reading.locations}
    # What was refused here and not by the target is judged anew by each reading, so it never waits.
    judged = [replace(entry, retry_at=now) for entry in _refused(prepared.found.refused, snapshot, now)]
    # No figure may look older than the one it replaces, unless that was dated by a clock far ahead.
    dated = {cell: one.source_at for cell, one in snapshot.cells.items() if not _is_ahead(snapshot, cell, now)}
    cells = {
        cell: figures if (at := dated.get(cell)) is None or at <= figures[1] else (figures[0], at)
        for cell, figures in desires.fresh.items()
    }
    unreadable, readable_again = _of_bad_rows(prepared, now)
    seen = SnapshotUpdate(
        cells=cells,
        replacing=dict.fromkeys(cell for cell in desires.fresh if _is_ahead(snapshot, cell, now)),
        products={**changed, **absence.products_seen(reading, known)},
        corrected=dict(snapshot.corrected),
        adopted=prepared.found.adopted,
        unknown={**newly_unknown, **_known_again(prepared)},
        quarantined=[*unreadable, *judged],
        released=readable_again,
        layout=prepared.layout,
        locations=locations if locations != snapshot.locations else None,
        checked_up_to=prepared.checked.up_to or None,
        given_up=desires.given_up,
    )
    _settle_what_needs_nothing(prepared, seen)
    return seen


def _settle_what_needs_nothing(prepared: CyclePlan, seen: SnapshotUpdate) -> None:
    """Settle at once the products of which nothing is written; most are settled so already, and are left alone."""
    settled, known = _settled_products(prepared, {}), prepared.focus.settled
    unsettled = prepared.focus.unsettled | needing_another_look(prepared.desires, prepared.found, ())
    seen.unsettled = sorted(key for key in unsettled if key not in settled or settled[key] != known.get(key))
    touched = seen.touched
    seen.settled = {key: one for key, one in settled.items() if key in touched or one != known.get(key)}
    if prepared.focus.rules != prepared.focus.catalogue.rules:
        seen.rules = prepared.focus.rules


async def remember_outcome(
    account: Account, lease: Lease, cycle_id: str, prepared: CyclePlan, pushed: WriteResult
) -> None:
    """Record what a push changed, and what it left unrecorded."""
    seen = await off_loop(prepared.size, outcome_of, prepared, pushed, account.clock.now())
    if not seen.is_empty:
        await account.state.observe(lease, cycle_id, seen)


def outcome_of(prepared: CyclePlan, pushed: WriteResult, now: datetime) -> SnapshotUpdate:
    """Collect what a push changed in the quarantine, and what it left unrecorded; say what the target altered."""
    if pushed.waiting:
        examples = [f"{change}: {reason}" for change, reason in pushed.waiting[:_NAMED]]
        log.warning("rows_held_by_others", cells=len(pushed.waiting), examples=examples)
    before = prepared.snapshot.cells
    news = [  # what the target makes another figure of is told once
        f"{change}, the target made {show(pushed.altered[change.cell])} of it"
        for change in pushed.applied
        if change.cell in pushed.altered and (change.cell not in before or before[change.cell].sent is None)
    ]
    if news:
        log.warning(Cause.ALTERED_BY_TARGET.value, cells=len(news), examples=news[:_NAMED])
    refused = list(_set_aside(pushed, prepared.snapshot, now))
    applied = (change.cell for change in pushed.applied if change.cell not in pushed.left_out)
    well = dict.fromkeys([*applied, *pushed.completed, *_settled(prepared)])
    released: list[tuple[int, str | None]] = [cell for cell in well if cell in prepared.snapshot.quarantine]
    written = {change.cell: change.after for change in pushed.applied}
    done = {cell.product_id for cell in written} - {entry.product_id for entry in refused}
    settled = {key: one for key, one in _settled_products(prepared, written).items() if key in done} if done else {}
    seen = pushed.unrecorded
    return replace(
        seen,
        cells={**seen.cells, **pushed.pending},
        quarantined=[*seen.quarantined, *refused],
        released=[*seen.released, *released],
        settled={**seen.settled, **settled},
    )


def _settled_products(prepared: CyclePlan, written: Mapping[Cell, Figure]) -> dict[int, SettledProduct]:
    """Give the products that the next cycle need not think about, while their rows stay what they are."""
    if not prepared.focus.rules:
        return {}
    products, cells = prepared.reading.products, prepared.snapshot.cells
    open_ = needing_another_look(prepared.desires, prepared.found, written)
    open_ |= {product_id for product_id, _ in prepared.snapshot.quarantine}
    known = {**prepared.snapshot.products, **prepared.absent.updates}
    gone = {key for key, one in known.items() if one.gone_at and key not in products} - open_
    gone = set() if prepared.absent.unresolved else gone
    adopted = {cell: figure for cell, (figure, _) in prepared.found.adopted.items()}
    before = ((cell, one.acked) for cell, one in cells.items() if cell not in written and cell not in adopted)
    held = chain(before, adopted.items(), written.items())
    managed = Counter(cell.product_id for cell, figure in held if isinstance(figure, Decimal))
    read = (product for key, product in products.items() if key not in open_)
    return settle(read, sorted(gone), prepared.desires, managed)


def _set_aside(pushed: WriteResult, snapshot: Snapshot, now: datetime) -> Iterator[Quarantined]:
    yield from _refused(pushed.refused, snapshot, now)
    for entry in _refused(pushed.waiting, snapshot, now):
        yield replace(entry, side=Side.WAITING, retry_at=now)
    left_out = [(change, reason) for change in pushed.applied if (reason := pushed.left_out.get(change.cell))]
    if left_out:
        examples = [f"{change}: {reason}" for change, reason in left_out[:_NAMED]]
        log.warning("columns_refused", cells=len(left_out), examples=examples)
    for entry in _refused(left_out, snapshot, now):
        yield replace(entry, side=Side.COLUMN, retry_at=now)
    for entry in _refused(pushed.incomplete, snapshot, now):
        yield replace(entry, side=Side.COLUMN)


def _is_ahead(snapshot: Snapshot, cell: Cell, now: datetime) -> bool:
    """Whether what is remembered of a cell was dated in the future: by a wrong clock, or ours is the wrong one."""
    return cell in snapshot.cells and is_from_the_future(snapshot.cells[cell].source_at, now)


def _known_again(prepared: CyclePlan) -> dict[Cell, datetime | None]:
    """Name cells that are unknown no longer: shown again, or no longer looked for in Qoyod at all."""
    unknown = [cell for cell, one in prepared.snapshot.cells.items() if one.unknown_since is not None]
    if not unknown:
        return {}
    desires, gone = prepared.desires, _gone(prepared)
    ended = {*desires.wants, *desires.unmanaged, *desires.orphaned}
    return {cell: None for cell in unknown if cell in ended or cell.product_id in gone}


def _gone(prepared: CyclePlan) -> set[int]:
    """Name the products that Qoyod confirmed as deleted: what is set aside of them ends with them."""
    known = {**prepared.snapshot.products, **prepared.absent.updates}
    return {one for one, entry in known.items() if entry.gone_at is not None} - prepared.reading.products.keys()


def _of_bad_rows(prepared: CyclePlan, now: datetime) -> tuple[list[Quarantined], list[tuple[int, str | None]]]:
    """Give the rows that could not be read, one a product, and the entries of those that can be read again."""
    reading, snapshot = prepared.reading, prepared.snapshot
    bad = {row.product_id or 0: row for row in reading.bad_rows}
    entries = [
        _entry((key, None), Side.SOURCE, f"{row.path}: {row.reason}", figure=None, snapshot=snapshot, now=now)
        for key, row in bad.items()
    ]
    ended = (reading.products.keys() | {0} | _gone(prepared)) - bad.keys() if snapshot.quarantine else set()
    well = [key for key, one in snapshot.quarantine.items() if one.side == Side.SOURCE and key[0] in ended]
    return entries, well


def _refused(refused: Iterable[tuple[Change, str]], snapshot: Snapshot, now: datetime) -> Iterator[Quarantined]:
    for change, reason in refused:
        yield _entry(change.cell, Side.TARGET, reason, figure=change.after, snapshot=snapshot, now=now)


def _entry(
    key: tuple[int, str | None], side: str, reason: str, *, figure: Figure | None, snapshot: Snapshot, now: datetime
) -> Quarantined:
    before = snapshot.quarantine.get(key)
    again = before is not None and before.figure == figure
    attempts = before.attempts + 1 if before is not None and again else 1
    wait = min(_FIRST_RETRY * 2 ** min(attempts - 1, 12), _LAST_RETRY)
    first_at = before.first_at if before is not None else now
    return Quarantined(key[0], key[1], side, reason, figure, attempts, first_at, now, now + wait)


def _settled(prepared: CyclePlan) -> Iterator[Cell]:
    """Quarantined cells that no longer want anything, of products that were read or that are gone."""
    if not prepared.snapshot.quarantine:
        return
    attempted = set(prepared.found.planned)
    attempted |= {change.cell for change, _ in prepared.found.refused}
    attempted |= {*prepared.found.waiting, *prepared.desires.unknown}
    looked_at = prepared.reading.products.keys() | _gone(prepared)
    for (product_id, place), entry in prepared.snapshot.quarantine.items():
        # A column that was refused is tried again with the next figure: until then nothing says that it is well.
        if place is not None and product_id in looked_at and entry.side != Side.COLUMN:
            cell = Cell(product_id, place)
            if cell not in attempted:
                yield cell
