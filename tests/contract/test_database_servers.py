import asyncio

import pytest
from servers import Server
from sqlalchemy import text

from stocksync.sqlengine import open_engine, reading


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
