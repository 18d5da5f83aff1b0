"""What stands in the target is what was read back from it: triggers and types that make other figures of ours."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from scenario_shop import Shop, plain

from stocksync.app.checking import check
from stocksync.core.model import Cell
from stocksync.run.explain import explain
from stocksync.state.migrate import migrate

FLOORS = {
    "sqlite": (
        (
            "CREATE TRIGGER floors AFTER UPDATE OF quantity ON stock BEGIN UPDATE stock"
            " SET quantity = MAX(0, CAST(NEW.quantity AS INTEGER)) WHERE product_id = NEW.product_id; END"
        ),
    ),
    "postgresql": (
        (
            "CREATE FUNCTION floors() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN NEW.quantity = GREATEST(0, FLOOR(NEW.quantity)); RETURN NEW; END$$"
        ),
        "CREATE TRIGGER floors BEFORE UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION floors()",
    ),
    "mariadb": (
        "CREATE TRIGGER floors BEFORE UPDATE ON stock FOR EACH ROW SET NEW.quantity = GREATEST(0, FLOOR(NEW.quantity))",
    ),
}
Opened = Callable[..., Awaitable[Shop]]


def table(column: str) -> tuple[str, ...]:
    rows = ", ".join(f"({number}, 5)" for number in range(1, 9))
    return (
        f"CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity {column})",
        f"INSERT INTO stock VALUES {rows}",
    )


async def opened(open_shop: Any, url: str, column: str, *triggers: str, shared: bool = False, **sections: Any) -> Shop:
    columns = {"product_id": "product_id", "quantity": "quantity"}
    if shared:
        await migrate(url)
    shop: Shop = await open_shop(
        prepare=(*table(column), *triggers),
        state=url if shared else "",
        target={"url": url, "table": "stock", "create_table": False, "columns": columns},
        locations={"map": {"1": "x"}},
        policy={"on_deleted": "keep"},
        **sections,
    )
    return shop


@pytest.fixture
def on(database_url: str, open_shop: Any) -> Opened:
    """Open a shop whose table, on each of the three databases, has the trigger."""

    async def open_(**sections: Any) -> Shop:
        triggers = FLOORS[database_url.partition(":")[0]]
        return await opened(open_shop, database_url, "NUMERIC(12, 4)", *triggers, **sections)

    return open_


async def figures(shop: Shop) -> dict[int, str]:
    return {int(row[0]): plain(row[1]) for row in await shop.sql("SELECT product_id, quantity FROM stock")}


@pytest.mark.parametrize("shared", [False, True])
async def test_a_trigger_that_floors_and_rounds_is_named_once_and_never_healed_in_a_circle(
    on: Opened, logs: Any, *, shared: bool
) -> None:
    shop = await on(shared=shared, drift={"heal": True})
    shop.catalogue.stock_take(1, 1, Decimal(-3))
    shop.catalogue.stock_take(2, 1, Decimal("36.2084"))
    report = await shop.cycle()
    assert (report.counts.applied, report.discrepancies["altered_by_target"]) == (8, 2)
    for _ in range(2):
        with shop.counting() as counted:
            assert (await shop.cycle()).counts.applied == 0
            audited = await shop.audit(heal=True)
        assert [one for one in counted.writes if "stocksync_" not in one] == []
        assert (audited.cells, audited.healed) == ({"altered_by_target": 2}, 0)
        assert audited.units == {"altered_by_target": Decimal("3.2084")}
    (named,) = [line for line in logs if line["event"] == "altered_by_target"]
    assert named["cells"] == 2
    assert "P-01: 5 → -3, the target made 0 of it" in named["examples"]
    assert (await figures(shop))[1] == "0"
    shop.catalogue.stock_take(1, 1, Decimal(12))
    assert (await shop.cycle()).counts.applied == 1
    assert (await shop.audit()).cells == {"altered_by_target": 1}
    assert (await figures(shop))[1] == "12"


async def test_what_a_trigger_made_of_a_figure_shows_wherever_the_figure_is_shown(on: Opened) -> None:
    shop = await on()
    shop.catalogue.stock_take(1, 1, Decimal(-3))
    await shop.cycle()
    (cell,) = (await explain(shop.account, shop.runtime.state, "P-01"))[0].cells
    assert (cell.desired, cell.sent, cell.acked) == (Decimal(-3), Decimal(-3), Decimal(0))
    assert cell.remark.startswith("altered_by_target: -3 was written, and the target made 0 of it")
    (place,) = (await shop.look_up("P-01")).places
    assert (place.desired, place.sent, place.snapshot, place.target) == (Decimal(-3), Decimal(-3), 0, 0)
    (entry,) = await shop.ledger(1)
    assert (entry.change.after, entry.read_back) == (Decimal(-3), Decimal(0))
    assert (await shop.status()).altered == 1


async def test_what_somebody_edits_over_an_altered_figure_is_put_back_once(on: Opened) -> None:
    shop = await on(drift={"heal": True})
    shop.catalogue.stock_take(1, 1, Decimal(-3))
    await shop.cycle()
    await shop.sql("UPDATE stock SET quantity = 7 WHERE product_id = 1")
    assert (await shop.audit(heal=True)).cells == {"edited_in_target": 1}
    assert (await figures(shop))[1] == "0"
    assert (await shop.audit(heal=True)).cells == {"altered_by_target": 1}


@pytest.mark.parametrize(("server", "column"), [("postgresql", "REAL"), ("mariadb", "FLOAT")])
async def test_a_float_column_is_acknowledged_as_what_it_keeps(
    request: pytest.FixtureRequest, open_shop: Any, server: str, column: str
) -> None:
    shop = await opened(open_shop, request.getfixturevalue(f"{server}_url"), column)
    shop.catalogue.stock_take(1, 1, Decimal("16777217.3"))
    await shop.cycle()
    stands = (await shop.runtime.state.snapshot("main")).cells[Cell(1, "")]
    assert stands.sent == Decimal("16777217.3")
    assert stands.acked == Decimal(16777218 if server == "postgresql" else 16777200)
    assert (await shop.cycle()).counts.applied == 0
    assert (await shop.audit(heal=True)).cells == {"altered_by_target": 1}
    told = " ".join([one.what async for one in check(shop.config) if one.part == "main: target"])
    assert "cannot keep every figure" in told
    assert "altered_by_target: a trigger or the column's type alters 1 figure(s), such as P-01: 16777217.3" in told


@pytest.mark.parametrize(
    ("server", "alter"), [("postgresql", "ALTER COLUMN quantity TYPE"), ("mariadb", "MODIFY quantity")]
)
async def test_a_column_that_is_altered_while_the_daemon_runs_makes_new_desired_figures(
    request: pytest.FixtureRequest, open_shop: Any, server: str, alter: str
) -> None:
    shop = await opened(open_shop, request.getfixturevalue(f"{server}_url"), "NUMERIC(12, 3)")
    shop.catalogue.stock_take(1, 1, Decimal("36.708"))
    await shop.cycle()
    assert (await figures(shop))[1] == "36.708"
    await shop.sql(f"ALTER TABLE stock {alter} INTEGER")
    shop.catalogue.stock_take(2, 1, Decimal("4.9"))
    await shop.cycle()
    assert (await shop.cycle()).counts.applied == 0
    assert [(await figures(shop))[number] for number in (1, 2)] == ["36", "4"]
    await shop.sql(f"ALTER TABLE stock {alter} NUMERIC(12, 3)")
    await shop.cycle()
    assert [(await figures(shop))[number] for number in (1, 2)] == ["36.708", "4.9"]


async def test_a_float_column_that_becomes_exact_gets_its_figures_again(postgresql_url: str, open_shop: Any) -> None:
    shop = await opened(open_shop, postgresql_url, "REAL")
    shop.catalogue.stock_take(1, 1, Decimal("16777217.3"))
    await shop.cycles(2)
    assert (await shop.status()).altered == 1
    await shop.sql("ALTER TABLE stock ALTER COLUMN quantity TYPE NUMERIC(20, 6)")
    await shop.restart()
    assert (await shop.cycle()).counts.applied == 1
    assert ((await figures(shop))[1], (await shop.status()).altered) == ("16777217.3", 0)
