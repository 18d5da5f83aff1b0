"""One contract for every state: SQLite, PostgreSQL, MariaDB, and the simulation's memory."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from leasing import claim, renew

from stocksync.core.catalogue import Catalogue
from stocksync.core.drift import AuditReport, Cause, Difference
from stocksync.core.guards import Guard
from stocksync.core.held_plan import Decision, HeldChange, HeldPlan
from stocksync.core.model import (
    Cell,
    Change,
    Removal,
    RowLocator,
    SettledCounts,
    SettledProduct,
    SnapshotProduct,
    Verdict,
)
from stocksync.core.report import Counts, CycleReport, Outcome
from stocksync.errors import LeaseLost, NotFound, PlanChanged
from stocksync.ports import BatchResult, Lease, LeaseHolder, Quarantined, SnapshotUpdate
from stocksync.state import cells as loading

TTL = timedelta(minutes=5)
T0 = datetime.now(UTC).replace(microsecond=123456) - timedelta(hours=1)
PARTS = ((3, Decimal(120)), (7, Decimal("0.5")))
CELL = Cell(11, "MAIN")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def change(product_id=11, place="MAIN", sku="BW-001", before=None, after=Decimal("120.5"), **more) -> Change:
    return Change(product_id, place, sku, before, after, more.pop("parts", PARTS), **more)


def known(sku="BW-001", name="Blue widget", **more) -> SnapshotProduct:
    return SnapshotProduct(sku, name, more.get("tracked", True), 1, more.get("missing", 0), more.get("gone_at"))


def report(cycle_id="c1", started_at=T0, **more) -> CycleReport:
    return CycleReport("main", cycle_id, started_at, **more)


def done(cycle_id="c1", started_at=T0, total=100, **more) -> CycleReport:
    ended = {"ended_at": started_at + timedelta(seconds=9), "verdict": Verdict.COMPLETE, "outcome": Outcome.DONE}
    return report(cycle_id, started_at, total=total, **(ended | more))


def plan(plan_id="p1", *changes: HeldChange) -> HeldPlan:
    held = changes or (HeldChange(change(after=Decimal(0), before=Decimal("7.25"), cause="poll"), (Guard.ZEROED,)),)
    return HeldPlan("main", plan_id, T0, {"zeroed": "20 of 60 cells (33 %) would drop to zero, allowed are 15 %"}, held)


def entry(product_id=11, place: str | None = "MAIN", attempts=1, **more) -> Quarantined:
    first = more.get("first_at", T0)
    figure = more.get("figure", Decimal("1.5"))
    return Quarantined(product_id, place, "target", "value too long", figure, attempts, first, T0, T0 + TTL)


def seen_at(at: datetime, parts=PARTS, cell=CELL) -> SnapshotUpdate:
    return SnapshotUpdate(cells={cell: (parts, at)})


@pytest.fixture
async def lease(state) -> Lease:
    claimed = await claim(state, "main", "one", TTL)
    assert claimed is not None
    return claimed


async def remembered(state, cell=CELL):
    return (await state.snapshot("main")).cells[cell]


async def test_an_account_that_nobody_claimed_is_empty(state) -> None:
    snapshot = await state.snapshot("main")
    assert (snapshot.cells, snapshot.products, snapshot.quarantine, list(snapshot.plans)) == ({}, {}, {}, [])
    assert list(snapshot.recent_totals) == []
    (status,) = await state.status(["main"])
    assert (status.owner, status.epoch, status.leased_until, status.cells, list(status.cycles)) == ("", 0, None, 0, [])


async def test_the_same_owner_keeps_its_epoch_and_another_waits(state) -> None:
    assert await claim(state, "main", "one", TTL) == Lease("main", "one", 1)
    assert await claim(state, "main", "one", TTL) == Lease("main", "one", 1)
    assert await claim(state, "main", "two", TTL) is None
    assert await claim(state, "other", "two", TTL) == Lease("other", "two", 1)


async def test_a_lease_bears_the_address_at_which_look_ups_reach_its_holder(state) -> None:
    assert await state.writer("main") is None
    (lease,) = await state.claim([["main"]], "one", TTL, "http://10.0.0.5:9464")
    assert await state.writer("main") == LeaseHolder("one", "http://10.0.0.5:9464")
    await state.release(lease)
    assert await state.writer("main") is None
    await claim(state, "main", "two", TTL)
    assert await state.writer("main") == LeaseHolder("two", "")
    await claim(state, "other", "three", TTL)
    await claim(state, "ended", "four", timedelta(0))
    holders = [await state.writer(account) for account in ("main", "other", "ended", "never")]
    assert holders == [LeaseHolder("two", ""), LeaseHolder("three", ""), None, None]


async def test_a_group_is_claimed_whole_or_not_at_all_whoever_holds_other_accounts(state) -> None:
    await claim(state, "held", "two", TTL)
    assert await state.claim([["a", "held"], ["b", "c"]], "one", TTL) == [Lease("b", "one", 1), Lease("c", "one", 1)]
    assert await state.writer("a") is None
    assert (await state.status(["b"]))[0].consecutive_failures == 0


async def test_a_status_counts_anew_what_a_cycle_may_have_changed_and_nothing_else(state, lease) -> None:
    await state.begin(lease, report("c1"))
    (running,) = await state.status(["main"])
    await state.observe(lease, "c1", seen_at(T0))
    known = {"main": running}
    assert (await state.status(["main"], known))[0].cells == 1, "while a cycle runs, everything may change"
    await state.end(lease, done("c1"))
    (ended,) = await state.status(["main"], known)
    assert (ended.cells, len(ended.cycles)) == (1, 1)
    known = {"main": replace(ended, cells=17)}
    (same, other) = await state.status(["main", "other"], known)
    assert (same, other.cells) == (known["main"], 0)
    await state.begin(lease, report("c2", T0 + timedelta(minutes=1)))
    assert (await state.status(["main"], known))[0].cells == 1


async def test_a_second_writer_is_refused_and_after_release_the_first_one_is(another_state) -> None:
    one, two = await another_state(), await another_state()
    first = await claim(one, "main", "one", TTL)
    assert await claim(two, "main", "two", TTL) is None
    await one.release(first)
    second = await claim(two, "main", "two", TTL)
    assert second == Lease("main", "two", 2)
    for attempt in (
        one.begin(first, report()),
        one.observe(first, "c1", seen_at(T0)),
        one.intend(first, "c1", [change()]),
        one.acknowledge(first, "c1", BatchResult(applied=[change()])),
        one.hold(first, plan()),
        one.end(first, done()),
        one.record_audit(first, AuditReport("main", T0)),
        one.meet(first, "another target"),
        renew(one, first, TTL),
        one.confirm(first, timedelta(0)),
    ):
        with pytest.raises(LeaseLost, match="another writer took over"):
            await attempt
    with pytest.raises(LeaseLost):
        async with one.transaction(first):
            pytest.fail("the body must not run")
    await one.release(first)
    await two.intend(second, "c2", [change()])
    assert (await remembered(one)).intent == Decimal("120.5")
    assert (await one.status(["main"]))[0].owner == "two"


async def test_a_lease_that_ran_out_writes_nothing_and_is_claimed_anew(state) -> None:
    short = await claim(state, "main", "one", timedelta(0))
    with pytest.raises(LeaseLost):
        await state.confirm(short, timedelta(0))
    with pytest.raises(LeaseLost):
        await state.intend(short, "c1", [change()])
    with pytest.raises(LeaseLost):
        await state.begin(short, report())
    with pytest.raises(LeaseLost):
        await renew(state, short, TTL)
    assert (await state.snapshot("main")).cells == {}
    assert await claim(state, "main", "two", TTL) == Lease("main", "two", 2)


async def test_the_same_owner_gets_a_new_epoch_after_a_gap(state) -> None:
    await claim(state, "main", "one", timedelta(0))
    assert await claim(state, "main", "one", TTL) == Lease("main", "one", 2)


async def test_confirm_asks_for_time_enough(state) -> None:
    lease = await claim(state, "main", "one", timedelta(seconds=60))
    await state.confirm(lease, timedelta(seconds=30))
    with pytest.raises(LeaseLost):
        await state.confirm(lease, timedelta(seconds=90))
    await renew(state, lease, timedelta(seconds=120))
    await state.confirm(lease, timedelta(seconds=90))


async def test_of_many_who_claim_at_once_one_gets_it(another_state) -> None:
    states = [await another_state() for _ in range(3)]
    claimed = await asyncio.gather(*(claim(one, "main", f"o{n}", TTL) for n, one in enumerate(states)))
    assert sum(lease is not None for lease in claimed) == 1


async def test_a_reading_is_remembered_to_the_microsecond_and_the_last_decimal(state, lease) -> None:
    seen = seen_at(T0)
    seen.products[11] = known("قطعة-أ", "قطعة زرقاء — 500 مل ☕", gone_at=T0, missing=2, tracked=False)
    await state.observe(lease, "c1", seen)
    snapshot = await state.snapshot("main")
    assert snapshot.products == {11: SnapshotProduct("قطعة-أ", "قطعة زرقاء — 500 مل ☕", False, 1, 2, T0)}
    row = snapshot.cells[CELL]
    assert row == (PARTS, T0, None, None, "", None, None)
    assert row.source_at.tzinfo is not None
    assert str(dict(row.parts)[7]) == "0.5"


async def test_a_snapshot_larger_than_a_page_is_loaded_whole(state, lease, monkeypatch) -> None:
    monkeypatch.setattr(loading, "_PAGE", 3)
    read = {Cell(number, place): (PARTS, T0) for number in (9, 10, 11) for place in ("", "A", "a b", "ب", "Z")}
    await state.observe(lease, "c1", SnapshotUpdate(cells=read))
    assert set((await state.snapshot("main")).cells) == set(read)
    assert set((await state.snapshot("main", [9, 10])).cells) == {cell for cell in read if cell.product_id < 11}


async def test_a_figure_read_earlier_never_replaces_a_later_one(state, lease) -> None:
    later, earlier = ((3, Decimal(9)),), ((3, Decimal(8)),)
    await state.observe(lease, "c1", seen_at(T0, later))
    await state.observe(lease, "c2", seen_at(T0 - timedelta(microseconds=1), earlier))
    assert (await remembered(state))[:2] == (later, T0)
    await state.observe(lease, "c3", seen_at(T0 + timedelta(microseconds=1), earlier))
    assert (await remembered(state)).parts == earlier


async def test_a_figure_of_a_known_cell_leaves_acknowledgement_and_intent_alone(state, lease) -> None:
    await state.acknowledge(lease, "c1", BatchResult(applied=[change()]))
    await state.intend(lease, "c1", [change(after=Decimal(5))])
    await state.observe(lease, "c1", seen_at(T0, ((3, Decimal(6)),)))
    row = await remembered(state)
    assert (row.parts, row.acked, row.intent, row.sku) == (((3, Decimal(6)),), Decimal("120.5"), Decimal(5), "BW-001")


async def test_an_intent_stands_until_it_is_acknowledged(state, lease) -> None:
    await state.observe(lease, "c1", seen_at(T0))
    await state.intend(lease, "c1", [change()])
    row = await remembered(state)
    assert (row.intent, row.acked, row.source_at) == (Decimal("120.5"), None, T0)
    assert (await state.status(["main"]))[0].oldest_unpushed is not None
    await state.acknowledge(lease, "c1", BatchResult(applied=[change()]))
    row = await remembered(state)
    assert (row.intent, row.acked, row.sku) == (None, Decimal("120.5"), "BW-001")
    status = (await state.status(["main"]))[0]
    assert status.oldest_unpushed is None
    assert status.last_push is not None


async def test_what_was_read_is_recorded_with_the_intent_and_never_replaces_a_later_figure(state, lease) -> None:
    later = ((3, Decimal(7)),)
    await state.intend(lease, "c1", [change(), change(12)], SnapshotUpdate(cells={CELL: (later, T0)}))
    cells = (await state.snapshot("main")).cells
    assert (cells[CELL].parts, cells[CELL].source_at) == (later, T0)
    assert (cells[Cell(12, "MAIN")].parts, cells[Cell(12, "MAIN")].source_at) == (PARTS, EPOCH)
    await state.intend(
        lease, "c2", [change(), change(12)], SnapshotUpdate(cells={CELL: (PARTS, T0 - timedelta(seconds=1))})
    )
    cells = (await state.snapshot("main")).cells
    assert (cells[CELL].parts, cells[CELL].source_at) == (later, T0)
    assert {cell.intent for cell in cells.values()} == {change().after}


async def test_an_acknowledgement_closes_only_the_intent_it_is_for(state, lease) -> None:
    await state.intend(lease, "c1", [change(), change(12)])
    await state.intend(lease, "c2", [change(after=Decimal(73)), change(12, after=Decimal(74))])
    await state.acknowledge(lease, "c1", BatchResult(applied=[change()], skipped=[change(12)]))
    cells = (await state.snapshot("main")).cells
    assert (cells[CELL].acked, cells[CELL].intent) == (Decimal("120.5"), Decimal(73))
    assert (cells[Cell(12, "MAIN")].acked, cells[Cell(12, "MAIN")].intent) == (None, Decimal(74))


async def test_an_intent_that_is_repeated_keeps_its_age(state, lease) -> None:
    await state.intend(lease, "c1", [change()])
    first = (await state.status(["main"]))[0].oldest_unpushed
    await state.intend(lease, "c2", [change(after=Decimal(4))])
    assert (await state.status(["main"]))[0].oldest_unpushed == first


async def test_what_the_target_refuses_is_not_on_its_way(state, lease) -> None:
    await state.intend(lease, "c1", [change()])
    await state.observe(lease, "c1", SnapshotUpdate(quarantined=[entry()]))
    assert (await state.status(["main"]))[0].oldest_unpushed is None
    await state.intend(lease, "c1", [change(12)])
    assert (await state.status(["main"]))[0].oldest_unpushed is not None
    await state.observe(lease, "c1", SnapshotUpdate(released=[(11, "MAIN")]))
    await state.acknowledge(lease, "c1", BatchResult(applied=[change(12)]))
    assert (await state.status(["main"]))[0].oldest_unpushed is not None, "its intent is still open"


async def test_what_was_skipped_or_ambiguous_is_closed_and_not_acknowledged(state, lease) -> None:
    changes = [change(), change(12), change(13)]
    await state.intend(lease, "c1", changes)
    written = BatchResult(applied=changes[:1], skipped=changes[1:2], ambiguous=[(changes[2], "3 rows match")])
    await state.acknowledge(lease, "c1", written)
    cells = (await state.snapshot("main")).cells
    assert [(row.acked, row.intent) for _, row in sorted(cells.items())] == [
        (Decimal("120.5"), None),
        (None, None),
        (None, None),
    ]
    assert [len(await state.history("main", product, 9)) for product in (11, 12, 13)] == [1, 0, 0]


async def test_removals_are_acknowledged_as_what_they_are(state, lease) -> None:
    removed = [change(after=Removal.DELETED), change(12, after=Removal.DEACTIVATED)]
    await state.intend(lease, "c1", removed)
    assert (await remembered(state)).intent is Removal.DELETED
    await state.acknowledge(lease, "c1", BatchResult(applied=removed))
    cells = (await state.snapshot("main")).cells
    assert (cells[CELL].acked, cells[Cell(12, "MAIN")].acked) == (Removal.DELETED, Removal.DEACTIVATED)
    assert (await state.history("main", 11, 1))[0].change.after is Removal.DELETED


async def test_the_ledger_tells_the_changes_newest_first(state, lease) -> None:
    for number in range(5):
        applied = change(before=Decimal(number), after=Decimal(number + 1), cause="heal")
        await state.acknowledge(lease, f"c{number}", BatchResult(applied=[applied]))
    rows = await state.history("main", 11, 3)
    assert [row.change.after for row in rows] == [Decimal(5), Decimal(4), Decimal(3)]
    assert (rows[0].cycle_id, rows[0].epoch, rows[0].at.tzinfo is not None) == ("c4", 1, True)
    assert rows[0].change == change(before=Decimal(4), after=Decimal(5), cause="heal")


async def test_a_product_is_found_by_the_sku_it_has_and_by_those_it_had(state, lease) -> None:
    for sku in ("OLD", "MID", "NEW"):
        await state.observe(lease, sku, SnapshotUpdate(products={11: known(sku)}))
        await state.acknowledge(lease, sku, BatchResult(applied=[change(sku=sku)]))
    assert [await state.products_with("main", sku) for sku in ("OLD", "MID", "NEW", "NO")] == [[11], [11], [11], []]
    assert [row.change.sku for row in await state.history("main", 11, 9)] == ["NEW", "MID", "OLD"]
    assert (await remembered(state)).sku == "NEW"
    assert await state.products_with("other", "NEW") == []
    await state.observe(lease, "c9", SnapshotUpdate(products={12: known("")}))
    assert await state.products_with("main", "") == [], "no SKU is nobody's, and every cell's that never had another"


async def test_case_and_trailing_spaces_make_another_sku_and_another_place(state, lease) -> None:
    skus = {1: "ab-1", 2: "AB-1", 3: "ab-1 ", 4: "äb-1"}
    await state.observe(lease, "c1", SnapshotUpdate(products={key: known(sku) for key, sku in skus.items()}))
    places = ["main", "MAIN", "main ", "maín", ""]
    await state.acknowledge(lease, "c1", BatchResult(applied=[change(1, place, "ab-1") for place in places]))
    assert [await state.products_with("main", sku) for sku in skus.values()] == [[1], [2], [3], [4]]
    assert {cell.place for cell in (await state.snapshot("main")).cells} == set(places)


async def test_what_is_near_a_sku_is_found_whatever_stands_in_it(state, lease) -> None:
    skus = {1: "OUD-00001", 2: "OUD-00002", 3: "50%_OFF", 4: "قهوة-1", 5: "", 6: "GONE-1"}
    products = {key: known(sku, f"Name {key}") for key, sku in skus.items()}
    products[6] = products[6]._replace(gone_at=T0)
    await state.observe(lease, "c1", SnapshotUpdate(products=products))

    async def near(typed: str) -> list[int]:
        return sorted(one.product_id for one in await state.near_skus("main", typed))

    assert [await near(typed) for typed in ("oud-00001 ", "4", "name 2", "قهوة-2")] == [[1], [4], [2], [4]]
    assert [await near(typed) for typed in ("OUD-0001", "50%_ON", "GONE-2", "%", "_%_", "")] == [
        [1, 2],
        [3],
        [],
        [],
        [3],
        [5],
    ]
    assert await state.near_skus("other", "oud-00001") == []


async def test_a_sku_of_any_length_and_with_control_characters_stops_nothing(state, lease) -> None:
    long = "س" * 3000
    await state.observe(lease, "c1", SnapshotUpdate(products={1: known(long), 2: known("a\0b", "lone \ud800 half")}))
    await state.acknowledge(lease, "c1", BatchResult(applied=[change(1, sku=long + "x")]))
    assert await state.products_with("main", long) == [1]
    assert await state.products_with("main", long + "x") == [1]
    assert set((await state.snapshot("main")).products) == {1, 2}


async def test_text_of_many_rows_comes_back_as_it_went_in(state, lease) -> None:
    odd = [
        '"',
        "\\",
        '\\"',
        "a,b",
        "{x}",
        "NULL",
        "null",
        "",
        " a",
        "a ",
        "a\nb",
        "\t",
        "'",
        "%s",
        ":x",
        "a\x1fb",
        "قميص",
        "\U0001f600",
    ]
    products = {number: known(sku, name=f"{sku}{sku}") for number, sku in enumerate(odd, 1)}
    changes = [change(number, sku or "-", sku) for number, sku in enumerate(odd, 1)]
    await state.observe(lease, "c1", SnapshotUpdate(products=products))
    await state.intend(lease, "c1", changes)
    await state.acknowledge(lease, "c1", BatchResult(applied=changes))
    snapshot = await state.snapshot("main")
    assert snapshot.products == products
    assert {cell: one.sku for cell, one in snapshot.cells.items()} == {one.cell: one.sku for one in changes}
    assert [(await state.history("main", one.product_id, 9))[0].change for one in changes] == changes


async def test_first_contact_adopts_what_the_target_held_once(state, lease) -> None:
    seen = seen_at(T0)
    seen.adopted[CELL] = (Decimal("7.5"), "BW-001")
    await state.observe(lease, "c1", seen)
    row = await remembered(state)
    assert (row.acked, row.sku, row.parts) == (Decimal("7.5"), "BW-001", PARTS)
    await state.observe(lease, "c2", SnapshotUpdate(adopted={CELL: (Decimal(1), "OTHER")}))
    assert (await remembered(state))[2:5] == (Decimal("7.5"), None, "BW-001")


async def test_unknown_cells_age_until_they_are_known_again(state, lease) -> None:
    later = T0 + timedelta(hours=1)
    await state.observe(lease, "c1", SnapshotUpdate(cells={CELL: (PARTS, T0), Cell(12, ""): (PARTS, T0)}))
    await state.observe(lease, "c2", SnapshotUpdate(unknown={CELL: T0, Cell(12, ""): later, Cell(99, "never"): T0}))
    status = (await state.status(["main"]))[0]
    assert (status.cells, status.unknown, status.oldest_unknown) == (2, 2, T0)
    assert (await remembered(state)).unknown_since == T0
    await state.observe(lease, "c3", SnapshotUpdate(unknown={CELL: None}))
    status = (await state.status(["main"]))[0]
    assert (status.unknown, status.oldest_unknown) == (1, later)


async def test_quarantine_keeps_attempts_and_is_released(state, lease) -> None:
    whole, row = entry(0, None, figure=None), entry()
    await state.observe(lease, "c1", SnapshotUpdate(quarantined=[whole, row, entry(11, "")]))
    await state.observe(lease, "c2", SnapshotUpdate(quarantined=[replace(row, attempts=2, reason="سبب")]))
    found = (await state.snapshot("main")).quarantine
    assert found == {(0, None): whole, (11, "MAIN"): replace(row, attempts=2, reason="سبب"), (11, ""): entry(11, "")}
    assert (await state.status(["main"]))[0].quarantined == 3
    await state.observe(lease, "c3", SnapshotUpdate(released=[(0, None), (11, ""), (5, "nobody")]))
    assert set((await state.snapshot("main")).quarantine) == {(11, "MAIN")}


async def test_the_status_shows_the_oldest_hundred_of_the_quarantine(state, lease) -> None:
    entries = [entry(number, None, first_at=T0 + timedelta(seconds=number)) for number in range(150)]
    await state.observe(lease, "c1", SnapshotUpdate(quarantined=entries[::-1]))
    status = (await state.status(["main"]))[0]
    assert [one.product_id for one in status.quarantine] == list(range(100))
    assert status.quarantined == 150


async def test_a_decided_plan_no_longer_waits_and_is_not_asked_again(state, lease) -> None:
    await state.hold(lease, plan())
    said = await state.decide("p1", True, "noura")
    assert (said.decision, said.decided_by, said.changes) == (Decision.APPROVED, "noura", plan().changes)
    await state.hold(lease, replace(plan(), created_at=T0 + TTL))
    assert await state.held() == [said], "a cycle that did not know of the decision asks for nothing"
    assert list((await state.snapshot("main")).plans) == [said]
    assert (await state.status(["main"]))[0].held == said
    assert (await state.decide("p1", False, "omar")).decision is Decision.REJECTED, "a person may think again"
    assert [(held.decision, held.decided_by) for held in await state.held()] == [(Decision.REJECTED, "omar")]


async def test_a_decision_ends_where_the_facts_ended_it(state, lease) -> None:
    removal = HeldChange(change(12, after=Removal.DELETED, before=Decimal(1), cause="deleted"), (Guard.DELETED,))
    await state.hold(lease, plan())
    said = await state.decide("p1", True, "noura")
    await state.hold(lease, plan("p2", removal), [said])
    assert await state.held("main") == [plan("p2", removal)]
    with pytest.raises(NotFound):
        await state.decide("p1", True, "noura")
    await state.hold(lease, None)
    assert await state.held() == []
    assert list((await state.snapshot("main")).plans) == []


async def test_an_approval_is_used_up_by_acknowledgement_cell_by_cell(state, lease) -> None:
    changes = [change(number, after=Decimal(0), before=Decimal(5)) for number in (1, 2, 3)]
    await state.hold(lease, plan("p1", *(HeldChange(one, (Guard.ZEROED,)) for one in changes)))
    said = await state.decide("p1", True, "noura")
    await state.intend(lease, "c1", changes)
    assert await state.held() == [said], "an attempt uses nothing up"
    await state.acknowledge(
        lease, "c1", BatchResult(applied=[changes[0], change(2, after=Decimal(4), before=Decimal(5))])
    )
    assert await state.held() == [said.only([changes[1].cell, changes[2].cell])]
    await state.acknowledge(lease, "c2", BatchResult(applied=changes[1:]))
    assert await state.held() == []
    assert [one.decision for one in await state.decisions("main", 2)] == [Decision.APPROVED]
    assert [one.changes for one in await state.decisions("main", 2)] == [said.only([changes[1].cell]).changes]
    assert await state.decisions("main", 4) == []


async def test_healing_waits_beside_what_a_poll_holds(state, lease) -> None:
    healing = replace(plan("h1"), cause="heal")
    await state.hold(lease, plan())
    await state.hold(lease, healing, cause="heal")
    status = (await state.status(["main"]))[0]
    assert status.waiting == [plan(), healing]
    await state.hold(lease, None)
    assert (await state.status(["main"]))[0].held == healing


async def test_an_id_that_was_shown_stays_while_its_guard_holds(state, lease) -> None:
    assert await state.offer(plan("shown")) == plan("shown")
    later = replace(plan("other"), created_at=T0 + TTL)
    assert await state.offer(later) == plan("shown"), "two that look at the same time are told the same id"
    await state.hold(lease, later)
    assert await state.held() == [plan("shown")]
    said = await state.decide("shown", True, "noura")
    assert await state.offer(plan("shown")) is None, "nobody is asked for what is decided"
    assert await state.held() == [said]


async def test_one_guards_part_of_a_plan_is_decided_alone(state, lease) -> None:
    zero = HeldChange(change(1, after=Decimal(0), before=Decimal(5)), (Guard.ZEROED, Guard.CHANGED))
    other = HeldChange(change(2, after=Decimal(4), before=Decimal(5)), (Guard.CHANGED,))
    await state.hold(lease, plan("p1", zero, other))
    said = await state.decide("p1", True, "noura", guard=Guard.CHANGED)
    assert said.changes == (other,), "a zero is not released as a mere change"
    assert {(one.decision, one.changes) for one in await state.held()} == {
        (Decision.WAITING, (zero,)), (Decision.APPROVED, (other,))
    }  # fmt: skip
    with pytest.raises(NotFound):
        await state.decide("p1", True, "noura", guard=Guard.DELETED)
    assert len((await state.decide("p1", False, "noura")).changes) == 2
    assert [one.decision for one in await state.held()] == [Decision.REJECTED]


async def test_a_plan_is_decided_by_the_beginning_of_its_id_and_only_as_it_was_shown(state) -> None:
    await state.offer(plan("abc1"))
    with pytest.raises(PlanChanged):
        await state.decide("abc", True, "noura", "other figures")
    assert (await state.decide("abc", True, "noura", plan().fingerprint)).plan_id == "abc1"


async def test_plans_are_listed_by_account(state, lease) -> None:
    other = await claim(state, "other", "one", TTL)
    await state.hold(other, replace(plan("p9"), account="other"))
    await state.hold(lease, plan())
    assert [held.account for held in await state.held()] == ["main", "other"]
    assert [held.plan_id for held in await state.held("other")] == ["p9"]


async def test_what_a_reading_had_no_time_for_is_known_until_the_next_reading(state, lease) -> None:
    assert (await state.catalogue("main")).unread == ()
    spans = ((2, 7), (12, 16))
    read = {"verdict": Verdict.PARTIAL, "ended_at": T0}
    await state.end(lease, report("c1", unread=spans, **read))
    assert (await state.catalogue("main")).unread == spans
    await state.begin(lease, report("c2", T0 + timedelta(minutes=1)))
    await state.end(lease, report("c2", T0 + timedelta(minutes=1), ended_at=T0, error="Qoyod: 502"))
    assert (await state.catalogue("main")).unread == spans, "nothing was read since"
    await state.end(lease, report("c3", T0 + timedelta(minutes=2), **read))
    assert (await state.catalogue("main")).unread == ()


async def test_what_a_cycle_leaves_to_its_end_is_recorded_with_it(state, lease) -> None:
    await state.begin(lease, report("c1"))
    await state.end(lease, done("c1"), seen_at(T0))
    assert (await remembered(state)).parts == PARTS
    many = {number: known(f"BW-{number}") for number in range(1, 12_002)}
    await state.end(lease, done("c2"), SnapshotUpdate(products=many))
    assert len((await state.snapshot("main")).products) == len(many)


async def test_cycles_make_attempt_success_and_failures_apart(state, lease) -> None:
    full = done("c1", counts=Counts(read=2, applied=2), phases={"read": 1.25}, guards={"zeroed": 3}, epoch=1)
    await state.begin(lease, report("c1"))
    status = (await state.status(["main"]))[0]
    assert (status.last_attempt, status.last_complete, list(status.cycles)) == (T0, None, [])
    await state.end(lease, full)
    for number in (2, 3):
        started = T0 + timedelta(minutes=number)
        await state.begin(lease, report(f"c{number}", started))
        failed = report(f"c{number}", started, ended_at=started, error="Qoyod: 502", reasons=("page 2: 502",))
        await state.end(lease, failed)
    stopped = report("c4", T0 + timedelta(minutes=4), ended_at=T0 + timedelta(minutes=4), outcome=Outcome.STOPPED)
    await state.end(lease, stopped)
    status = (await state.status(["main"]))[0]
    assert (status.last_attempt, status.last_complete) == (T0 + timedelta(minutes=4), full.ended_at)
    assert status.consecutive_failures == 2
    assert [cycle.cycle_id for cycle in status.cycles] == ["c4", "c3", "c2", "c1"]
    assert status.cycles[3] == full
    await state.end(lease, done("c5", T0 + timedelta(minutes=5)))
    assert (await state.status(["main"]))[0].consecutive_failures == 0


async def test_of_each_account_the_last_ten_cycles_are_shown_newest_first(state) -> None:
    for account, count in (("one", 12), ("two", 3), ("three", 0)):
        lease = await claim(state, account, "me", timedelta(minutes=5))
        for number in range(count):
            ended = replace(done(f"{account}{number}", T0 + timedelta(minutes=number)), account=account)
            await state.end(lease, ended)
    shown = {
        one.account: [cycle.cycle_id for cycle in one.cycles] for one in await state.status(["two", "one", "three"])
    }
    assert shown["one"] == [f"one{number}" for number in range(11, 1, -1)]
    assert (shown["two"], shown["three"]) == (["two2", "two1", "two0"], [])


async def test_totals_of_complete_cycles_alone_are_kept_for_the_guard(state, lease) -> None:
    for number in range(14):
        partial = number % 7 == 6
        verdict = Verdict.PARTIAL if partial else Verdict.COMPLETE
        ended = done(f"c{number}", T0 + timedelta(minutes=number), total=number, verdict=verdict)
        await state.end(lease, ended)
    assert list((await state.snapshot("main")).recent_totals) == [2, 3, 4, 5, 7, 8, 9, 10, 11, 12]


async def test_a_fall_that_a_guard_holds_is_no_measure_for_later_ones(state, lease) -> None:
    await state.end(lease, done("c1", T0, total=100))
    fallen = done("c2", T0 + timedelta(minutes=1), total=40, outcome=Outcome.HELD, guards={"total_fall": 9})
    await state.end(lease, fallen)
    assert list((await state.snapshot("main")).recent_totals) == [100]


async def test_what_people_are_told_is_counted_alike_everywhere(state, lease) -> None:
    known = {
        11: SnapshotProduct("A", "Blue", True, 1, 0, None),
        12: SnapshotProduct("B", "Green", False, 1, 0, None),
        13: SnapshotProduct("C", "Red", True, 1, 2, None),
        14: SnapshotProduct("D", "Black", True, 1, 3, T0),
    }
    figures = {Cell(number, place): (((3, Decimal(1)),), T0) for number in known for place in ("1", "3")}
    names = {1: "Main", 3: "Riyadh"}
    await state.observe(lease, "c1", SnapshotUpdate(cells=figures, products=known, locations=names))
    await state.acknowledge(lease, "c1", BatchResult(applied=[change()]))
    entries = [
        Quarantined(11, "3", "target", "too long", Decimal(1), 1, T0, T0, T0),
        Quarantined(13, None, "source", "no number", None, 1, T0, T0, T0),
        Quarantined(99, None, "source", "no number", None, 1, T0, T0, T0),
    ]
    await state.observe(lease, "c1", SnapshotUpdate(quarantined=entries))
    ended = done("c1", target_contact=T0)
    await state.end(lease, ended)
    refused = report("c2", T0, ended_at=T0 + TTL, outcome=Outcome.UNAUTHORIZED)
    await state.end(lease, refused)
    status = (await state.status(["main"]))[0]
    assert (status.managed, status.untracked, status.refused, status.refusal) == (1, 2, 4, "no number")
    assert status.catalogue == {"tracked": 2, "untracked": 1, "missing": 1, "gone": 1, "bad": 2}
    assert [entry.sku for entry in status.quarantine] == ["A", "C", ""]
    assert (status.unauthorized_since, status.target_contact) == (T0 + TTL, T0)
    assert dict(status.locations) == names
    snapshot = await state.snapshot("main", [])
    assert (dict(snapshot.locations), snapshot.last_complete) == (names, ended.ended_at)
    assert snapshot.checked_up_to == 0
    await state.observe(lease, "c2", SnapshotUpdate(checked_up_to=13))
    await state.observe(lease, "c2", SnapshotUpdate())
    assert (await state.snapshot("main", [])).checked_up_to == 13


async def test_what_waits_in_quarantine_is_due_at_once_when_a_person_asks(state, lease) -> None:
    waiting = [entry(11, "1"), entry(11, "3"), entry(12, "1")]
    await state.observe(lease, "c1", SnapshotUpdate(quarantined=waiting))
    assert await state.retry("main", [11, 99]) == 2
    assert await state.retry("other") == 0
    due = (await state.snapshot("main")).quarantine
    assert {key for key, one in due.items() if one.retry_at <= one.last_at} == {(11, "1"), (11, "3")}
    assert await state.retry("main") == 3
    assert all(one.retry_at <= one.last_at for one in (await state.snapshot("main")).quarantine.values())


async def test_what_is_given_up_is_neither_open_nor_known(state, lease) -> None:
    await state.acknowledge(lease, "c1", BatchResult(applied=[change()]))
    await state.intend(lease, "c2", [change(after=Decimal(7)), change(12)])
    await state.observe(lease, "c2", SnapshotUpdate(given_up=[CELL]))
    cells = (await state.snapshot("main")).cells
    assert (cells[CELL].acked, cells[CELL].intent) == (None, None)
    assert cells[Cell(12, "MAIN")].intent == Decimal("120.5")


async def test_the_last_audit_is_kept(state, lease) -> None:
    found = AuditReport("main", T0, T0 + TTL, 5, {"renamed": 1}, {"renamed": Decimal("2.50")})
    found.examples.append(Difference(Cause.RENAMED, "قطعة @ MAIN", "1", "3.5", Decimal("2.5")))
    await state.record_audit(lease, AuditReport("main", T0))
    await state.record_audit(lease, found)
    assert (await state.status(["main"]))[0].audit == found


async def test_what_retention_has_outlived_is_deleted(another_state) -> None:
    state = await another_state()
    lease = await claim(state, "main", "one", TTL)
    await state.acknowledge(lease, "c1", BatchResult(applied=[change()]))
    await state.end(lease, done("c1", datetime.now(UTC) - timedelta(days=91)))
    await state.end(lease, done("c2", datetime.now(UTC)))
    again = await another_state()
    await again.end(lease, done("c3", datetime.now(UTC)))
    assert [cycle.cycle_id for cycle in (await again.status(["main"]))[0].cycles] == ["c3", "c2"]
    assert len(await again.history("main", 11, 9)) == 1


async def test_a_refresh_token_survives(another_state) -> None:
    one, two = await another_state(), await another_state()
    assert await one.load("main") is None
    await one.save("main", "first")
    await one.save("main", "second")
    assert await two.load("main") == "second"
    assert await two.load("other") is None


async def test_five_thousand_rows_go_through_every_door(state, lease) -> None:
    many = [Cell(number // 5, f"L{number % 5}") for number in range(5000)]
    changes = [change(*cell, after=Decimal(number)) for number, cell in enumerate(many)]
    seen = SnapshotUpdate(cells=dict.fromkeys(many, (PARTS, T0)), unknown=dict.fromkeys(many, T0))
    seen.products = {number: known(f"S{number}") for number in range(1000)}
    seen.quarantined = [entry(*cell) for cell in many]
    await state.observe(lease, "c1", seen)
    await state.intend(lease, "c1", changes)
    await state.acknowledge(lease, "c1", BatchResult(applied=changes[:2500], skipped=changes[2500:]))
    again = SnapshotUpdate(released=[(cell.product_id, cell.place) for cell in many], unknown=dict.fromkeys(many))
    await state.observe(lease, "c2", again)
    snapshot = await state.snapshot("main", range(1000))
    assert len(snapshot.cells) == 5000
    assert snapshot.quarantine == {}
    assert sum(row.acked is not None for row in snapshot.cells.values()) == 2500
    assert {(row.intent, row.unknown_since) for row in snapshot.cells.values()} == {(None, None)}
    some = await state.snapshot("main", [3, 4, 4711])
    assert sorted({cell.product_id for cell in some.cells}) == [3, 4]
    assert sorted(some.products) == [3, 4]


async def test_cells_come_in_key_order_a_page_at_a_time(state, lease) -> None:
    cells = sorted(Cell(number, place) for number in (2, 10, 9) for place in ("b", "B", "", "ق", "a "))
    await state.observe(
        lease, "c1", SnapshotUpdate(cells=dict.fromkeys(cells, (PARTS, T0)), products={9: known("NINE")})
    )
    walked: list[tuple[RowLocator, object]] = []
    while page := await state.cells_after("main", walked[-1][0].cell if walked else None, 4):
        walked.extend(page)
    assert [ref.cell for ref, _ in walked] == cells
    assert {ref.sku for ref, _ in walked if ref.product_id == 9} == {"NINE"}


async def test_a_shared_transaction_commits_as_one(state, lease) -> None:
    await state.intend(lease, "c1", [change()])
    async with state.transaction(lease) as transaction:
        await transaction.acknowledge("c1", BatchResult(applied=[change()]))
    row = await remembered(state)
    assert (row.acked, row.intent) == (Decimal("120.5"), None)
    assert len(await state.history("main", 11, 9)) == 1


async def test_a_shared_transaction_that_fails_leaves_nothing(state, lease) -> None:
    await state.intend(lease, "c1", [change()])

    async def fail_in_the_middle() -> None:
        async with state.transaction(lease) as transaction:
            await transaction.acknowledge("c1", BatchResult(applied=[change()]))
            raise LeaseLost("in the middle")

    with pytest.raises(LeaseLost, match="in the middle"):
        await fail_in_the_middle()
    row = await remembered(state)
    assert (row.acked, row.intent) == (None, Decimal("120.5"))
    assert await state.history("main", 11, 9) == []


async def test_nothing_to_write_is_no_error(state, lease) -> None:
    await state.observe(lease, "c1", SnapshotUpdate())
    await state.intend(lease, "c1", [])
    await state.acknowledge(lease, "c1", BatchResult())
    assert (await state.status(["main"]))[0].last_push is None
    assert (await state.snapshot("main", [])).cells == {}


async def test_what_the_target_made_of_a_figure_is_acknowledged_and_what_was_sent_is_kept_with_it(state, lease) -> None:
    sent = [change(after=Decimal(-3)), change(12)]
    await state.intend(lease, "c1", sent)
    await state.acknowledge(lease, "c1", BatchResult(applied=sent, altered={CELL: Decimal(0)}))
    row, other = await remembered(state), await remembered(state, Cell(12, "MAIN"))
    assert (row.acked, row.sent, row.asked, row.intent) == (Decimal(0), Decimal(-3), Decimal(-3), None)
    assert (other.acked, other.sent, other.asked) == (Decimal("120.5"), None, Decimal("120.5"))
    assert [cell for _, cell in await state.altered("main", 9)] == [row]
    assert (await state.status(["main"]))[0].altered == 1
    (entry_,) = await state.history("main", 11, 9)
    assert (entry_.change.after, entry_.read_back) == (Decimal(-3), Decimal(0))
    await state.acknowledge(lease, "c2", BatchResult(applied=[change()]))
    assert (await remembered(state)).sent is None


async def test_what_was_sent_is_forgotten_under_another_layout_of_the_target(state, lease) -> None:
    await state.observe(lease, "c1", SnapshotUpdate(layout="FLOAT"))
    await state.acknowledge(lease, "c1", BatchResult(applied=[change()], altered={CELL: Decimal(120)}))
    assert (await state.snapshot("main", [11])).layout == "FLOAT"
    await state.observe(lease, "c2", SnapshotUpdate())
    assert (await remembered(state)).sent == Decimal("120.5")
    await state.observe(lease, "c3", SnapshotUpdate(layout="NUMERIC"))
    assert (await state.snapshot("main")).layout == "NUMERIC"
    assert ((await remembered(state)).acked, (await remembered(state)).sent) == (Decimal(120), None)


async def test_another_target_has_acknowledged_nothing(state, lease) -> None:
    assert await state.meet(lease, "one") == 0
    await state.observe(lease, "c1", seen_at(T0))
    await state.intend(lease, "c1", [change(), change(product_id=12)])
    await state.acknowledge(lease, "c1", BatchResult(applied=[change()]))
    source = replace(entry(7, None), side="source")
    await state.observe(lease, "c1", SnapshotUpdate(quarantined=[entry(), source]))
    await state.hold(lease, plan())
    await state.decide("p1", approved=True, by="Huda")
    await state.hold(lease, plan("p2", HeldChange(change(product_id=12), (Guard.CHANGED,))))
    await state.end(lease, done())
    assert await state.meet(lease, "one") == 0
    assert (await remembered(state)).acked == Decimal("120.5")
    assert await state.meet(lease, "two") == 1
    snapshot = await state.snapshot("main")
    assert snapshot.target == "two"
    for cell in (CELL, Cell(12, "MAIN")):
        assert (snapshot.cells[cell].acked, snapshot.cells[cell].intent, snapshot.cells[cell].sku) == (None, None, "")
    assert snapshot.cells[CELL].parts == PARTS, "what Qoyod said stays"
    assert list(snapshot.quarantine) == [(7, None)]
    assert snapshot.plans == [], "a decision was about the other target's rows"
    assert [one.plan_id for one in await state.decisions("main", 11)] == ["p1"], "but it is on record"
    assert not (await state.guard_history("main")).weighed
    assert [row.change for row in await state.history("main", 11, 9)] == [change()]


async def test_the_first_target_is_taken_for_the_one_that_acknowledged(state, lease) -> None:
    await state.acknowledge(lease, "c1", BatchResult(applied=[change()]))
    assert (await state.snapshot("main")).target is None
    assert await state.meet(lease, "one") == 0
    assert (await remembered(state)).acked == Decimal("120.5")


async def test_what_a_row_was_found_to_hold_stands_for_what_was_acknowledged(state, lease) -> None:
    await state.observe(lease, "c1", seen_at(T0))
    await state.acknowledge(lease, "c1", BatchResult(applied=[change(), change(product_id=12)]))
    await state.observe(lease, "c2", SnapshotUpdate(corrected={CELL: Decimal(73), Cell(12, "MAIN"): None}))
    assert ((await remembered(state)).acked, (await remembered(state)).parts) == (Decimal(73), PARTS)
    assert (await remembered(state, Cell(12, "MAIN"))).acked is None


async def test_the_guards_weigh_what_look_ups_wrote_since_the_last_complete_cycle(another_state) -> None:
    one, two = await another_state(), await another_state()
    lease = await claim(one, "main", "one", TTL)
    history = await one.guard_history("main")
    assert (history.managed, list(history.looked_up), history.weighed) == (0, [], False)
    await one.acknowledge(lease, "lookup-1", BatchResult(applied=[change()]))
    await one.end(lease, done())
    gone = change(product_id=13, after=Removal.DEACTIVATED, before=Decimal(4))
    await one.acknowledge(lease, "c2", BatchResult(applied=[change(product_id=12)]))
    await one.acknowledge(lease, "lookup-2", BatchResult(applied=[gone]))
    history = await two.guard_history("main")
    assert (history.managed, list(history.looked_up), history.weighed) == (2, [gone], True)
    await one.end(lease, done("c3", verdict=Verdict.PARTIAL))
    assert list((await two.guard_history("main")).looked_up) == [gone]


DIGEST = SettledProduct(
    b"0123456789abcdef", SettledCounts(unchanged=2, unmanaged=1, unmapped=3, managed=2, tracked=True)
)
RULES = b"rules"


async def with_settled(state, lease) -> None:
    await state.observe(lease, "c1", SnapshotUpdate(products={11: known(), 12: known("BW-002")}))
    await state.observe(lease, "c1", SnapshotUpdate(settled={11: DIGEST, 12: DIGEST, 99: DIGEST}, rules=RULES))


async def test_a_settled_product_is_known_by_its_digest_and_one_that_is_unknown_is_left_out(state, lease) -> None:
    await with_settled(state, lease)
    assert await state.catalogue("main") == Catalogue.of(RULES, {11: DIGEST, 12: DIGEST})
    assert await state.catalogue("other") == Catalogue.of(b"", {})


async def test_what_was_settled_under_other_rules_no_longer_is(state, lease) -> None:
    await with_settled(state, lease)
    await state.observe(lease, "c2", SnapshotUpdate(settled={12: DIGEST}, rules=b"other rules"))
    assert await state.catalogue("main") == Catalogue.of(b"other rules", {11: None, 12: DIGEST})


async def test_the_end_of_a_cycle_settles_products_and_unsettles_others_under_rules_that_may_be_new(
    state, lease
) -> None:
    await with_settled(state, lease)
    other = DIGEST._replace(digest=b"fedcba9876543210")
    await state.end(lease, done("c1"), SnapshotUpdate(settled={11: other, 99: DIGEST}, unsettled=[12]))
    assert await state.catalogue("main") == Catalogue.of(RULES, {11: other, 12: None})
    new = {13: known("BW-003")}
    seen = SnapshotUpdate(products=new, settled={13: DIGEST}, rules=b"other rules", checked_up_to=12)
    await state.end(lease, done("c2", T0 + timedelta(minutes=15)), seen)
    assert await state.catalogue("main") == Catalogue.of(b"other rules", {11: None, 12: None, 13: DIGEST}, 12)
    assert [cycle.cycle_id for cycle in (await state.status(["main"]))[0].cycles][:2] == ["c2", "c1"]


async def test_intents_leave_settled_what_was_looked_at_and_needs_nothing(state, lease) -> None:
    await with_settled(state, lease)
    other = DIGEST._replace(digest=b"fedcba9876543210")
    await state.intend(lease, "c2", [change()], SnapshotUpdate(unsettled=[11, 12], settled={12: other}))
    assert await state.catalogue("main") == Catalogue.of(RULES, {11: None, 12: other})


UNSETTLING = {
    "a look-up's figure": lambda state, lease: state.observe(lease, "c2", seen_at(T0)),
    "another entry": lambda state, lease: state.observe(lease, "c2", SnapshotUpdate(products={11: known("BW-9")})),
    "a row of the target": lambda state, lease: state.observe(lease, "c2", SnapshotUpdate(corrected={CELL: None})),
    "first contact": lambda state, lease: state.observe(
        lease, "c2", SnapshotUpdate(adopted={CELL: (Decimal(1), "BW-001")})
    ),
    "an unknown cell": lambda state, lease: state.observe(lease, "c2", SnapshotUpdate(unknown={CELL: T0})),
    "quarantine": lambda state, lease: state.observe(lease, "c2", SnapshotUpdate(quarantined=[entry()])),
    "release": lambda state, lease: state.observe(lease, "c2", SnapshotUpdate(released=[(11, "MAIN")])),
    "a word of its own": lambda state, lease: state.observe(lease, "c2", SnapshotUpdate(unsettled=[11])),
    "an intent": lambda state, lease: state.intend(lease, "c2", [change()]),
    "an acknowledgement": lambda state, lease: state.acknowledge(lease, "c2", BatchResult(applied=[change()])),
}


@pytest.mark.parametrize("touch", UNSETTLING.values(), ids=UNSETTLING.keys())
async def test_what_touches_a_product_unsettles_it_and_no_other(state, lease, touch) -> None:
    await with_settled(state, lease)
    await touch(state, lease)
    assert await state.catalogue("main") == Catalogue.of(RULES, {11: None, 12: DIGEST})


async def test_products_whose_skus_a_target_may_take_for_one_are_found(state, lease) -> None:
    skus = {11: "bw-001", 12: "BW-002", 13: "\u0642\u0645\u064a\u0635", 14: "x" * 500, 15: "0042"}
    await state.observe(lease, "c1", SnapshotUpdate(products={key: known(sku) for key, sku in skus.items()}))
    assert await state.look_alikes("main", ["BW-001", "BW-002"]) in ([11, 12], [12, 11])
    assert await state.look_alikes("main", ["42", "nothing"]) == [15]
    assert await state.look_alikes("main", []) == []


async def test_what_a_clock_far_ahead_has_dated_is_replaced_by_what_is_read_next(state, lease) -> None:
    await state.observe(lease, "c1", seen_at(datetime.now(UTC) + timedelta(hours=1)))
    now = datetime.now(UTC)
    await state.observe(lease, "c2", seen_at(now, parts=((3, Decimal(73)),)))
    await state.observe(lease, "c3", seen_at(now - timedelta(seconds=9)))
    assert (await remembered(state)).parts == ((3, Decimal(73)),)


async def test_what_a_writer_whose_clock_is_behind_has_written_is_remembered_with_the_better_date(state, lease) -> None:
    before, written, older = ((3, Decimal(9)),), ((3, Decimal(8)),), ((3, Decimal(7)),)
    await state.observe(lease, "c1", seen_at(T0, before))
    behind = replace(seen_at(T0 - timedelta(days=1), written), replacing=frozenset({CELL}))
    await state.observe(lease, "c2", behind)
    await state.observe(lease, "c3", seen_at(T0 - timedelta(hours=1), older))
    assert ((await remembered(state)).parts, (await remembered(state)).source_at) == (written, T0)
