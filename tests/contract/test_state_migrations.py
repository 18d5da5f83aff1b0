import asyncio
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_mock_engine, text

from stocksync.core.guards import Guard
from stocksync.core.held_plan import Decision
from stocksync.core.model import Presence
from stocksync.errors import ConfigurationError, SchemaBehind
from stocksync.sqlengine import open_engine, reading, writing
from stocksync.state.database import open_state
from stocksync.state.migrate import _config, migrate, schema_problem
from stocksync.state.schema import VERSION_TABLE, metadata

KEPT = timedelta(days=90)
CELL_OF_0_1 = (
    "INSERT INTO stocksync_cells (account, product_id, place, parts, source_at, source_cycle, acked, sku, former_sku)"
    """ VALUES ('main', 11, 'MAIN', '{"3":"7.5"}', 1, 'c1', '7.5', 'A', '')"""
)

PRODUCTS_OF_0_1 = (
    "INSERT INTO stocksync_products (account, product_id, sku, name, tracked, page, missing)"
    " VALUES ('main', 11, 'A', '', true, 1, 1), ('main', 12, 'B', '', true, 1, -3),"
    " ('main', 13, 'C', '', true, 1, 1000001)"
)
CYCLES_OF_0_1 = (
    "INSERT INTO stocksync_cycles (account, cycle_id, started_at, complete, total, report)"
    " VALUES ('main', 'c1', 1, true, 7, '{}'), ('main', 'c2', 2, true, 9, '{}'), ('main', 'c3', 3, false, NULL, '{}')"
)
ACCOUNT_OF_0_1 = (
    "INSERT INTO stocksync_accounts (account, owner, epoch, expires_at, failures, last_attempt)"
    " VALUES ('main', '', 1, 0, 0, 3)"
)
PLAN_OF_0_1 = b'{"reasons":{"zeroed":"why"},"changes":[["zeroed",11,"MAIN","A","7.5","0",{"3":"0"},"poll"]]}'
HELD_IN_0_1 = (
    "INSERT INTO stocksync_held_plans (account, plan_id, created_at, plan, decision, decided_by, decided_at)"
    " VALUES ('main', 'p1', 5000000, :plan, 'approved', 'Huda', 6000000)"
)


def _to(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


def differences(connection: Connection) -> list[object]:
    options = {"version_table": VERSION_TABLE, "compare_type": True, "include_object": is_ours}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    return kind != "table" or (name or "").startswith("stocksync_")


async def test_all_migrations_together_make_the_schema(database_url: str) -> None:
    await migrate(database_url)
    engine = open_engine(database_url, "test")
    async with reading(engine) as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_an_absent_schema_is_named_with_the_command_to_type(database_url: str) -> None:
    problem = await schema_problem(database_url)
    assert problem is not None
    assert "no tables" in problem
    assert "stocksync migrate" in problem
    await migrate(database_url)
    assert await schema_problem(database_url) is None
    await migrate(database_url)


async def test_two_who_migrate_at_once_both_succeed(database_url: str) -> None:
    await asyncio.gather(migrate(database_url), migrate(database_url))
    assert await schema_problem(database_url) is None


async def test_many_who_make_one_sqlite_file_at_once_all_succeed(tmp_path: Path) -> None:
    async def look(url: str) -> None:
        engine = open_engine(url, "test", wal=True)
        async with reading(engine) as connection:
            await connection.execute(text("SELECT 1"))
        await engine.dispose()

    for number in range(100):
        await asyncio.gather(*(look(f"sqlite:///{tmp_path}/{number}.db") for _ in range(6)))


async def set_schema(url: str, revision: str) -> None:
    engine = open_engine(url, "test")
    async with writing(engine) as connection:
        await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :to"), {"to": revision})
    await engine.dispose()


async def test_a_schema_from_the_future_is_refused_everywhere(database_url: str) -> None:
    await migrate(database_url)
    await set_schema(database_url, "9999")
    with pytest.raises(SchemaBehind, match="newer stocksync"):
        await open_state(database_url, KEPT)


@pytest.mark.parametrize("database", ["postgresql_url", "mariadb_url"])
async def test_a_server_is_not_migrated_behind_its_operators_back(
    database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(database)
    with pytest.raises(SchemaBehind, match="type: stocksync migrate"):
        await open_state(url, KEPT)


async def test_sqlite_migrates_itself(sqlite_url: str) -> None:
    state = await open_state(sqlite_url, KEPT)
    assert await schema_problem(sqlite_url) is None
    await state.close()


async def test_a_migration_that_was_interrupted_runs_again(mariadb_url: str) -> None:
    await migrate(mariadb_url)
    engine = open_engine(mariadb_url, "test")
    async with writing(engine) as connection:
        await connection.execute(text(f"DELETE FROM {VERSION_TABLE}"))
        await connection.execute(text("DROP TABLE stocksync_quarantine"))
    await engine.dispose()
    await migrate(mariadb_url)
    assert await schema_problem(mariadb_url) is None


async def test_a_place_where_no_file_can_be_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"state\.url: the folder .*nowhere does not exist: mkdir -p"):
        await open_state(f"sqlite:///{tmp_path}/nowhere/state.db", KEPT)
    with pytest.raises(ConfigurationError, match=r"state\.url: .* is a directory; name a file in it"):
        await migrate(f"sqlite:///{tmp_path}")


def test_the_schema_renders_for_mysql_too() -> None:
    statements: list[str] = []
    engine = create_mock_engine(
        "mysql+asyncmy://", lambda ddl, *_a, **_k: statements.append(str(ddl.compile(dialect=engine.dialect)))
    )
    metadata.create_all(engine, checkfirst=False)
    assert any("utf8mb4_0900_bin" in statement for statement in statements)


async def test_a_state_of_the_first_release_keeps_its_data(database_url: str) -> None:
    await migrate(database_url)
    engine = open_engine(database_url, "test")
    async with writing(engine) as connection:
        await connection.run_sync(_to, "0001")
        await connection.execute(text(CELL_OF_0_1.replace(":", "\\:")))
        await connection.execute(text(HELD_IN_0_1), {"plan": zlib.compress(PLAN_OF_0_1)})
        for statement in (PRODUCTS_OF_0_1, CYCLES_OF_0_1, ACCOUNT_OF_0_1):
            await connection.execute(text(statement))
    assert "behind" in (await schema_problem(database_url) or "")
    await migrate(database_url)
    state = await open_state(database_url, KEPT)
    snapshot = await state.snapshot("main")
    (cell,) = snapshot.cells.values()
    assert (cell.acked, cell.sent, cell.asked) == (Decimal("7.5"), None, Decimal("7.5"))
    assert {key: (one.missing, one.presence) for key, one in snapshot.products.items()} == {
        11: (1, Presence.LISTED), 12: (47, Presence.UNLISTED), 13: (2, Presence.UNANSWERED),
    }  # fmt: skip
    assert snapshot.recent_totals == [7, 9]
    (plan,) = await state.held()
    assert (plan.plan_id, plan.created_at, plan.decision) == ("p1", datetime.fromtimestamp(5, UTC), Decision.WAITING)
    assert [(one.change.after, one.guards) for one in plan.changes] == [(Decimal(0), (Guard.ZEROED,))]
    await state.close()
    async with writing(engine) as connection:
        await connection.run_sync(_to, "0001")
        counts = await connection.execute(text("SELECT missing FROM stocksync_products ORDER BY product_id"))
        assert list(counts.scalars()) == [1, -3, 1_000_000]
        attempts = await connection.execute(text("SELECT last_attempt FROM stocksync_accounts"))
        assert list(attempts.scalars()) == [3]
    await engine.dispose()
