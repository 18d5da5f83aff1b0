"""A rehearsal does what a cycle will do and leaves nothing: what is refused is named with its cure, nothing else is."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from servers import Server
from sqlalchemy.ext.asyncio import AsyncEngine
from target_sql import run

from stocksync.core.model import Change, Figure, Removal
from stocksync.errors import TargetUnavailable
from stocksync.ports import MADE_UP, Target, Trial
from stocksync.sqlengine import open_engine, writing
from stocksync.targets import OWN_COLUMNS, Columns, Missing, Statements, TargetSettings, open_target

PLACED = Columns("quantity", "product_id", location="place")
TABLE = "CREATE TABLE stock (product_id BIGINT, place VARCHAR(20), quantity INTEGER, PRIMARY KEY (product_id, place))"


def change(product: int, after: Figure, place: str = "MAIN", sku: str = "A") -> Change:
    return Change(product, place, sku, None, after, ())


KNOWN, NEW = change(1, D(9)), change(2, D(8))
INVENTED = replace(change(3, D(1), "OUTLET"), cause=MADE_UP)


@pytest.fixture
async def engine(target_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(target_url, "test")
    yield made
    await made.dispose()


@dataclass(frozen=True)
class Served:
    """A server, somebody's database on it, and an engine of its owner."""

    server: Server
    engine: AsyncEngine

    def clerk(self, grants: str, table: str = "stock") -> AsyncEngine:
        """Give an engine of somebody who has these rights on a table, and no more."""
        database, kind = self.engine.url.database, self.engine.url.get_backend_name()
        if kind == "postgresql":
            known = self.server.sql("SELECT 1 FROM pg_roles WHERE rolname = 'clerk'")
            self.server.sql("DROP OWNED BY clerk" if known else "CREATE USER clerk", database)
            self.server.sql(f"GRANT USAGE ON SCHEMA public TO clerk; GRANT {grants} ON {table} TO clerk", database)
        else:
            self.server.sql(f"CREATE OR REPLACE USER clerk@'%'; GRANT {grants} ON {database}.{table} TO clerk@'%'")
        return open_engine(f"{kind}://clerk@127.0.0.1:{self.server.port}/{database}", "test")


@pytest.fixture(params=["postgresql", "mariadb"])
def somewhere(request: pytest.FixtureRequest) -> tuple[Server, str]:
    return request.getfixturevalue(f"{request.param}_server"), request.getfixturevalue(f"target_{request.param}_url")


@pytest.fixture
async def served(somewhere: tuple[Server, str]) -> AsyncIterator[Served]:
    made = open_engine(somewhere[1], "test")
    yield Served(somewhere[0], made)
    await made.dispose()


@pytest.fixture
async def postgresql(target_postgresql_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(target_postgresql_url, "test")
    yield made
    await made.dispose()


@pytest.fixture
async def mariadb(target_mariadb_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(target_mariadb_url, "test")
    yield made
    await made.dispose()


def target(engine: AsyncEngine, columns: Columns = PLACED, **settings: Any) -> Target:
    given = {"account": "main", "table": "stock", "columns": columns} | settings
    return open_target(TargetSettings(**given), engine, owned=False)


def told(trials: Sequence[Trial], *, blocks: bool = True) -> str:
    return "\n".join(f"{trial.what} → {trial.todo}" for trial in trials if trial.blocks is blocks)


async def test_a_table_that_takes_everything_is_well_and_stays_as_it_was(engine: AsyncEngine) -> None:
    await run(engine, TABLE, "INSERT INTO stock VALUES (1, 'MAIN', 5)")
    gone = replace(change(4, Removal.DELETED), cause=MADE_UP)
    assert await target(engine).rehearse([KNOWN, NEW, INVENTED, gone]) == []
    assert await run(engine, "SELECT * FROM stock") == [(1, "MAIN", 5)]


async def test_a_table_that_is_to_be_made_is_made_and_taken_back(engine: AsyncEngine) -> None:
    own = target(engine, OWN_COLUMNS, create_table=True)
    assert await own.rehearse([KNOWN, INVENTED]) == []
    assert (await own.inspect()).unmade


async def test_a_row_that_a_constraint_refuses_warns_and_all_of_them_fail(engine: AsyncEngine) -> None:
    await run(engine, TABLE.replace("quantity INTEGER", "quantity INTEGER CHECK (quantity < 100)"))
    some = await target(engine).rehearse([KNOWN, change(1, D(500), "OUTLET")])
    assert told(some) == ""
    assert "1 of 2 rows tried would be set aside" in told(some, blocks=False)
    every = await target(engine).rehearse([change(1, D(500)), change(1, D(600), "OUTLET")])
    assert "INSERT would fail" in told(every)


async def test_what_only_a_commit_would_refuse_is_found(postgresql: AsyncEngine) -> None:
    """Django makes its foreign keys DEFERRABLE INITIALLY DEFERRED."""
    await run(
        postgresql,
        "CREATE TABLE items (id BIGINT PRIMARY KEY)",
        TABLE.replace("product_id BIGINT", "product_id BIGINT REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED"),
    )
    assert "INSERT would fail" in told(await target(postgresql).rehearse([KNOWN]))


async def test_a_trigger_that_makes_another_figure_of_ours_is_told_before_the_first_write(
    postgresql: AsyncEngine,
) -> None:
    await run(
        postgresql,
        TABLE,
        "INSERT INTO stock VALUES (1, 'MAIN', 5)",
        "CREATE FUNCTION floors() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.quantity = 0; RETURN NEW; END$$",
        "CREATE TRIGGER floors BEFORE UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION floors()",
    )
    trials = await target(postgresql).rehearse([KNOWN, NEW])
    assert told(trials) == ""
    assert "A @ MAIN: nothing → 9: the target makes 0 of it" in told(trials, blocks=False)


SIGNAL = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'frozen until noon'"
REFUSES_UPDATES = {
    "sqlite": ("CREATE TRIGGER frozen BEFORE UPDATE ON stock BEGIN SELECT RAISE(ABORT, 'frozen until noon'); END",),
    "mariadb": ("CREATE TRIGGER frozen BEFORE UPDATE ON stock FOR EACH ROW " + SIGNAL,),
    "postgresql": (
        "CREATE FUNCTION frozen() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'frozen until noon'; END$$",
        "CREATE TRIGGER frozen BEFORE UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION frozen()",
    ),
}


@pytest.mark.parametrize("stands", [0, 1])
async def test_a_trigger_that_refuses_each_update_fails_though_hardly_a_row_is_there(
    engine: AsyncEngine, stands: int
) -> None:
    rows = ["INSERT INTO stock VALUES (1, 'MAIN', 5)"][:stands]
    await run(engine, TABLE, *rows, *REFUSES_UPDATES[engine.url.get_backend_name()])
    trials = await target(engine).rehearse([KNOWN, NEW, change(3, D(7))])
    assert "UPDATE would fail: frozen until noon" in told(trials)
    assert await run(engine, "SELECT COUNT(*) FROM stock") == [(stands,)]


async def test_a_policy_that_lets_nobody_write_is_told_with_the_policy(
    postgresql_server: Server, postgresql: AsyncEngine
) -> None:
    await run(
        postgresql,
        TABLE,
        "ALTER TABLE stock ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY seen ON stock FOR SELECT USING (true)",
    )
    clerk = Served(postgresql_server, postgresql).clerk("ALL")
    refused = told(await target(clerk).rehearse([KNOWN, NEW]))
    assert "INSERT would fail" in refused
    assert "CREATE POLICY stocksync ON stock FOR INSERT TO clerk WITH CHECK (true)" in refused
    assert "GRANT" not in refused
    await clerk.dispose()


async def test_what_only_a_made_up_row_meets_is_no_refusal(engine: AsyncEngine) -> None:
    await run(
        engine,
        "CREATE TABLE items (id BIGINT PRIMARY KEY)",
        "INSERT INTO items VALUES (1)",
        "CREATE TABLE stock (product_id BIGINT, place VARCHAR(20), quantity INTEGER, sku VARCHAR(9) UNIQUE,"
        " PRIMARY KEY (product_id, place), FOREIGN KEY (product_id) REFERENCES items (id))",
        "INSERT INTO stock VALUES (1, 'MAIN', 5, 'A')",
    )
    columns = replace(PLACED, sku="sku")
    assert await target(engine, columns).rehearse([KNOWN, INVENTED]) == []
    one = await target(engine, columns).rehearse([KNOWN, change(2, D(1), sku="B")])
    assert told(one) == ""
    assert "1 of 1 rows tried would be set aside" in told(one, blocks=False)
    every = told(await target(engine, columns).rehearse([KNOWN, change(2, D(1), sku="B"), change(3, D(1), sku="C")]))
    assert "INSERT would fail" in every
    assert "make the rows it refers to first" in every


async def test_each_place_is_held_against_its_column(engine: AsyncEngine) -> None:
    await run(engine, TABLE.replace("place VARCHAR(20)", "place INTEGER"))
    trials = await target(engine).rehearse([KNOWN, change(1, D(1), "OUTLET"), change(1, D(1), "7")])
    assert "no figure of 'MAIN' can be written: column 'place'" in told(trials)
    assert "no figure of 'OUTLET' can be written" in told(trials)
    assert "no figure of '7'" not in told(trials)
    assert "locations.map" in told(trials)


async def test_several_rows_of_one_key_are_counted(engine: AsyncEngine) -> None:
    await run(
        engine,
        "CREATE TABLE stock (product_id BIGINT, place VARCHAR(20), quantity INTEGER)",
        "INSERT INTO stock VALUES (1, 'MAIN', 5), (1, 'MAIN', 6)",
    )
    assert "1 of 2 figures tried" in told(await target(engine).rehearse([KNOWN, NEW]), blocks=False)


async def test_a_table_without_any_of_the_rows_is_told_where_none_is_made(engine: AsyncEngine) -> None:
    await run(engine, TABLE)
    trials = await target(engine, missing=Missing.SKIP).rehearse([KNOWN, NEW])
    assert "no row for any of the 2 figures" in told(trials, blocks=False)


async def test_column_grants_that_suffice_raise_no_alarm(served: Served) -> None:
    grants = "SELECT, UPDATE (quantity), INSERT (product_id, place, quantity)"
    await run(served.engine, TABLE, "INSERT INTO stock VALUES (1, 'MAIN', 5)")
    clerk = served.clerk(grants)
    assert await target(clerk).rehearse([KNOWN, NEW]) == []
    await clerk.dispose()


async def test_a_table_that_may_not_be_made_fails_with_the_grant(served: Served) -> None:
    await run(served.engine, "CREATE TABLE other (a INTEGER)")
    clerk = served.clerk("SELECT", "other" if served.engine.dialect.name == "postgresql" else "*")
    refused = told(await target(clerk, OWN_COLUMNS, create_table=True).rehearse([KNOWN]))
    assert "CREATE TABLE would fail" in refused
    assert "GRANT CREATE ON" in refused
    await clerk.dispose()


async def test_a_sequence_that_we_may_not_use_fails_with_the_grant(
    postgresql_server: Server, postgresql: AsyncEngine
) -> None:
    await run(postgresql, TABLE.replace("(product_id", "(id SERIAL, product_id", 1))
    clerk = Served(postgresql_server, postgresql).clerk("SELECT, UPDATE, INSERT")
    refused = told(await target(clerk).rehearse([KNOWN]))
    assert "permission denied for sequence stock_id_seq" in refused
    assert "GRANT USAGE ON SEQUENCE stock_id_seq TO" in refused
    await clerk.dispose()


async def test_a_session_that_may_only_read_is_told(served: Served) -> None:
    await run(served.engine, TABLE, "INSERT INTO stock VALUES (1, 'MAIN', 5)")
    server, database = served.server, served.engine.url.database
    on_postgresql = served.engine.dialect.name == "postgresql"
    on_database = f"ALTER DATABASE {database} SET default_transaction_read_only ="
    setting = on_database if on_postgresql else "SET GLOBAL read_only ="
    clerk = served.clerk("SELECT, UPDATE, INSERT")
    server.sql(f"{setting} 1")
    try:
        with pytest.raises(TargetUnavailable, match="takes no writes"):
            await target(clerk).rehearse([KNOWN])
    finally:
        server.sql(f"SET default_transaction_read_only = off; {setting} 0" if on_postgresql else f"{setting} 0")
        await clerk.dispose()


async def test_a_row_that_another_holds_warns_and_is_not_waited_for(postgresql: AsyncEngine) -> None:
    await run(postgresql, TABLE, "INSERT INTO stock VALUES (1, 'MAIN', 5)")
    async with writing(postgresql) as connection:
        await connection.exec_driver_sql("UPDATE stock SET quantity = 6")
        trials = await target(postgresql).rehearse([KNOWN])
    assert told(trials) == ""
    assert "waited in vain" in told(trials, blocks=False)


@pytest.mark.parametrize("of", ["table", "trigger", "statement"])
async def test_where_mariadb_keeps_what_is_rolled_back_nothing_is_tried(mariadb: AsyncEngine, of: str) -> None:
    """MyISAM knows no transactions: a rehearsed row would stay, in the table itself or where a trigger writes."""
    kept = " ENGINE=MyISAM" if of == "table" else ""
    await run(mariadb, TABLE + kept, "CREATE TABLE noted (product_id BIGINT) ENGINE=MyISAM")
    await run(mariadb, "CREATE TRIGGER note AFTER INSERT ON stock FOR EACH ROW INSERT INTO noted VALUES (1)")
    write = "INSERT INTO stock VALUES (:product_id, :location, :quantity)"
    statements = Statements(write, "SELECT quantity FROM stock") if of == "statement" else None
    assert await target(mariadb, statements=statements).rehearse([KNOWN, NEW]) == []
    assert await run(mariadb, "SELECT product_id FROM stock UNION ALL SELECT product_id FROM noted") == []


@pytest.mark.parametrize("capabilities", ["table", "statement"])
async def test_rights_are_asked_for_where_nothing_may_be_tried(
    mariadb: AsyncEngine, mariadb_server: Server, capabilities: str
) -> None:
    await run(mariadb, TABLE + " ENGINE=MyISAM")
    clerk = Served(mariadb_server, mariadb).clerk("SELECT")
    write = "INSERT INTO stock VALUES (:product_id, :location, :quantity)"
    statements = Statements(write, "SELECT quantity FROM stock") if capabilities == "statement" else None
    assert "INSERT command denied" in told(await target(clerk, statements=statements).rehearse([KNOWN]))
    await clerk.dispose()


async def test_own_statements_are_run_and_taken_back(engine: AsyncEngine) -> None:
    await run(engine, TABLE, "INSERT INTO stock VALUES (1, 'MAIN', 5)")
    write = "UPDATE stock SET quantity = :quantity WHERE product_id = :product_id AND place = :location"
    read = "SELECT quantity FROM stock WHERE product_id = :product_id AND place = :location"
    ready = target(engine, statements=Statements(write, read))
    assert await ready.rehearse([KNOWN, INVENTED]) == []
    assert "finds no row for 1 of 2 figures" in told(await ready.rehearse([KNOWN, NEW]), blocks=False)
    assert await run(engine, "SELECT quantity FROM stock") == [(5,)]


@pytest.mark.parametrize("name", ["write", "read", "deactivate"])
async def test_a_misspelt_statement_fails_under_its_name(engine: AsyncEngine, name: str) -> None:
    await run(engine, TABLE)
    right = {
        "write": "UPDATE stock SET quantity = :quantity WHERE product_id = :product_id AND place = :location",
        "read": "SELECT quantity FROM stock WHERE product_id = :product_id AND place = :location",
        "deactivate": "UPDATE stock SET quantity = 0 WHERE product_id = :product_id AND place = :location",
    }
    wrong = right | {name: right[name].replace("stock", "stok")}
    gone = replace(change(4, Removal.DEACTIVATED), cause=MADE_UP)
    refused = told(await target(engine, statements=Statements(**wrong)).rehearse([KNOWN, gone]))
    assert f"`{name}` would fail" in refused
    assert "stok" in refused
    assert "accounts.main.target.statements" in refused


async def test_read_is_said_to_be_wanted_in_one_voice(engine: AsyncEngine) -> None:
    await run(engine, TABLE, "INSERT INTO stock VALUES (1, 'MAIN', 5)")
    write = "UPDATE stock SET quantity = :quantity WHERE product_id = :product_id AND place = :location"
    without = target(engine, statements=Statements(write))
    trials = await without.rehearse([KNOWN])
    assert told(trials) == ""
    assert "without a `read` statement" in told(trials, blocks=False)
    assert (await without.inspect()).notes == ()


async def test_a_parameter_may_be_cast_as_postgresql_does(postgresql: AsyncEngine) -> None:
    await run(postgresql, TABLE.replace("place VARCHAR(20)", "place INTEGER"), "INSERT INTO stock VALUES (1, 3, 5)")
    write = "UPDATE stock SET quantity = :quantity::int WHERE product_id = :product_id AND place = :location::int"
    read = "SELECT quantity FROM stock WHERE product_id = :product_id AND place = :location::integer"
    ready = target(postgresql, statements=Statements(write, read))
    assert await ready.rehearse([change(1, D(7), "3")]) == []
    assert "`write` would fail" in told(await ready.rehearse([change(1, D(7), "MAIN")]))


async def test_a_parameter_of_another_type_fails_with_the_cast(engine: AsyncEngine) -> None:
    await run(engine, TABLE.replace("place VARCHAR(20)", "place INTEGER"), "INSERT INTO stock VALUES (1, 3, 5)")
    on_postgresql = engine.url.get_backend_name() == "postgresql"
    where = "WHERE product_id = :product_id AND place = " + (":location" if on_postgresql else ":location::int")
    own = Statements(f"UPDATE stock SET quantity = :quantity {where}", f"SELECT quantity FROM stock {where}")
    refused = told(await target(engine, statements=own).rehearse([change(1, D(7), "3")]))
    assert ("cast the parameter" if on_postgresql else "elsewhere it is CAST(:location AS INTEGER)") in refused


async def test_a_sqlite_file_of_somebody_else_keeps_its_journal(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'shop.db'}", "test")
    await run(engine, TABLE)
    assert await target(engine).rehearse([KNOWN]) == []
    assert await run(engine, "PRAGMA journal_mode") == [("delete",)]
    await engine.dispose()
