"""What every target promises, whatever it is made of: three databases and the simulation's memory."""

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal as D
from typing import Any, Protocol

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.core.model import Cell, Change, Figure, Removal, RowLocator, TargetRow
from stocksync.errors import LeaseLost, RowsRefused
from stocksync.memory import MemoryRow, MemoryTable, MemoryTarget
from stocksync.ports import Target
from stocksync.sqlengine import open_engine, writing
from stocksync.targets import Columns, MatchBy, Missing, TargetSettings, open_target

LIMIT = D(1_000_000)
COLUMNS = Columns("quantity", "product_id", "sku", "location_id", None, "active")
DDL = f"""
CREATE TABLE stock (product_id BIGINT, sku VARCHAR(40), location_id VARCHAR(20), quantity NUMERIC(20, 4),
active BOOLEAN, CHECK (quantity < {LIMIT}))
"""


def change(
    product: int, after: Figure, place: str = "MAIN", sku: str | None = None, before: Figure | None = D(1)
) -> Change:
    return Change(product, place, f"SKU-{product}" if sku is None else sku, before, after, ((3, D(1)),))


def row(
    product: int, quantity: str | None, place: str = "MAIN", sku: str | None = None, active: bool = True
) -> MemoryRow:
    return MemoryRow(product, f"SKU-{product}" if sku is None else sku, place, quantity and D(quantity), active)


async def agree() -> None:
    return


async def refuse() -> None:
    raise LeaseLost("another writer took over")


class Bench(Protocol):
    def target(self, *, by_sku: bool = False, inserts: bool = True) -> Target: ...

    async def put(self, *rows: MemoryRow) -> None: ...

    async def rows(self) -> list[MemoryRow]: ...

    async def trigger(self) -> None:
        """Have the target floor at zero and drop decimals."""


@dataclass
class MemoryBench:
    table: MemoryTable = field(default_factory=lambda: MemoryTable(limit=LIMIT))

    def target(self, *, by_sku: bool = False, inserts: bool = True) -> Target:
        return MemoryTarget(self.table, by_sku=by_sku, inserts=inserts)

    async def put(self, *rows: MemoryRow) -> None:
        self.table.rows += rows

    async def rows(self) -> list[MemoryRow]:
        return sorted(self.table.rows, key=lambda row: (row.product_id, row.place))

    async def trigger(self) -> None:
        self.table.makes = lambda figure: max(D(0), D(math.floor(figure)))


@dataclass
class SqlBench:
    engine: AsyncEngine

    def target(self, *, by_sku: bool = False, inserts: bool = True) -> Target:
        settings = TargetSettings(
            account="main",
            table="stock",
            columns=COLUMNS,
            match_by=MatchBy.SKU if by_sku else MatchBy.PRODUCT_ID,
            missing=Missing.INSERT if inserts else Missing.SKIP,
        )
        return open_target(settings, self.engine, owned=False)

    async def put(self, *rows: MemoryRow) -> None:
        statement = text("INSERT INTO stock VALUES (:product_id, :sku, :place, :quantity, :active)")
        async with writing(self.engine) as connection:
            for row in rows:
                quantity: Any = row.quantity
                if quantity is not None and connection.dialect.name == "sqlite":
                    quantity = str(quantity)
                given = {"product_id": row.product_id, "sku": row.sku, "place": row.place, "active": row.active}
                await connection.execute(statement, given | {"quantity": quantity})

    async def rows(self) -> list[MemoryRow]:
        async with writing(self.engine) as connection:
            found = await connection.execute(text("SELECT * FROM stock ORDER BY product_id, location_id"))
            return [
                MemoryRow(id_, sku, place, None if quantity is None else D(str(quantity)), bool(active))
                for id_, sku, place, quantity, active in found
            ]

    async def trigger(self) -> None:
        async with writing(self.engine) as connection:
            for statement in TRIGGERS[connection.dialect.name]:
                await connection.exec_driver_sql(statement)


_MARIADB = "CREATE TRIGGER t{0} BEFORE {0} ON stock FOR EACH ROW SET NEW.quantity = GREATEST(0, FLOOR(NEW.quantity))"
_SQLITE = (
    "CREATE TRIGGER t{1} AFTER {0} ON stock BEGIN"
    " UPDATE stock SET quantity = MAX(0, CAST(NEW.quantity AS INTEGER)) WHERE rowid = NEW.rowid; END"
)
_FUNCTION = (
    "CREATE FUNCTION capabilities() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN NEW.quantity = GREATEST(0, FLOOR(NEW.quantity)); RETURN NEW; END$$"
)
TRIGGERS = {
    "sqlite": [_SQLITE.format("INSERT", 1), _SQLITE.format("UPDATE OF quantity", 2)],
    "postgresql": [
        _FUNCTION,
        "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION capabilities()",
    ],
    "mysql": [_MARIADB.format("INSERT"), _MARIADB.format("UPDATE")],
}
TRIGGERS["mariadb"] = TRIGGERS["mysql"]


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "memory"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "memory":
        yield MemoryBench()
        return
    engine = open_engine(request.getfixturevalue(f"target_{request.param}_url"), "test")
    async with writing(engine) as connection:
        await connection.execute(text(DDL))
        await connection.execute(text("CREATE INDEX by_id ON stock (product_id, location_id)"))
    yield SqlBench(engine)
    await engine.dispose()


async def pages(target: Target, size: int) -> list[list[tuple[str, str, TargetRow]]]:
    return [page async for page in target.scan(size)]


def changes_of(written: Sequence[tuple[Change, str]]) -> list[Change]:
    return [change for change, _ in written]


async def test_a_new_row_is_inserted_and_a_known_one_updated(bench: Bench) -> None:
    await bench.put(row(1, "5"), row(2, "6"))
    changes = [change(2, D("7.5")), change(3, D(-4), before=None)]
    written = await bench.target().write(changes, agree)
    assert written.applied == changes
    assert await bench.rows() == [row(1, "5"), row(2, "7.5"), row(3, "-4")]


async def test_places_of_one_product_are_rows_of_their_own(bench: Bench) -> None:
    await bench.put(row(1, "5", "MAIN"), row(1, "6", "OUTLET"))
    await bench.target().write([change(1, D(9), "OUTLET")], agree)
    assert await bench.rows() == [row(1, "5", "MAIN"), row(1, "9", "OUTLET")]


async def test_a_repeat_is_harmless(bench: Bench) -> None:
    for _ in range(2):
        written = await bench.target().write([change(1, D(3), before=None)], agree)
        assert len(written.applied) == 1
    assert await bench.rows() == [row(1, "3")]


async def test_rows_that_are_there_though_none_was_known_are_told_of(bench: Bench) -> None:
    await bench.put(row(1, "5"), row(2, "6"))
    changes = [change(1, D(7), before=None), change(2, D(8)), change(3, D(9), before=None)]
    written = await bench.target().write(changes, agree)
    assert written.applied == changes
    assert written.met == 1


async def test_where_rows_are_others_to_make_unknown_ones_are_skipped(bench: Bench) -> None:
    await bench.put(row(1, "5"))
    written = await bench.target(inserts=False).write([change(1, D(6)), change(2, D(7))], agree)
    assert written.applied == [change(1, D(6))]
    assert written.skipped == [change(2, D(7))]
    assert await bench.rows() == [row(1, "6")]


async def test_several_rows_for_one_cell_are_left_alone(bench: Bench) -> None:
    await bench.put(row(1, "5"), row(1, "6"), row(2, "7"))
    written = await bench.target().write([change(1, D(8)), change(2, D(9))], agree)
    assert changes_of(written.ambiguous) == [change(1, D(8))]
    assert "2 rows" in written.ambiguous[0][1]
    assert {(found.product_id, found.quantity) for found in await bench.rows()} == {(1, D(5)), (1, D(6)), (2, D(9))}


async def test_an_empty_sku_matches_nothing(bench: Bench) -> None:
    await bench.put(row(1, "5", sku=""))
    written = await bench.target(by_sku=True).write([change(1, D(8), sku="")], agree)
    assert changes_of(written.ambiguous) == [change(1, D(8), sku="")]
    assert await bench.rows() == [row(1, "5", sku="")]


async def test_two_products_that_claim_one_row_are_both_left_alone(bench: Bench) -> None:
    rivals = [change(1, D(8), sku="A"), change(2, D(9), sku="A")]
    written = await bench.target(by_sku=True).write(rivals, agree)
    assert changes_of(written.ambiguous) == rivals
    assert await bench.rows() == []


async def test_skus_are_compared_to_the_letter(bench: Bench) -> None:
    await bench.put(row(1, "1", sku="ab"), row(2, "2", sku="AB"), row(3, "3", sku="ab "), row(4, "4", sku="0042"))
    target = bench.target(by_sku=True, inserts=False)
    asked = [
        RowLocator(2, "AB", "MAIN"),
        RowLocator(5, "42", "MAIN"),
        RowLocator(6, "aB", "MAIN"),
        RowLocator(3, "ab ", "MAIN"),
    ]
    assert await target.read(asked) == {
        Cell(2, "MAIN"): TargetRow(D(2), True, 1),
        Cell(3, "MAIN"): TargetRow(D(3), True, 1),
    }
    written = await target.write([change(2, D(20), sku="AB"), change(6, D(60), sku="aB")], agree)
    assert changes_of([(found, "") for found in written.skipped]) == [change(6, D(60), sku="aB")]
    assert [found.quantity for found in await bench.rows()] == [D(1), D(20), D(3), D(4)]


async def test_places_are_compared_to_the_letter(bench: Bench) -> None:
    await bench.put(row(1, "1", "main"), row(1, "2", "MAIN "), row(1, "3", "MAIN"))
    await bench.target().write([change(1, D(9), "MAIN")], agree)
    quantities = {found.place: found.quantity for found in await bench.rows()}
    assert quantities == {"main": D(1), "MAIN ": D(2), "MAIN": D(9)}


async def test_deactivating_keeps_the_row_and_its_quantity(bench: Bench) -> None:
    await bench.put(row(1, "5"))
    gone = [change(1, Removal.DEACTIVATED), change(2, Removal.DEACTIVATED)]
    written = await bench.target().write(gone, agree)
    assert written.applied == gone
    assert await bench.rows() == [row(1, "5", active=False)]


async def test_a_figure_wakes_only_a_row_that_we_put_to_sleep(bench: Bench) -> None:
    await bench.put(row(1, "5", active=False), row(2, "5", active=False))
    changes = [change(1, D(6), before=Removal.DEACTIVATED), change(2, D(6), before=D(5))]
    await bench.target().write(changes, agree)
    assert await bench.rows() == [row(1, "6", active=True), row(2, "6", active=False)]


async def test_deleting_is_done_when_the_row_is_not_there(bench: Bench) -> None:
    await bench.put(row(1, "5"), row(2, "5"))
    gone = [change(1, Removal.DELETED), change(3, Removal.DELETED)]
    written = await bench.target(inserts=False).write(gone, agree)
    assert written.applied == gone
    assert await bench.rows() == [row(2, "5")]


async def test_a_lost_lease_leaves_everything_as_it_was(bench: Bench) -> None:
    await bench.put(row(1, "5"))
    with pytest.raises(LeaseLost):
        await bench.target().write([change(1, D(6)), change(2, D(7))], refuse)
    assert await bench.rows() == [row(1, "5")]


async def test_one_bad_row_takes_its_whole_batch_back_with_a_reason(bench: Bench) -> None:
    await bench.put(row(1, "5"))
    with pytest.raises(RowsRefused) as refused:
        await bench.target().write([change(1, D(6)), change(2, LIMIT), change(3, D(7))], agree)
    assert str(refused.value)
    assert "\n" not in str(refused.value)
    assert "INSERT INTO" not in str(refused.value)
    assert await bench.rows() == [row(1, "5")]
    assert (await bench.target().write([change(1, D(6))], agree)).applied


async def test_nothing_to_write_asks_for_nothing(bench: Bench) -> None:
    assert (await bench.target().write([], refuse)).applied == []


async def test_reading_tells_what_stands_there(bench: Bench) -> None:
    await bench.put(row(1, "5.25"), row(2, None), row(3, "1"), row(3, "2"), row(4, "0", active=False))
    refs = [RowLocator(number, f"SKU-{number}", "MAIN") for number in range(1, 6)]
    found = await bench.target().read(refs)
    assert found[Cell(1, "MAIN")] == TargetRow(D("5.25"), True, 1)
    assert found[Cell(2, "MAIN")] == TargetRow(None, True, 1)
    assert found[Cell(3, "MAIN")].rows == 2
    assert found[Cell(4, "MAIN")] == TargetRow(D(0), False, 1)
    assert Cell(5, "MAIN") not in found


async def test_a_target_is_empty_until_it_holds_any_row(bench: Bench) -> None:
    assert await bench.target().is_empty()
    await bench.put(row(1, None, active=False))
    assert not await bench.target().is_empty()


async def test_a_scan_walks_every_key_once_and_in_order(bench: Bench) -> None:
    await bench.put(
        *(row(product, "1", place) for product in range(12, 0, -1) for place in ("B", "A")), row(7, "2", "A")
    )
    found = await pages(bench.target(), 5)
    keys = [(match, place) for page in found for match, place, _ in page]
    assert keys == [(str(product), place) for product in range(1, 13) for place in ("A", "B")]
    assert {live.rows for page in found for match, place, live in page if (match, place) == ("7", "A")} == {2}
    assert max(len(page) for page in found) <= 6


async def test_a_scan_by_sku_tells_near_skus_apart(bench: Bench) -> None:
    await bench.put(*(row(number, "1", sku=sku) for number, sku in enumerate(("b", "A", "a", "a ", "C"), 1)))
    for size in (1, 2, 3, 10):
        found = await pages(bench.target(by_sku=True), size)
        assert sorted(match for page in found for match, _, _ in page) == ["A", "C", "a", "a ", "b"]
        assert {live.rows for page in found for _, _, live in page} == {1}


async def test_an_empty_table_has_no_pages(bench: Bench) -> None:
    assert await pages(bench.target(), 5) == []


async def test_a_batch_of_five_thousand_is_one_transaction(bench: Bench) -> None:
    target = bench.target()
    first = [change(number, D(number), before=None) for number in range(1, 5001)]
    assert len((await target.write(first, agree)).applied) == 5000
    second = [change(number, D(number) + 1) for number in range(1, 5001)]
    assert len((await target.write(second, agree)).applied) == 5000
    found = await target.read([found.ref for found in second])
    assert all(found[Cell(number, "MAIN")].quantity == number + 1 for number in range(1, 5001))


async def test_the_shape_tells_how_rows_are_found(bench: Bench) -> None:
    capabilities = await bench.target(by_sku=True, inserts=False).inspect()
    assert (
        capabilities.by_sku,
        capabilities.creates,
        capabilities.summed,
        capabilities.can_scan,
        capabilities.can_deactivate,
    ) == (
        True,
        False,
        False,
        True,
        True,
    )


async def test_a_trigger_that_floors_and_rounds_is_read_back_with_the_batch(bench: Bench) -> None:
    await bench.put(*(row(number, "5") for number in range(1, 31)))
    await bench.trigger()
    changes = [change(number, D(number)) for number in range(1, 29)]
    changes += [change(29, D(-3)), change(30, D("36.2084")), change(31, D("-0.5"), before=None)]
    written = await bench.target().write(changes, agree)
    assert written.applied == changes
    assert written.altered == {Cell(29, "MAIN"): D(0), Cell(30, "MAIN"): D(36), Cell(31, "MAIN"): D(0)}
    assert [one.quantity for one in (await bench.rows())[28:]] == [D(0), D(36), D(0)]
    again = await bench.target().write([change(30, D(40))], agree)
    assert (again.applied, again.altered) == ([change(30, D(40))], {})
