import asyncio

import pytest
from servers import Server
from sqlalchemy import text

from stocksync import sqlengine
from stocksync.sqlengine import by_statement, open_engine, reading, writing


async def test_each_database_answers(database_url: str) -> None:
    engine = open_engine(database_url, "test")
    async with reading(engine) as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar() == 1
    await engine.dispose()


async def test_a_server_that_was_stopped_comes_back_with_its_data(
    postgresql_server: Server, postgresql_url: str
) -> None:
    name = postgresql_url.rsplit("/", 1)[1]
    postgresql_server.sql("CREATE TABLE kept (a int)", name)
    postgresql_server.stop()
    assert not postgresql_server.running
    postgresql_server.start()
    assert postgresql_server.sql("SELECT count(*) FROM kept", name).strip() == "0"


async def test_a_connection_that_the_server_has_cut_is_lent_to_nobody(postgresql_url: str) -> None:
    engine, other = open_engine(postgresql_url, "test"), open_engine(postgresql_url, "test")
    for _ in range(3):
        async with reading(engine) as connection:
            mine = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        async with by_statement(other) as connection:
            await connection.execute(text("SELECT pg_terminate_backend(:mine, 5000)"), {"mine": mine})
        await asyncio.sleep(0)  # what the server said of it is read
        async with by_statement(engine) as connection:
            assert (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one() != mine
    await engine.dispose()
    await other.dispose()


@pytest.mark.parametrize(("idle", "asked"), [(60.0, False), (0.0, True)])
async def test_a_connection_is_asked_whether_it_lives_once_it_has_idled(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch, idle: float, asked: bool
) -> None:
    monkeypatch.setattr(sqlengine, "_TRUSTED_SECONDS", idle)
    engine, other = open_engine(postgresql_url, "test"), open_engine(postgresql_url, "test")
    async with by_statement(engine) as connection:
        mine = (await connection.execute(text("SELECT pg_backend_pid() AS mine"))).scalar_one()
    async with engine.connect(), by_statement(other) as connection:
        last = text("SELECT query FROM pg_stat_activity WHERE pid = :mine")
        query = (await connection.execute(last, {"mine": mine})).scalar_one()
    assert ("AS mine" not in query) == asked
    await engine.dispose()
    await other.dispose()


@pytest.mark.parametrize("usual", ["read uncommitted", "serializable"])
async def test_what_the_server_usually_isolates_by_is_not_ours(
    postgresql_server: Server, postgresql_url: str, usual: str
) -> None:
    postgresql_server.sql(
        f"ALTER DATABASE {postgresql_url.rsplit('/', 1)[1]} SET default_transaction_isolation = '{usual}'"
    )
    engine = open_engine(postgresql_url, "test", connections=1)
    for _ in range(2):
        async with by_statement(engine) as connection:
            await connection.execute(text("SELECT 1"))
        async with writing(engine) as connection:
            assert (await connection.execute(text("SHOW transaction_isolation"))).scalar_one() == "read committed"
    await engine.dispose()


def test_a_server_s_temporary_files_are_out_of_reach_of_its_neighbours(mariadb_server: Server) -> None:
    mariadb_server.start()
    assert mariadb_server.sql("SELECT @@tmpdir").strip() == str(mariadb_server.socket)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_a_frozen_server_answers_nothing_more(kind: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(f"{kind}_server")
    engine = open_engine(request.getfixturevalue(f"{kind}_url"), "test")
    for _ in range(5):
        async with reading(engine) as connection:
            await connection.execute(text("SELECT 1"))
            server.freeze()
            asked = asyncio.ensure_future(connection.execute(text("SELECT 1")))
            answered, _ = await asyncio.wait({asked}, timeout=0.05)
            server.thaw()
            assert not answered
            await asked
    await engine.dispose()
