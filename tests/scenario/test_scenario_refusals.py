"""Whatever the target's database says no to harms the rows it says it of, and only them; every real server."""

from decimal import Decimal as D
from functools import partial
from typing import Any

import pytest
from scenario_shop import Shop, small_catalogue
from servers import Server

from stocksync.core.report import CycleReport, Outcome
from stocksync.errors import StateUnavailable
from stocksync.state.migrate import migrate

TABLE = (
    "CREATE TABLE stock_levels (product_id BIGINT NOT NULL, location_id VARCHAR(60) NOT NULL, quantity NUMERIC(20, 6),"
    " sku VARCHAR(60), PRIMARY KEY (product_id, location_id))"
)
COLUMNS = {"product_id": "product_id", "location": "location_id", "quantity": "quantity"}
KEYED = "product_id = 7 AND location_id = '1'"
NEW_KEYED = "product_id = 7 AND NEW.location_id = '1'"


def _table(url: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "create_table": False, "columns": COLUMNS, **more}


@pytest.fixture
def refusing(open_shop: Any) -> Any:
    """Open a shop whose table has no column that says whether a row is active."""
    return partial(open_shop, policy={"on_deleted": "keep"})


async def _one_is_set_aside(shop: Shop, words: str, guilty: tuple[int, str] = (7, "1")) -> CycleReport:
    report = await shop.cycle()
    total = len(shop.truth())
    assert report.outcome is Outcome.DONE, report.error
    assert (report.counts.applied, report.counts.quarantined, report.counts.unpushed) == (total - 1, 1, 0)
    assert await shop.rows() == {key: figure for key, figure in shop.truth().items() if key != guilty}
    entry = (await shop.status()).quarantine[0]
    assert (entry.product_id, entry.place, entry.side) == (*guilty, "target")
    assert words in entry.reason
    return report


def _raising(code: str) -> tuple[str, ...]:
    return _doing(f"RAISE EXCEPTION 'not that one' USING ERRCODE = '{code}'")


def _doing(what: str) -> tuple[str, ...]:
    body = f"IF NEW.{NEW_KEYED} THEN {what}; END IF; RETURN NEW;"
    return (
        f"CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        "CREATE TRIGGER no BEFORE INSERT ON stock_levels FOR EACH ROW EXECUTE FUNCTION no()",
    )


def _signalling(state: str, number: int = 0) -> tuple[str, ...]:
    numbered = f"MYSQL_ERRNO = {number}, " if number else ""
    body = f"IF NEW.{NEW_KEYED} THEN SIGNAL SQLSTATE '{state}' SET {numbered}MESSAGE_TEXT = 'not that one'"
    return (f"CREATE TRIGGER no BEFORE INSERT ON stock_levels FOR EACH ROW {body}; END IF",)


POSTGRESQL = {
    "a code of the shop's own": ((TABLE, *_raising("SHOP1")), "not that one"),
    "an insufficient privilege": ((TABLE, *_raising("42501")), "not that one"),
    "an undefined function": ((TABLE, *_raising("42883")), "not that one"),
    "an object in the wrong state": ((TABLE, *_raising("55000")), "not that one"),
    "an internal error": ((TABLE, *_raising("XX000")), "not that one"),
    "a cancelled statement": ((TABLE, *_raising("57014")), "not that one"),
    "a cardinality": ((TABLE, *_raising("21000")), "not that one"),
    **{
        f"the code of {what}, raised by a trigger": ((TABLE, *_raising(code)), "not that one")
        for what, code in {
            "a lost connection": "08006",
            "a read-only server": "25006",
            "a serialization failure": "40001",
            "a missing table": "42P01",
            "a full disk": "53100",
            "a held lock": "55P03",
            "a shutdown": "57P01",
            "an I/O error": "58030",
        }.items()
    },
    "a table that only a trigger misses": (
        (TABLE, *_doing("INSERT INTO gone VALUES (1)")),
        'relation "gone" does not exist',
    ),
    "no partition": (
        (
            TABLE + " PARTITION BY LIST (location_id)",
            "CREATE TABLE one PARTITION OF stock_levels FOR VALUES IN ('3')",
            "CREATE TABLE two (LIKE stock_levels, CHECK (product_id <> 7))",
            "ALTER TABLE stock_levels ATTACH PARTITION two FOR VALUES IN ('1')",
        ),
        "check constraint",
    ),
    "an exclusion": (
        (
            TABLE.replace(", PRIMARY", ", EXCLUDE USING btree ((nullif(quantity, 11)) WITH =)"
                          " WHERE (product_id IN (1, 7)), PRIMARY"),
        ),
        "conflicting key value violates exclusion constraint",
    ),
    "a domain": (
        ("CREATE DOMAIN small AS NUMERIC(20, 6) CHECK (VALUE <> 71)", TABLE.replace("NUMERIC(20, 6)", "small")),
        "violates check constraint",
    ),
    "an overflow": ((TABLE.replace("NUMERIC(20, 6)", "NUMERIC(8, 6)"),), "numeric field overflow"),
}  # fmt: skip
MARIADB = {
    "a signal": ((TABLE, *_signalling("45000", 1644)), "not that one"),
    **{
        f"a signal of class {state[:2]}": ((TABLE, *_signalling(state)), "not that one")
        for state in ("02000", "08S01", "23000", "25006", "40001", "42000", "57014", "HY000", "XX000")
    },
    **{
        f"a signal with the number of {what}": ((TABLE, *_signalling("45000", number)), "not that one")
        for what, number in {
            "a lost connection": 2013,
            "a server that has gone away": 2006,
            "a killed connection": 1927,
            "a shutdown": 1053,
            "a read-only server": 1290,
            "a deadlock": 1213,
            "a lock": 1205,
            "a missing table": 1146,
            "a full table": 1114,
        }.items()
    },
    "a lost connection in number and state": ((TABLE, *_signalling("08S01", 2013)), "not that one"),
    "a signal with the shop's own number": ((TABLE, *_signalling("77000", 31000)), "not that one"),
    "a right that a trigger lacks": ((TABLE, *_signalling("42000", 1142)), "not that one"),
    "a cancelled statement": ((TABLE, *_signalling("70100", 1317)), "not that one"),
    "a check": ((TABLE.replace(", PRIMARY", f", CHECK (NOT ({KEYED})), PRIMARY"),), "CONSTRAINT"),
    "an overflow": ((TABLE.replace("NUMERIC(20, 6)", "NUMERIC(8, 6)"),), "Out of range"),
}


def _guilty_figures(case: str) -> Any:
    catalogue = small_catalogue(15)
    if case == "an overflow":
        for product in range(1, 16):
            for place in (1, 3):
                catalogue.stock_take(product, place, D(product))
        catalogue.stock_take(7, 1, D(101))
    if case == "an exclusion":
        catalogue.stock_take(1, 3, D(13))
        catalogue.stock_take(7, 1, D(13))
    return catalogue


@pytest.mark.parametrize("case", POSTGRESQL)
async def test_one_guilty_row_of_whatever_code_stands_alone_on_postgresql(
    refusing: Any, postgresql_url: str, case: str
) -> None:
    prepare, words = POSTGRESQL[case]
    target = _table(postgresql_url, batch_size=10)
    shop = await refusing(_guilty_figures(case), prepare=prepare, target=target)
    await _one_is_set_aside(shop, words)


@pytest.mark.parametrize("case", MARIADB)
async def test_one_guilty_row_of_whatever_code_stands_alone_on_mariadb(
    refusing: Any, mariadb_url: str, case: str
) -> None:
    prepare, words = MARIADB[case]
    shop = await refusing(_guilty_figures(case), prepare=prepare, target=_table(mariadb_url, batch_size=10))
    await _one_is_set_aside(shop, words)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_a_row_that_no_partition_takes_stands_alone(
    refusing: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    prepare: tuple[str, ...] = (
        TABLE + " PARTITION BY LIST (location_id)",
        "CREATE TABLE known PARTITION OF stock_levels FOR VALUES IN ('1', '3')",
    )
    if kind == "mariadb":
        prepare = (TABLE + " PARTITION BY LIST COLUMNS (location_id) (PARTITION known VALUES IN ('1', '3'))",)
    catalogue = small_catalogue(15)
    catalogue.stock_take(7, 5, D(4))
    shop = await refusing(catalogue, prepare=prepare, target=_table(request.getfixturevalue(f"{kind}_url")))
    await _one_is_set_aside(shop, "artition", (7, "5"))


async def test_a_row_that_row_level_security_refuses_stands_alone(
    refusing: Any, postgresql_url: str, postgresql_server: Server
) -> None:
    rules = (
        TABLE,
        "ALTER TABLE stock_levels ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY ours ON stock_levels USING (true) WITH CHECK (NOT ({KEYED}))",
    )
    shop = await refusing(15, target=_as_clerk(postgresql_server, postgresql_url, "GRANT ALL ON", rules))
    await _one_is_set_aside(shop, "row-level security")


def _as_clerk(server: Server, url: str, grant: str, prepare: tuple[str, ...]) -> dict[str, Any]:
    """Make the table as its owner, and give the target of a user with a grant on it."""
    name = url.rsplit("/", 1)[1]
    server.sql("; ".join((*prepare, f"CREATE USER clerk_{name}", f"{grant} stock_levels TO clerk_{name}")), name)
    return _table(url.replace("stocksync@", f"clerk_{name}@"))


OWN = {
    "write": "UPDATE offers SET stock = :quantity WHERE warehouse = CAST(:location AS {integer})"
    " AND item_id = (SELECT id FROM items WHERE code = :sku)",
    "read": "SELECT stock, visible FROM offers JOIN items ON items.id = item_id"
    " WHERE code = :sku AND warehouse = CAST(:location AS {integer})",
    "deactivate": "UPDATE offers SET visible = 0 WHERE item_id IN (SELECT id FROM items WHERE code = :sku)",
}
"""The example of docs/targets.md."""


def _goods(guilty: int, products: int) -> tuple[str, ...]:
    items = ", ".join(f"({number}, 'P-{number:02}')" for number in range(1, products + 1))
    offers = ", ".join(f"({number}, {place}, 0, 1)" for number in range(1, products + 1) for place in (1, 3))
    return (
        "CREATE TABLE items (id INTEGER, code VARCHAR(20))",
        f"INSERT INTO items VALUES {items}, (99, 'P-{guilty:02}')",
        "CREATE TABLE offers (item_id INTEGER, warehouse INTEGER, stock NUMERIC(12, 2), visible INTEGER)",
        f"INSERT INTO offers VALUES {offers}",
    )


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_an_own_statement_that_fails_for_one_product_harms_that_product_alone(
    open_shop: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    integer = "integer" if kind == "postgresql" else "signed"
    own = {name: sql.format(integer=integer) for name, sql in OWN.items()}
    url = request.getfixturevalue(f"{kind}_url")
    shop = await open_shop(15)
    shop.data["accounts"][0]["target"] = {"url": url, "statements": own}
    for statement in _goods(7, 15):
        await shop.sql(statement)
    await shop.restart()
    report = await shop.cycle()
    assert (report.outcome, report.counts.applied, report.counts.quarantined) == (Outcome.DONE, 28, 2)
    entries = (await shop.status()).quarantine
    assert {entry.product_id for entry in entries} == {7}
    assert all("ubquery" in entry.reason for entry in entries)
    assert (await shop.sql("SELECT sum(stock) FROM offers WHERE item_id = 3")) == [(D(64),)]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_an_own_statement_that_can_never_work_is_the_target_s_fault_and_sets_no_row_aside(
    open_shop: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    shop = await open_shop(3)
    where = "WHERE item_id = :product_id AND warehouse = CAST(:location AS decimal)"
    write = f"UPDATE offers SET stock = no_such_function(:quantity) {where}"
    own = {"write": write, "read": f"SELECT stock FROM offers {where}"}
    target = {"url": request.getfixturevalue(f"{kind}_url"), "statements": own}
    shop.data["accounts"][0] |= {"target": target, "policy": {"on_deleted": "keep"}}
    for statement in _goods(7, 3):
        await shop.sql(statement)
    await shop.restart()
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert "no_such_function" in report.error
    assert (await shop.status()).quarantined == 0


async def test_new_rows_whose_sequence_we_may_not_use_do_not_keep_known_ones_from_their_figures(
    refusing: Any, postgresql_url: str, postgresql_server: Server
) -> None:
    known = ", ".join(f"({number}, '{place}', 0)" for number in range(1, 15) for place in (1, 3))
    table = (
        TABLE.replace("product_id BIGINT", "id SERIAL UNIQUE, product_id BIGINT"),
        f"INSERT INTO stock_levels (product_id, location_id, quantity) VALUES {known}",
    )
    shop = await refusing(
        15, target=_as_clerk(postgresql_server, postgresql_url, "GRANT SELECT, INSERT, UPDATE ON", table)
    )
    for _ in range(2):
        report = await shop.cycle()
        assert report.outcome is Outcome.DONE
        assert await shop.rows() == {key: figure for key, figure in shop.truth().items() if key[0] != 15}
        entries = (await shop.status()).quarantine
        assert {(entry.product_id, entry.place) for entry in entries} == {(15, "1"), (15, "3")}
        assert "permission denied for sequence" in entries[0].reason


async def _state(url: str, *, shared: bool) -> str:
    """Give the URL of the state, ready, where it shares the target's database."""
    if shared:
        await migrate(url)
    return url if shared else ""


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_constraint_that_fails_at_the_commit_sets_its_row_aside(
    refusing: Any, request: pytest.FixtureRequest, kind: str, *, shared: bool
) -> None:
    goods = ", ".join(f"({number})" for number in range(1, 16) if number != 7)
    tables = (
        "CREATE TABLE goods (id BIGINT PRIMARY KEY)",
        f"INSERT INTO goods VALUES {goods}",
        TABLE.replace("NOT NULL,", "NOT NULL REFERENCES goods (id) DEFERRABLE INITIALLY DEFERRED,", 1),
    )
    url: str = request.getfixturevalue(f"{kind}_url")
    shop = await refusing(15, prepare=tables, target=_table(url), state=await _state(url, shared=shared))
    assert shop.account.shared is shared
    report = await shop.cycle()
    assert report.outcome is Outcome.DONE, report.error
    assert (report.counts.applied, report.counts.quarantined) == (28, 2)
    assert await shop.rows() == {key: figure for key, figure in shop.truth().items() if key[0] != 7}
    assert all("oreign key" in one.reason or "FOREIGN KEY" in one.reason for one in (await shop.status()).quarantine)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_a_table_that_takes_no_update_at_all_is_the_target_s_fault_and_sets_no_row_aside(
    refusing: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    url: str = request.getfixturevalue(f"{kind}_url")
    known = ", ".join(f"({number}, '{place}', 0)" for number in range(1, 6) for place in (1, 3))
    view = "CREATE VIEW stock_levels AS SELECT DISTINCT product_id, location_id, quantity FROM held"
    prepare = (TABLE.replace("stock_levels", "held"), f"INSERT INTO held VALUES {known.replace(')', ', NULL)')}", view)
    shop = await refusing(5, prepare=prepare, target=_table(url))
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert "refuses" in report.error
    status = await shop.status()
    assert (status.quarantined, report.counts.unpushed) == (0, 10)


async def test_a_missing_replica_identity_is_not_told_as_silence(refusing: Any, postgresql_url: str) -> None:
    known = ", ".join(f"({number}, '{place}', 0, NULL)" for number in range(1, 6) for place in (1, 3))
    prepare = (
        TABLE.replace(", PRIMARY KEY (product_id, location_id)", ""),
        f"INSERT INTO stock_levels VALUES {known}",
        "CREATE PUBLICATION all_of_it FOR TABLE stock_levels",
    )
    report = await (await refusing(5, prepare=prepare, target=_table(postgresql_url))).cycle()
    assert report.outcome is Outcome.FAILED
    assert "replica identity" in report.error
    assert "does not answer" not in report.error


@pytest.mark.usefixtures("one_portion")
async def test_a_probe_leaves_no_intent_of_a_row_that_is_acknowledged(refusing: Any, postgresql_url: str) -> None:
    guarded = TABLE.replace(", PRIMARY", ", CHECK (product_id > 60), PRIMARY")
    catalogue = small_catalogue(80, (1,))
    target = _table(postgresql_url, batch_size=10)
    shop = await refusing(catalogue, prepare=(guarded,), target=target, poll={"per_page": 100})
    report = await shop.cycle()
    assert (report.counts.applied, report.counts.quarantined) == (20, 60)
    snapshot = await shop.runtime.state.snapshot("main")
    open_intents = {cell.product_id for cell, one in snapshot.cells.items() if one.intent is not None}
    assert open_intents & set(range(61, 81)) == set()


@pytest.mark.usefixtures("one_portion")
async def test_a_target_that_takes_no_row_fails_the_cycle_and_sets_none_aside(refusing: Any, mariadb_url: str) -> None:
    guarded = TABLE.replace(", PRIMARY", ", CHECK (product_id > 60), PRIMARY")
    shop = await refusing(small_catalogue(60, (1,)), prepare=(guarded,), target=_table(mariadb_url, batch_size=10))
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert report.target_answered is False
    assert "refuses every row" in report.error
    assert "CONSTRAINT" in report.error
    assert ((await shop.status()).quarantined, report.counts.unpushed) == (0, 60)


@pytest.mark.parametrize("shared", [False, True])
async def test_a_connection_to_a_server_that_became_read_only_is_dropped_and_the_next_cycle_is_well(
    refusing: Any, postgresql_url: str, postgresql_server: Server, *, shared: bool
) -> None:
    """The sessions that are open stay read-only, as those of an old writer do; new ones lead to the new writer."""
    state = await _state(postgresql_url, shared=shared)
    shop = await refusing(15, prepare=(TABLE,), target=_table(postgresql_url), state=state)
    await shop.cycle()
    await _turn_read_only(shop)
    assert await _read_only_sessions(shop) > 0
    shop.catalogue.stock_take(3, 1, D(5))
    words = await _words_of_a_failed_cycle(shop)
    assert "read-only transaction" in words
    assert "does not answer" not in words
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()
    assert await _read_only_sessions(shop) == 0


async def _words_of_a_failed_cycle(shop: Shop) -> str:
    try:
        report = await shop.cycle()
    except StateUnavailable as error:
        return str(error)
    assert report.outcome is Outcome.FAILED
    return report.error


async def _read_only_sessions(shop: Shop) -> int:
    """Count the pooled sessions that, taken out, could not write."""
    engine = shop.account.target._engine
    async with engine.connect() as one, engine.connect() as two, engine.connect() as three:
        modes = [
            (await connection.exec_driver_sql("SHOW default_transaction_read_only")).scalar()
            for connection in (one, two, three)
        ]
    return modes.count("on")


async def _turn_read_only(shop: Shop) -> None:
    """Do to each pooled session what a demotion of its server does to it."""
    engine = shop.account.target._engine
    async with engine.connect() as one, engine.connect() as two, engine.connect() as three:
        for connection in (one, two, three):
            await connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            await connection.commit()


@pytest.mark.parametrize("shared", [False, True])
async def test_a_sqlite_file_that_could_not_be_written_for_a_while_is_left_and_written_again(
    refusing: Any, *, shared: bool
) -> None:
    """As on a file system that was mounted anew after a fault: what was opened meanwhile stays read-only."""
    shop = await refusing(15, state="sqlite:///{folder}/shop.db" if shared else "")
    await shop.cycle()
    async with shop.account.target._engine.connect() as one, shop.account.target._engine.connect() as two:
        for connection in (one, two):
            await connection.exec_driver_sql("PRAGMA query_only = ON")
            await connection.commit()
    shop.catalogue.stock_take(3, 1, D(5))
    assert "readonly" in await _words_of_a_failed_cycle(shop)
    assert (await shop.status()).quarantined == 0
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()


async def test_a_mariadb_that_became_read_only_is_named_and_left(
    refusing: Any, mariadb_url: str, mariadb_server: Server
) -> None:
    name = mariadb_url.rsplit("/", 1)[1]
    mariadb_server.sql(f"CREATE USER clerk_{name}@'%'; GRANT ALL ON {name}.* TO clerk_{name}@'%'")
    target = _table(mariadb_url.replace("root@", f"clerk_{name}@"))
    shop = await refusing(15, prepare=(TABLE,), target=target)
    await shop.cycle()
    shop.catalogue.stock_take(3, 1, D(5))
    listing = f"SELECT id FROM information_schema.processlist WHERE user = 'clerk_{name}'"
    before = mariadb_server.sql(listing).split()
    mariadb_server.sql("SET GLOBAL read_only = 1")
    try:
        report = await shop.cycle()
    finally:
        mariadb_server.sql("SET GLOBAL read_only = 0")
    assert report.outcome is Outcome.FAILED
    assert "takes no writes" in report.error
    assert (await shop.status()).quarantined == 0
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()
    assert set(mariadb_server.sql(listing).split()).isdisjoint(before)
