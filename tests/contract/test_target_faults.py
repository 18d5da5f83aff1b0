"""What a target does when its database says no, goes away, or waits for us too long."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal as D

import pytest
from servers import LOCK_WAITS_SECONDS, Server, lock_waits
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from stocksync.core.model import Cell, Change, RowLocator
from stocksync.errors import ConfigurationError, RowsLocked, RowsRefused, TargetUnavailable
from stocksync.ports import Target
from stocksync.sqlengine import open_engine, writing
from stocksync.targets import Columns, Statements, TargetSettings, Timeouts, open_target

COLUMNS = Columns("quantity", "product_id")
DDL = "CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity NUMERIC(20, 4))"
SHORT = Timeouts(timedelta(seconds=1), lock=timedelta(seconds=1), statement=timedelta(seconds=5))
BOTH = [Change(1, "", "A", D(1), D(10), ()), Change(2, "", "B", D(1), D(20), ())]

NEW = Change(3, "", "C", None, D(30), ())


async def agree() -> None:
    return


@pytest.fixture(params=["postgresql", "mariadb"])
def server_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"target_{request.param}_url")
    return url


@pytest.fixture
async def engine(server_url: str) -> AsyncIterator[AsyncEngine]:
    made = await _with_table(server_url)
    yield made
    await made.dispose()


async def _with_table(url: str) -> AsyncEngine:
    made = open_engine(url, "test")
    async with writing(made) as connection:
        await connection.execute(text(DDL))
        await connection.execute(text("INSERT INTO stock VALUES (1, 1), (2, 1)"))
    return made


def _target(engine: AsyncEngine) -> Target:
    settings = TargetSettings("main", "stock", COLUMNS, patience=SHORT)
    return open_target(settings, engine, owned=False)


async def _quantities(engine: AsyncEngine) -> dict[int, D]:
    async with writing(engine) as connection:
        return {int(key): D(value) for key, value in await connection.execute(text("SELECT * FROM stock"))}


async def _session_id(connection: AsyncConnection) -> int:
    own = "pg_backend_pid()" if connection.dialect.name == "postgresql" else "connection_id()"
    return int((await connection.execute(text(f"SELECT {own}"))).scalar_one())


async def _set(connection: AsyncConnection, product: int, quantity: int) -> None:
    await connection.execute(text(f"UPDATE stock SET quantity = {quantity} WHERE product_id = {product}"))


async def _end_all_others(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            )
            return
        own = await _session_id(connection)
        listing = text("SELECT id FROM information_schema.processlist WHERE db = DATABASE()")
        for other in (await connection.execute(listing)).scalars().all():
            if other != own:
                await connection.execute(text(f"KILL {other}"))


async def test_a_deadlock_is_tried_again(engine: AsyncEngine) -> None:
    """Ours holds 1 and wants 2; theirs holds 2 and wants 1. Both databases send ours away: it has changed least."""
    await _hurry_deadlocks(engine)
    target = _target(engine)
    await target.inspect()
    fenced: list[asyncio.Event] = [asyncio.Event()]

    async def fence() -> None:
        fenced[-1].set()
        fenced.append(asyncio.Event())

    async with engine.connect() as other:
        await _set(other, 2, 7)
        ours = asyncio.ensure_future(target.write(BOTH, fence))
        await fenced[0].wait()
        await asyncio.sleep(0.1)  # until ours waits for row 2 with row 1 locked: nothing tells that from outside
        await _set(other, 1, 7)
        await other.commit()
    assert len((await ours).applied) == 2
    assert len(fenced) > 2, "it was tried once, so there was no deadlock"
    assert await _quantities(engine) == {1: D(10), 2: D(20)}


async def _hurry_deadlocks(engine: AsyncEngine) -> None:
    if engine.dialect.name == "postgresql":
        async with writing(engine) as connection:
            database = (await connection.execute(text("SELECT current_database()"))).scalar_one()
            await connection.execute(text(f"ALTER DATABASE {database} SET deadlock_timeout = '200ms'"))
        await engine.dispose()


async def test_a_row_locked_for_long_is_not_waited_for_without_end(engine: AsyncEngine) -> None:
    target = _target(engine)
    await target.inspect()
    async with engine.connect() as other:
        await _set(other, 2, 7)
        with pytest.raises(TargetUnavailable):
            await target.write(BOTH, agree)
        await other.rollback()
    assert await _quantities(engine) == {1: D(1), 2: D(1)}
    assert len((await target.write(BOTH, agree)).applied) == 2


async def test_a_row_that_another_transaction_holds_waits_and_the_others_are_written(engine: AsyncEngine) -> None:
    settings = TargetSettings("main", "stock", COLUMNS, patience=Timeouts(lock=timedelta(seconds=3)))
    target = open_target(settings, engine, owned=False)
    await target.inspect()
    async with engine.connect() as other:
        session = await _session_id(other)
        await _set(other, 2, 7)
        written = await target.write(BOTH, agree, patient=False)
        assert (written.applied, written.waiting) == (BOTH[:1], BOTH[1:])
        with pytest.raises(RowsLocked, match=f"waits for session {session} of .*idle in transaction for"):
            await target.write(BOTH[1:], agree)
        await other.rollback()
    assert await _quantities(engine) == {1: D(10), 2: D(1)}
    assert len((await target.write(BOTH, agree)).applied) == 2


async def test_a_row_that_is_free_again_is_written_by_who_waited_for_it(engine: AsyncEngine, server_url: str) -> None:
    target = _target(engine)
    await target.inspect()
    async with engine.connect() as other:
        await _set(other, 2, 7)
        ours = asyncio.ensure_future(target.write(BOTH, agree))
        await _until_it_waits(engine, server_url)
        await other.commit()
        assert (await ours).applied == BOTH
    assert await _quantities(engine) == {1: D(10), 2: D(20)}


async def test_a_new_key_that_another_transaction_is_inserting_is_waited_for_briefly(engine: AsyncEngine) -> None:
    target = _target(engine)
    await target.inspect()
    async with engine.connect() as other:
        await other.execute(text("INSERT INTO stock VALUES (3, 7)"))
        with pytest.raises(RowsLocked):
            await target.write([*BOTH, Change(3, "", "C", None, D(30), ())], agree, patient=False)
        await other.rollback()
    assert await _quantities(engine) == {1: D(1), 2: D(1)}


async def test_a_table_that_somebody_alters_is_waited_for_no_longer_than_a_row(engine: AsyncEngine) -> None:
    """MariaDB waits a day for it: until our statement's time was over the whole batch was halved, again and again."""
    postgresql = engine.dialect.name == "postgresql"
    target = _target(engine)
    await target.inspect()
    async with engine.connect() as other:
        everything = "LOCK TABLE stock IN ACCESS EXCLUSIVE MODE" if postgresql else "LOCK TABLES stock WRITE"
        await other.exec_driver_sql(everything)
        for attempt in (target.read([RowLocator(1, "A", "")]), target.write(BOTH, agree)):
            with pytest.raises(RowsLocked, match=r"holds the row or the table|waits for session"):
                await attempt
        await other.exec_driver_sql("ROLLBACK" if postgresql else "UNLOCK TABLES")
    assert len((await target.write(BOTH, agree)).applied) == 2


async def test_a_deferred_trigger_that_alters_rows_at_the_commit_is_read_back(target_postgresql_url: str) -> None:
    engine = await _with_table(target_postgresql_url)
    async with writing(engine) as connection:
        body = "UPDATE stock SET quantity = 0 WHERE product_id = NEW.product_id AND quantity > 15; RETURN NULL;"
        for statement in (
            f"CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$",
            (
                "CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON stock DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION late()"
            ),
        ):
            await connection.exec_driver_sql(statement)
    for written in (await _target(engine).write(BOTH, agree), await _own_target(engine).write(BOTH, agree)):
        assert (written.applied, written.altered) == (BOTH, {Cell(2, ""): D(0)})
    assert await _quantities(engine) == {1: D(10), 2: D(0)}
    await engine.dispose()


def _own_target(engine: AsyncEngine) -> Target:
    write = "UPDATE stock SET quantity = :quantity WHERE product_id = :product_id"
    own = Statements(write, "SELECT quantity FROM stock WHERE product_id = :product_id")
    return open_target(TargetSettings("main", statements=own, patience=SHORT), engine, owned=False)


async def _until_it_waits(engine: AsyncEngine, url: str) -> None:
    while True:
        async with engine.connect() as connection:
            if (await connection.execute(text(lock_waits(url, "stock")))).scalar():
                return
        await asyncio.sleep(LOCK_WAITS_SECONDS)


async def test_a_connection_that_is_cut_amid_a_batch_leaves_nothing_and_the_next_batch_goes_through(
    engine: AsyncEngine, server_url: str
) -> None:
    target = _target(engine)
    await target.inspect()
    killer = open_engine(server_url, "test")

    async def cut() -> None:
        await _end_all_others(killer)

    with pytest.raises(TargetUnavailable):
        await target.write(BOTH, cut)
    await killer.dispose()
    assert await _quantities(engine) == {1: D(1), 2: D(1)}
    assert len((await target.write(BOTH, agree)).applied) == 2
    assert await _quantities(engine) == {1: D(10), 2: D(20)}


async def test_a_writer_that_pauses_is_rolled_back_by_the_server(engine: AsyncEngine) -> None:
    target = _target(engine)
    await target.inspect()

    async def pause() -> None:
        await asyncio.sleep(SHORT.pause.total_seconds() * 1.5)

    with pytest.raises(TargetUnavailable):
        await target.write(BOTH, pause)
    assert await _quantities(engine) == {1: D(1), 2: D(1)}
    assert len((await target.write(BOTH, agree)).applied) == 2


async def test_after_a_long_wait_the_fence_is_asked_again(engine: AsyncEngine) -> None:
    target = _target(engine)
    await target.inspect()
    asked = []

    async def fence() -> None:
        asked.append(1)
        if len(asked) > 1:
            raise TargetUnavailable("the lease is another's by now")

    async with engine.connect() as other:
        await _set(other, 1, 1)
        ours = asyncio.ensure_future(target.write(BOTH, fence))
        await asyncio.sleep(SHORT.pause.total_seconds() * 0.7)
        await other.rollback()
        with pytest.raises(TargetUnavailable, match="another's"):
            await ours
    assert await _quantities(engine) == {1: D(1), 2: D(1)}


async def test_a_row_inserted_by_another_meanwhile_is_updated(engine: AsyncEngine) -> None:
    target = _target(engine)
    await target.inspect()
    async with engine.connect() as other:
        await other.execute(text("INSERT INTO stock VALUES (3, 7)"))
        fenced = asyncio.Event()

        async def fence() -> None:
            fenced.set()

        ours = asyncio.ensure_future(target.write([Change(3, "", "C", None, D(30), ())], fence))
        await fenced.wait()
        await asyncio.sleep(0.1)
        await other.commit()
        assert len((await ours).applied) == 1
    assert (await _quantities(engine))[3] == D(30)


async def test_a_stopped_server_is_unavailable_and_found_again(postgresql_server: Server, postgresql_url: str) -> None:
    engine = await _with_table(postgresql_url)
    target = _target(engine)
    await target.inspect()
    postgresql_server.stop()
    for attempt in (target.write(BOTH, agree), target.read([RowLocator(1, "A", "")]), target.inspect()):
        with pytest.raises(TargetUnavailable):
            await attempt
    postgresql_server.start()
    assert len((await target.write(BOTH, agree)).applied) == 2
    await engine.dispose()


async def test_a_table_dropped_meanwhile_is_named_and_found_again(engine: AsyncEngine) -> None:
    target = _target(engine)
    await target.inspect()
    async with writing(engine) as connection:
        await connection.execute(text("ALTER TABLE stock RENAME TO other"))
    with pytest.raises(ConfigurationError, match="stock"):
        await target.write(BOTH, agree)
    with pytest.raises(ConfigurationError, match=r"there is no table 'stock'.*other"):
        await target.write(BOTH, agree)
    async with writing(engine) as connection:
        await connection.execute(text("ALTER TABLE other RENAME TO stock"))
    assert len((await target.write(BOTH, agree)).applied) == 2


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_a_revoked_right_is_told_beforehand_and_mended_without_a_restart(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(f"{kind}_server")
    url: str = request.getfixturevalue(f"{kind}_url")
    name = url.rsplit("/", 1)[1]
    await (await _with_table(url)).dispose()
    shop, grant = _shopkeeper(kind, server, name)
    engine = open_engine(f"{url.split('://', maxsplit=1)[0]}://{shop}:secret@127.0.0.1:{server.port}/{name}", "test")
    target = _target(engine)
    refused = await target.rehearse([*BOTH, NEW])
    assert all(trial.blocks for trial in refused)
    told = " ".join(f"{trial.what} → {trial.todo}" for trial in refused)
    assert re.search(r"UPDATE.* would fail.*INSERT.* would fail|UPDATE, INSERT would fail", told)
    assert re.search(r"GRANT .*UPDATE.* ON stock TO shop_", told)
    with pytest.raises(TargetUnavailable, match="refuses"):
        await target.write(BOTH, agree)
    server.sql(grant, name)
    assert await target.rehearse([*BOTH, NEW]) == []
    assert len((await target.write(BOTH, agree)).applied) == 2
    await engine.dispose()


def _shopkeeper(kind: str, server: Server, name: str) -> tuple[str, str]:
    user = f"shop_{name}"
    if kind == "postgresql":
        server.sql(f"CREATE USER {user} PASSWORD 'secret'; GRANT SELECT ON stock TO {user}", name)
        return user, f"GRANT UPDATE, INSERT ON stock TO {user}"
    server.sql(f"CREATE USER {user}@'%' IDENTIFIED BY 'secret'; GRANT SELECT ON {name}.stock TO {user}@'%'")
    return user, f"GRANT UPDATE, INSERT ON {name}.stock TO {user}@'%'"


async def test_a_wrong_password_is_no_crash(mariadb_server: Server, mariadb_url: str) -> None:
    engine = open_engine(mariadb_url.replace("root@", "nobody:wrong@"), "test")
    with pytest.raises(TargetUnavailable, match="nobody"):
        await _target(engine).inspect()
    await engine.dispose()


async def test_a_missing_database_is_named(postgresql_url: str) -> None:
    engine = open_engine(f"{postgresql_url}_gone", "test")
    with pytest.raises((TargetUnavailable, ConfigurationError), match="_gone"):
        await _target(engine).inspect()
    await engine.dispose()


async def test_a_locked_sqlite_file_is_unavailable_for_now(sqlite_url: str) -> None:
    engine = await _with_table(sqlite_url)
    event.listen(engine.sync_engine, "checkout", lambda raw, *_: raw.execute("PRAGMA busy_timeout = 50").close())
    target = _target(engine)
    await target.inspect()
    other = open_engine(sqlite_url, "test")
    async with writing(other) as connection:
        await connection.execute(text("UPDATE stock SET quantity = 3"))
        assert (await target.read([RowLocator(1, "A", "")]))[Cell(1, "")].quantity == D(1)
        with pytest.raises(TargetUnavailable, match="locked"):
            await target.write(BOTH, agree)
    assert len((await target.write(BOTH, agree)).applied) == 2
    await other.dispose()
    await engine.dispose()


REFUSES = """
CREATE FUNCTION few() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.quantity > 15 THEN RAISE EXCEPTION 'too many'; END IF; RETURN NEW; END $$
"""
GUARDS = {
    "postgresql": (REFUSES, "CREATE TRIGGER few BEFORE UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION few()"),
    "mysql": ("""CREATE TRIGGER few BEFORE UPDATE ON stock FOR EACH ROW
        IF NEW.quantity > 15 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'too many'; END IF""",),
    "sqlite": ("""CREATE TRIGGER few BEFORE UPDATE ON stock WHEN NEW.quantity > 15
        BEGIN SELECT RAISE(ABORT, 'too many'); END""",),
}  # fmt: skip


async def test_what_a_trigger_refuses_is_the_row_s_fault_and_not_the_target_s(target_url: str) -> None:
    engine = await _with_table(target_url)
    async with writing(engine) as connection:
        for statement in GUARDS[engine.dialect.name.replace("mariadb", "mysql")]:
            await connection.exec_driver_sql(statement)
    target = _target(engine)
    with pytest.raises(RowsRefused, match="too many"):
        await target.write(BOTH, agree)
    assert await _quantities(engine) == {1: D(1), 2: D(1)}
    assert (await target.write(BOTH[:1], agree)).applied == BOTH[:1]
    await engine.dispose()


async def test_a_rule_that_writes_nothing_is_named_and_never_acknowledged_as_written(postgresql_url: str) -> None:
    engine = await _with_table(postgresql_url)
    async with writing(engine) as connection:
        for event in ("UPDATE", "INSERT"):
            where = "WHERE NEW.product_id <> 2"
            await connection.exec_driver_sql(
                f"CREATE RULE no_{event} AS ON {event} TO stock {where} DO INSTEAD NOTHING"
            )
    target = _target(engine)
    written = await target.write(BOTH, agree)
    assert (written.applied, written.altered) == (BOTH, {Cell(1, ""): D(1)})
    with pytest.raises(RowsRefused, match="not to be seen there afterwards"):
        await target.write([NEW], agree)
    await engine.dispose()


async def test_a_row_that_vanishes_amid_a_batch_takes_the_batch_back(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url, "test")
    async with writing(engine) as connection:
        await connection.exec_driver_sql("CREATE TABLE stock (product_id BIGINT, quantity NUMERIC, stamp TEXT)")
        await connection.exec_driver_sql("INSERT INTO stock VALUES (1, 1, NULL)")
        await connection.exec_driver_sql(
            "CREATE TRIGGER moves AFTER INSERT ON stock BEGIN"
            " UPDATE stock SET product_id = -NEW.product_id WHERE rowid = NEW.rowid; END"
        )
    columns = Columns("quantity", "product_id", updated_at="stamp")
    target = open_target(TargetSettings("main", "stock", columns, patience=SHORT), engine, owned=False)
    with pytest.raises(RowsRefused, match="not to be seen there afterwards"):
        await target.write([BOTH[0], NEW], agree)
    async with writing(engine) as connection:
        assert (await connection.exec_driver_sql("SELECT * FROM stock")).all() == [(1, 1, None)]
    await engine.dispose()


INSTEAD = {
    "postgresql": (
        "CREATE VIEW shown AS SELECT product_id, sum(quantity) AS quantity FROM stock GROUP BY product_id",
        (
            "CREATE FUNCTION puts() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF TG_OP = 'UPDATE' THEN UPDATE stock"
            " SET quantity = NEW.quantity WHERE product_id = OLD.product_id; ELSE INSERT INTO stock"
            " VALUES (NEW.product_id, NEW.quantity); END IF; RETURN NEW; END$$"
        ),
        "CREATE TRIGGER puts INSTEAD OF INSERT OR UPDATE ON shown FOR EACH ROW EXECUTE FUNCTION puts()",
    ),
    "sqlite": (
        "CREATE VIEW shown AS SELECT product_id, sum(quantity) AS quantity FROM stock GROUP BY product_id",
        (
            "CREATE TRIGGER puts INSTEAD OF UPDATE ON shown BEGIN UPDATE stock SET quantity = NEW.quantity"
            " WHERE product_id = OLD.product_id; END"
        ),
        (
            "CREATE TRIGGER adds INSTEAD OF INSERT ON shown BEGIN INSERT INTO stock"
            " VALUES (NEW.product_id, NEW.quantity); END"
        ),
    ),
}


@pytest.mark.parametrize("kind", INSTEAD)
async def test_a_view_that_only_triggers_can_write_is_written_through_them(
    kind: str, request: pytest.FixtureRequest
) -> None:
    engine = await _with_table(request.getfixturevalue(f"target_{kind}_url"))
    async with writing(engine) as connection:
        for statement in INSTEAD[kind]:
            await connection.exec_driver_sql(statement)
    target = open_target(TargetSettings("main", "shown", COLUMNS, patience=SHORT), engine, owned=False)
    every = [*BOTH, NEW]
    assert (await target.write(every, agree)).applied == every
    assert await _quantities(engine) == {1: D(10), 2: D(20), 3: D(30)}
    await engine.dispose()


MOVES = {
    "postgresql": (
        (
            "CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN NEW.product_id = NEW.product_id + 100; RETURN NEW; END$$"
        ),
        "CREATE TRIGGER moves BEFORE UPDATE ON stock FOR EACH ROW WHEN (OLD.product_id = 2) EXECUTE FUNCTION moves()",
    ),
    "mysql": (
        (
            "CREATE TRIGGER moves BEFORE UPDATE ON stock FOR EACH ROW"
            " SET NEW.product_id = NEW.product_id + IF(OLD.product_id = 2, 100, 0)"
        ),
    ),
    "sqlite": (
        (
            "CREATE TRIGGER moves AFTER UPDATE ON stock WHEN OLD.product_id = 2"
            " BEGIN UPDATE stock SET product_id = 102 WHERE product_id = 2; END"
        ),
    ),
}


async def test_a_row_that_a_trigger_gives_another_key_is_taken_back_and_not_made_again_and_again(
    target_url: str,
) -> None:
    engine = await _with_table(target_url)
    async with writing(engine) as connection:
        for statement in MOVES[engine.dialect.name.replace("mariadb", "mysql")]:
            await connection.exec_driver_sql(statement)
    target = _target(engine)
    for _ in range(2):
        with pytest.raises(RowsRefused, match="no such row is there afterwards"):
            await target.write(BOTH, agree)
    assert await _quantities(engine) == {1: D(1), 2: D(1)}
    assert (await target.write(BOTH[:1], agree)).applied == BOTH[:1]
    await engine.dispose()


@pytest.mark.parametrize("joined", [False, True])
async def test_a_trigger_of_sqlite_that_rolls_everything_back_is_quoted_and_nothing_follows(
    sqlite_url: str, *, joined: bool
) -> None:
    """RAISE(ROLLBACK) ends the transaction: what came after it would be committed at once, and by nobody's leave."""
    engine = await _with_table(sqlite_url)
    guard = "WHEN NEW.sku = 'no' BEGIN SELECT RAISE(ROLLBACK, 'not that one'); END"
    for statement in ("ALTER TABLE stock ADD sku TEXT", f"CREATE TRIGGER no BEFORE UPDATE ON stock {guard}"):
        async with writing(engine) as connection:
            await connection.exec_driver_sql(statement)
    target = open_target(TargetSettings("main", "stock", Columns("quantity", "product_id", "sku")), engine, owned=False)
    refused = Change(1, "", "no", D(1), D(10), ())

    async def write() -> None:
        if not joined:
            await target.write([refused], agree)
            return
        async with writing(engine) as connection:
            await target.write([refused], agree, _Joined(connection))

    with pytest.raises(RowsRefused, match="not that one"):
        await write()
    async with writing(engine) as connection:
        assert (await connection.execute(text("SELECT quantity FROM stock"))).scalars().all() == [1, 1]
    await engine.dispose()


async def test_a_batch_joins_a_transaction_and_goes_with_it(target_url: str) -> None:
    engine = await _with_table(target_url)
    target = _target(engine)
    for kept in (False, True):
        async with engine.connect() as connection:
            outer = await connection.begin()
            assert len((await target.write(BOTH, agree, _Joined(connection))).applied) == 2
            await (outer.commit() if kept else outer.rollback())
        assert await _quantities(engine) == ({1: D(10), 2: D(20)} if kept else {1: D(1), 2: D(1)})
    await engine.dispose()


class _Joined:
    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection


async def test_an_open_order_that_only_references_a_row_keeps_nobody_from_writing_it(postgresql_url: str) -> None:
    engine = await _with_table(postgresql_url)
    async with writing(engine) as connection:
        await connection.execute(text("CREATE TABLE orders (product_id BIGINT REFERENCES stock)"))
    target = _target(engine)
    async with engine.connect() as other:
        await other.execute(text("INSERT INTO orders VALUES (2)"))
        assert len((await target.write(BOTH, agree)).applied) == 2
        await other.rollback()
    await engine.dispose()
