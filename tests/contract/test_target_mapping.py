"""The user's table as it is: column types, odd names, indexes, and what is said of a mapping that cannot work."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from servers import Server
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from target_sql import run

from stocksync.core.model import Cell, Change, Figure, Removal, RowLocator, TargetRow
from stocksync.errors import ConfigurationError, RowsRefused
from stocksync.ports import Target
from stocksync.sqlengine import open_engine
from stocksync.targets import OWN_COLUMNS, Columns, MatchBy, Missing, TargetSettings, open_target, reflect

SIMPLE = Columns("quantity", "product_id")
PLACED = Columns("quantity", "product_id", location="place")


async def agree() -> None:
    return


def change(product: int, after: Figure, place: str = "", sku: str = "A") -> Change:
    return Change(product, place, sku, None, after, ())


@pytest.fixture
async def engine(target_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(target_url, "test")
    yield made
    await made.dispose()


def target(engine: AsyncEngine, columns: Columns = SIMPLE, **settings: Any) -> Target:
    given = {"account": "main", "table": "stock", "columns": columns} | settings
    return open_target(TargetSettings(**given), engine, owned=False)


async def read(made: Target, *refs: RowLocator) -> dict[Cell, TargetRow]:
    return await made.read(refs)


@pytest.mark.parametrize(
    ("kind", "scale", "figure"),
    [
        ("INTEGER", 0, "120"),
        ("SMALLINT", 0, "-7"),
        ("BIGINT", 0, "5000000000"),
        ("NUMERIC(12, 4)", 4, "36.2084"),
        ("DECIMAL(10, 2)", 2, "0.1"),
        ("DECIMAL(10, 0)", 0, "12"),
        ("DOUBLE PRECISION", None, "36.2084"),
        ("REAL", None, "36.2084"),
        ("VARCHAR(30)", None, "36.208400001"),
        ("TEXT", None, "100"),
    ],
)
async def test_figures_come_back_from_every_kind_of_column(
    engine: AsyncEngine, kind: str, scale: int | None, figure: str
) -> None:
    await run(engine, f"CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity {kind})")
    made = target(engine)
    assert (await made.inspect()).scale == scale
    await made.write([change(1, D(figure))], agree)
    await made.write([change(1, D(figure))], agree)
    assert (await read(made, RowLocator(1, "A", "")))[Cell(1, "")] == TargetRow(D(figure), None, 1)


@pytest.mark.parametrize(("kind", "figure"), [("INTEGER", "1.5"), ("NUMERIC(8, 2)", "1.005")])
async def test_decimals_that_the_column_would_round_away_are_refused(
    engine: AsyncEngine, kind: str, figure: str
) -> None:
    await run(engine, f"CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity {kind})")
    written = await target(engine).write([change(1, D(figure)), change(2, D(2))], agree)
    assert [found.product_id for found, _ in written.ambiguous] == [1]
    assert "decimals" in written.ambiguous[0][1]
    assert await run(engine, "SELECT product_id FROM stock") == [(2,)]


@pytest.mark.parametrize("kind", ["SMALLINT", "NUMERIC(5, 2)"])
async def test_a_figure_too_large_is_refused_and_never_clipped(
    kind: str, target_postgresql_url: str, target_mariadb_url: str
) -> None:
    for url in (target_postgresql_url, target_mariadb_url):
        engine = open_engine(url, "test")
        await run(engine, f"CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity {kind})")
        with pytest.raises(RowsRefused, match=r"range|overflow"):
            await target(engine).write([change(1, D(1)), change(2, D(40000))], agree)
        assert await run(engine, "SELECT * FROM stock") == []
        await engine.dispose()


async def test_a_lenient_mariadb_does_not_clip_either(mariadb_server: Server, target_mariadb_url: str) -> None:
    before = mariadb_server.sql("SELECT @@GLOBAL.sql_mode").strip()
    mariadb_server.sql("SET GLOBAL sql_mode = ''")
    try:
        engine = open_engine(target_mariadb_url, "test")
        await run(engine, "CREATE TABLE stock (sku VARCHAR(4) PRIMARY KEY, quantity SMALLINT, needed INT NOT NULL)")
        made = target(engine, Columns("quantity", sku="sku"), match_by=MatchBy.SKU)
        for bad in (change(1, D(40000), sku="A"), change(1, D(1), sku="TOO-LONG"), change(1, D(1), sku="OK")):
            with pytest.raises(RowsRefused):
                await made.write([bad], agree)
        assert await run(engine, "SELECT * FROM stock") == []
        await engine.dispose()
    finally:
        mariadb_server.sql(f"SET GLOBAL sql_mode = '{before}'")


async def test_garbage_in_the_target_is_no_figure(engine: AsyncEngine) -> None:
    await run(
        engine,
        "CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity VARCHAR(20))",
        "INSERT INTO stock VALUES (1, 'n/a'), (2, ''), (3, 'NaN'), (4, NULL), (5, ' 7 ')",
    )
    found = await read(target(engine), *(RowLocator(number, "", "") for number in range(1, 6)))
    assert [found[Cell(number, "")].quantity for number in range(1, 6)] == [None, None, None, None, D(7)]


async def test_places_meet_an_integer_column(engine: AsyncEngine) -> None:
    await run(
        engine, "CREATE TABLE stock (product_id BIGINT, place SMALLINT, quantity INTEGER, UNIQUE (product_id, place))"
    )
    made = target(engine, PLACED)
    misfits = ["MAIN", "03", "3.0", "", "٣"]
    if engine.dialect.name != "sqlite":  # where a SMALLINT holds 64 bits
        misfits.append("70000")
    changes = [change(1, D(5), "3"), *(change(2, D(1), place) for place in misfits)]
    written = await made.write(changes, agree)
    assert sorted(found.place for found, _ in written.ambiguous) == sorted(misfits)
    assert await run(engine, "SELECT * FROM stock") == [(1, 3, 5)]
    assert await read(made, RowLocator(1, "A", "3"), RowLocator(1, "A", "MAIN")) == {
        Cell(1, "3"): TargetRow(D(5), None, 1)
    }
    assert [page async for page in made.scan(10)] == [[("1", "3", TargetRow(D(5), None, 1))]]


async def test_product_ids_meet_a_text_column(engine: AsyncEngine) -> None:
    await run(
        engine,
        "CREATE TABLE stock (product_id VARCHAR(20) PRIMARY KEY, quantity INTEGER)",
        "INSERT INTO stock VALUES ('042', 1), ('42', 2)",
    )
    made = target(engine)
    await made.write([change(42, D(9))], agree)
    assert await run(engine, "SELECT * FROM stock ORDER BY 1") == [("042", 1), ("42", 9)]


async def test_names_may_be_as_odd_as_they_like(engine: AsyncEngine) -> None:
    quote = engine.dialect.identifier_preparer.quote_identifier
    names = ["order by", 'a"b', "كمية", "100%s", "select", "x:y (values)"]
    table = "جدول المخزون; DROP"
    sku, place, quantity, updated, active, product = (quote(name) for name in names)
    columns = Columns(names[2], names[5], names[0], names[1], names[3], names[4])
    await run(
        engine,
        f"CREATE TABLE {quote(table)} ({sku} VARCHAR(20), {place} VARCHAR(20), {quantity} INTEGER,"
        f" {updated} TIMESTAMP NULL, {active} BOOLEAN, {product} BIGINT, PRIMARY KEY ({product}, {place}))",
    )
    made = target(engine, columns, table=table)
    assert (await made.inspect()).notes == ()
    for figure in (D(5), D(6)):
        await made.write([change(1, figure, "O'Brien \\ %s"), change(2, figure, 'الرياض"')], agree)
    await made.write([replace(change(1, Removal.DEACTIVATED, "O'Brien \\ %s"), before=D(6))], agree)
    await made.write([change(2, Removal.DELETED, 'الرياض"')], agree)
    assert await read(made, RowLocator(1, "A", "O'Brien \\ %s"), RowLocator(2, "A", 'الرياض"')) == {
        Cell(1, "O'Brien \\ %s"): TargetRow(D(6), False, 1)
    }
    assert len([page async for page in made.scan(1)]) == 1


async def test_a_row_that_we_could_not_insert_can_be_updated(engine: AsyncEngine) -> None:
    await run(
        engine,
        "CREATE TABLE stock (id INTEGER NOT NULL, product_id BIGINT NOT NULL UNIQUE, title VARCHAR(20) NOT NULL,"
        " quantity INTEGER NOT NULL)",
        "INSERT INTO stock VALUES (7, 1, 'Widget', 5)",
    )
    made = target(engine)
    refused = [trial for trial in await made.rehearse([change(2, D(9))]) if trial.blocks]
    assert any("INSERT would fail" in trial.what and "give id, title a default" in trial.todo for trial in refused)
    assert len((await made.write([change(1, D(9))], agree)).applied) == 1
    with pytest.raises(RowsRefused, match=r"(?i)null|default"):
        await made.write([change(1, D(10)), change(2, D(9))], agree)
    assert await run(engine, "SELECT * FROM stock") == [(7, 1, "Widget", 9)]


async def test_what_is_not_mapped_is_never_written(engine: AsyncEngine) -> None:
    await run(
        engine,
        "CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity INTEGER, title VARCHAR(20), price NUMERIC(8, 2))",
        "INSERT INTO stock VALUES (1, 5, 'Widget', 9.95)",
    )
    await target(engine).write([change(1, D(6))], agree)
    title, price = (await run(engine, "SELECT title, price FROM stock"))[0]
    assert (title, D(str(price))) == ("Widget", D("9.95"))


async def test_a_sku_is_written_where_it_is_not_what_rows_are_found_by(engine: AsyncEngine) -> None:
    await run(engine, "CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity INTEGER, sku VARCHAR(20))")
    made = target(engine, replace(SIMPLE, sku="sku"))
    await made.write([change(1, D(1), sku="old"), change(2, D(1), sku="")], agree)
    await made.write([change(1, D(1), sku="new")], agree)
    assert await run(engine, "SELECT product_id, sku FROM stock ORDER BY 1") == [(1, "new"), (2, None)]


@pytest.mark.parametrize("kind", ["TIMESTAMP NULL", "VARCHAR(40)", "BIGINT", "DATE"])
async def test_the_instant_is_written_in_utc(engine: AsyncEngine, kind: str) -> None:
    await run(engine, f"CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity INTEGER, at {kind})")
    made = target(engine, replace(SIMPLE, updated_at="at"))
    await made.write([change(1, D(1))], agree)
    await made.write([change(1, D(2))], agree)
    at = (await run(engine, "SELECT at FROM stock"))[0][0]
    now = datetime.now(UTC)
    if isinstance(at, int):
        assert abs(at - now.timestamp()) < 30
    else:
        assert str(at).startswith((now.date().isoformat(), (now - timedelta(seconds=30)).date().isoformat()))


async def test_a_timestamp_with_time_zone_is_the_same_instant(target_postgresql_url: str) -> None:
    engine = open_engine(target_postgresql_url, "test")
    await run(engine, "CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity INTEGER, at TIMESTAMPTZ)")
    await target(engine, replace(SIMPLE, updated_at="at")).write([change(1, D(1))], agree)
    assert abs((await run(engine, "SELECT at FROM stock"))[0][0] - datetime.now(UTC)) < timedelta(seconds=30)
    await engine.dispose()


async def test_a_mariadb_timestamp_is_utc_whatever_the_server_s_zone(
    mariadb_server: Server, target_mariadb_url: str
) -> None:
    engine = open_engine(target_mariadb_url, "test")
    await run(engine, "CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity INTEGER, at TIMESTAMP NULL)")
    mariadb_server.sql("SET GLOBAL time_zone = '+03:00'")
    try:
        await engine.dispose()
        await target(engine, replace(SIMPLE, updated_at="at")).write([change(1, D(1))], agree)
        age = mariadb_server.sql(
            "SELECT UNIX_TIMESTAMP() - UNIX_TIMESTAMP(at) FROM stock", target_mariadb_url.rsplit("/", 1)[1]
        )
        assert abs(float(age)) < 30
    finally:
        mariadb_server.sql("SET GLOBAL time_zone = 'SYSTEM'")
    await engine.dispose()


@pytest.mark.parametrize("kind", ["INTEGER", "SMALLINT", "BOOLEAN"])
async def test_active_may_be_a_boolean_or_a_number(engine: AsyncEngine, kind: str) -> None:
    await run(engine, f"CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity INTEGER, active {kind})")
    made = target(engine, replace(SIMPLE, active="active"))
    await made.write([change(1, D(1)), change(2, D(1))], agree)
    await made.write([change(1, Removal.DEACTIVATED)], agree)
    found = await read(made, RowLocator(1, "", ""), RowLocator(2, "", ""))
    assert [found[Cell(number, "")].active for number in (1, 2)] == [False, True]


async def test_without_an_active_column_nothing_can_be_deactivated(engine: AsyncEngine) -> None:
    await run(engine, "CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity INTEGER)")
    made = target(engine)
    assert not (await made.inspect()).can_deactivate
    written = await made.write([change(1, Removal.DEACTIVATED)], agree)
    assert "active" in written.ambiguous[0][1]


async def test_characters_no_database_keeps_harm_one_row(engine: AsyncEngine) -> None:
    await run(engine, "CREATE TABLE stock (sku VARCHAR(40) PRIMARY KEY, quantity INTEGER)")
    made = target(engine, Columns("quantity", sku="sku"), match_by=MatchBy.SKU)
    bad = [change(1, D(1), sku="a\0b"), change(2, D(1), sku="\ud800")]
    written = await made.write([*bad, change(3, D(1), sku="كوب ☕ 'x' \\ %s")], agree)
    assert [found for found, _ in written.ambiguous] == bad
    assert len(await read(made, *(found.ref for found in [*bad, *written.applied]))) == 1


@pytest.mark.parametrize("match_by", MatchBy)
@pytest.mark.parametrize("kind", ["NUMERIC(12, 4)", "DOUBLE PRECISION", "VARCHAR(30)"])
async def test_many_odd_rows_are_updated_to_the_letter(engine: AsyncEngine, kind: str, match_by: MatchBy) -> None:
    await run(
        engine,
        f"CREATE TABLE stock (product_id INTEGER, sku VARCHAR(60), place VARCHAR(60), quantity {kind},"
        " at TIMESTAMP NULL, active BOOLEAN)",
    )
    columns = Columns("quantity", "product_id", "sku", "place", "at", "active")
    made = target(engine, columns, match_by=match_by)
    odd = [
        "a",
        "A",
        "a ",
        " a",
        "O'Brien",
        'say "x"',
        "back\\slash",
        "%s",
        "{}[]",
        "كوب ☕",
        "é",
        "e\u0301",
        "new\nline",
        "0042",
    ]
    skus = odd + [f"{sku}/{number}" for number in range(3) for sku in odd]
    first = [change(number, D(number), "الرياض '\\", sku) for number, sku in enumerate(skus, 1)]
    assert len((await made.write(first, agree)).applied) == len(skus)
    second = [replace(found, after=-found.after - D("0.2084")) for found in first if isinstance(found.after, D)]
    second[3:6] = [replace(found, before=Removal.DEACTIVATED) for found in second[3:6]]
    assert len((await made.write(second, agree)).applied) == len(skus)
    found = await read(made, *(ref.ref for ref in second))
    assert {ref.cell: ref.after for ref in second} == {cell: live.quantity for cell, live in found.items()}
    assert await run(engine, "SELECT COUNT(*), COUNT(DISTINCT product_id), COUNT(at) FROM stock") == [(len(skus),) * 3]
    assert {row[0] for row in await run(engine, "SELECT sku FROM stock")} == set(skus)


ALIKE = [
    *("I", "i", "İ", "\u0131", "é", "e", "É", "e\u0301", "ß", "ss", "SS"),
    *("a", "a ", "Å", "A", "ﬁ", "fi", "\uff10", "0", "Ω", "ω"),
]
"""SKUs that one collation or another holds to be equal."""


@pytest.mark.parametrize("collation", ["unicode_ci", "turkish_ci", "unicode_520_nopad_ci", "german2_ci", "bin"])
async def test_rows_that_a_collation_of_mariadb_holds_to_be_one_are_told_apart(
    target_mariadb_url: str, collation: str
) -> None:
    engine = open_engine(target_mariadb_url, "test")
    text = f"VARCHAR(60) COLLATE utf8mb4_{collation}"
    await run(engine, f"CREATE TABLE stock (sku {text}, place {text}, quantity INTEGER, INDEX (sku, place))")
    made = target(engine, Columns("quantity", sku="sku", location="place"), match_by=MatchBy.SKU)
    for factor in (1, -1):  # the second time they are found, and more of them than are updated one by one
        changes = [change(at, D(at * factor), "İ" if at % 2 else "i", sku) for at, sku in enumerate(ALIKE, 1)]
        assert (await made.write(changes, agree)).applied == changes
    found = await read(made, *(one.ref for one in changes))
    assert {cell: live.quantity for cell, live in found.items()} == {one.cell: one.after for one in changes}
    assert sorted([match async for page in made.scan(4) for match, _, _ in page]) == sorted(ALIKE)
    await engine.dispose()


async def test_of_thousands_of_tables_none_is_looked_at_where_one_is_to_be_made(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A fleet's accounts had a table each in one database: each first poll held its name against all of theirs.
    def listed(*_: object) -> str:
        raise AssertionError("nobody asked which tables there are")

    monkeypatch.setattr(reflect, "choice", listed)
    await target(engine, OWN_COLUMNS, create_table=True).inspect()


async def test_a_thousand_updates_take_a_handful_of_statements(engine: AsyncEngine) -> None:
    made = target(engine, OWN_COLUMNS, create_table=True)
    await made.make()
    changes = [change(number, D(number), "3", sku=f"SKU-{number}") for number in range(1, 1001)]
    await made.write(changes, agree)
    sent: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
    await made.write([replace(found, before=found.after, after=D(7)) for found in changes], agree)
    writes = [statement for statement in sent if statement.lstrip().startswith(("UPDATE", "INSERT"))]
    assert len(writes) == 1
    assert ("json_table" in writes[0]) == (engine.dialect.name in {"mysql", "mariadb"})  # which would send each alone
    # On a slow machine we ask who keeps us waiting, too.
    assert len([one for one in sent if "pg_blocking_pids" not in one and "innodb_lock_waits" not in one]) <= 5
    assert await run(engine, "SELECT COUNT(*) FROM stock WHERE quantity = 7") == [(1000,)]


async def test_a_new_row_that_goes_in_without_its_sku_costs_no_other_row_its_own(engine: AsyncEngine) -> None:
    made = target(engine, OWN_COLUMNS, create_table=True)
    await made.make()
    written = await made.write([change(1, D(1), "3", sku="a\0b"), change(2, D(2), "3", sku="B")], agree)
    assert [applied.product_id for applied in written.applied] == [1, 2]
    assert await run(engine, "SELECT sku FROM stock ORDER BY product_id") == [(None,), ("B",)]


async def test_our_own_table_is_made_once_and_takes_everything(engine: AsyncEngine) -> None:
    for match_by in MatchBy:
        made = target(engine, OWN_COLUMNS, create_table=True, table=f"own_{match_by}", match_by=match_by)
        described = await made.inspect()
        assert "first write makes it" in described.notes[0]
        assert await read(made, RowLocator(1, "a", "الرياض")) == {}
        assert [page async for page in made.scan(10)] == []
        assert await made.is_empty()
        for _ in range(2):
            await made.make()
        inspected = await made.inspect()
        assert inspected == replace(described, notes=(), unmade=False, layout=inspected.layout)
        assert not described.layout, "only a table that is there has columns to look at"
        assert (described.scale, described.summed) == (6, False)
        await made.write([change(1, D("36.208412"), "الرياض", sku="a"), change(2, D(2), "3", sku="A ")], agree)
        await made.write([change(2, D(3), "3", sku="A "), change(3, D(4), "3", sku="A")], agree)
        found = await read(made, RowLocator(1, "a", "الرياض"), RowLocator(2, "A ", "3"), RowLocator(3, "A", "3"))
        assert [live.quantity for live in found.values()] == [D("36.208412"), D(3), D(4)]
        assert all(live.active for live in found.values())


async def test_a_missing_table_is_named_beside_those_there_are(engine: AsyncEngine) -> None:
    await run(engine, "CREATE TABLE stock_levels (product_id BIGINT)", "CREATE TABLE prices (a INTEGER)")
    with pytest.raises(ConfigurationError) as wrong:
        await target(engine, table="Stock_Level").inspect()
    assert "accounts.main.target.table" in str(wrong.value)
    assert "did you mean 'stock_levels'" in str(wrong.value)
    assert "prices" in str(wrong.value)


async def test_every_missing_column_is_named_at_once(engine: AsyncEngine) -> None:
    await run(engine, "CREATE TABLE stock (qoyod_id BIGINT, stock_quantity INTEGER, at NUMERIC(8, 2))")
    columns = Columns("quantity", "QOYOD_ID", updated_at="at")
    with pytest.raises(ConfigurationError) as wrong:
        await target(engine, columns).inspect()
    assert len(wrong.value.problems) == 3
    assert "did you mean 'qoyod_id'" in str(wrong.value)
    assert "stock_quantity" in str(wrong.value)
    assert "updated_at" in str(wrong.value)


async def test_the_column_rows_are_found_by_is_needed(engine: AsyncEngine) -> None:
    await run(engine, "CREATE TABLE stock (product_id BIGINT, quantity INTEGER)")
    with pytest.raises(ConfigurationError, match=r"columns\.sku"):
        await target(engine, match_by=MatchBy.SKU).inspect()


async def test_a_missing_unique_index_is_noted(engine: AsyncEngine) -> None:
    await run(
        engine,
        "CREATE TABLE stock (product_id BIGINT, place VARCHAR(20), quantity INTEGER)",
        "CREATE INDEX plain ON stock (product_id, place)",
    )
    made = target(engine, PLACED)
    assert any("unique" in note for note in (await made.inspect()).notes)
    await run(engine, "CREATE UNIQUE INDEX sure ON stock (place, product_id)")
    assert (await made.inspect()).notes == ()


async def test_a_table_may_stand_in_a_schema(target_postgresql_url: str) -> None:
    engine = open_engine(target_postgresql_url, "test")
    await run(
        engine, "CREATE SCHEMA shop", "CREATE TABLE shop.levels (product_id BIGINT PRIMARY KEY, quantity INTEGER)"
    )
    await target(engine, table="shop.levels").write([change(1, D(5))], agree)
    assert await run(engine, "SELECT * FROM shop.levels") == [(1, 5)]
    own = target(engine, OWN_COLUMNS, table="shop.own", create_table=True)
    await own.make()
    await own.write([change(1, D(5), "3")], agree)
    with pytest.raises(ConfigurationError, match=r"did you mean 'shop\.levels'"):
        await target(engine, table="shop.level").inspect()
    await engine.dispose()


async def test_postgresql_s_own_types_are_matched_exactly(target_postgresql_url: str) -> None:
    engine = open_engine(target_postgresql_url, "test")
    await run(
        engine,
        "CREATE TYPE warehouse AS ENUM ('MAIN', 'OUTLET')",
        "CREATE DOMAIN code AS CHAR(6)",
        "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "CREATE TABLE stock (sku TEXT COLLATE loose, place warehouse, quantity INTEGER)",
        "CREATE TABLE padded (sku code, quantity INTEGER)",
        "INSERT INTO stock VALUES ('ab', 'MAIN', 1), ('AB', 'MAIN', 2)",
        "INSERT INTO padded VALUES ('ab', 1)",
    )
    by_sku = {"match_by": MatchBy.SKU, "missing": Missing.SKIP}
    made = target(engine, Columns("quantity", sku="sku", location="place"), **by_sku)
    written = await made.write([change(1, D(9), "MAIN", "AB"), change(2, D(9), "ELSEWHERE", "AB")], agree)
    assert "none of the column's values" in written.ambiguous[0][1]
    assert await run(engine, "SELECT sku::text, quantity FROM stock ORDER BY quantity") == [("ab", 1), ("AB", 9)]
    padded = target(engine, Columns("quantity", sku="sku"), table="padded", **by_sku)
    assert len((await padded.write([change(1, D(5), sku="ab")], agree)).applied) == 1
    assert "ends in a space" in (await padded.write([change(1, D(5), sku="ab ")], agree)).ambiguous[0][1]
    await engine.dispose()


async def test_a_domain_over_a_domain_is_what_it_is_made_of(target_postgresql_url: str) -> None:
    engine = open_engine(target_postgresql_url, "test")
    await run(
        engine,
        "CREATE DOMAIN id AS BIGINT CHECK (VALUE > 0)",
        "CREATE DOMAIN product AS id",
        "CREATE DOMAIN figure AS NUMERIC(12, 2)",
        "CREATE DOMAIN stock_figure AS figure NOT NULL",
        "CREATE TABLE stock (product_id product PRIMARY KEY, quantity stock_figure)",
    )
    made = target(engine)
    await made.write([change(1, D("36.25"))], agree)
    await made.write([change(1, D("36.5"))], agree)
    assert await run(engine, "SELECT * FROM stock") == [(1, D("36.50"))]
    await engine.dispose()


async def test_a_column_without_a_type_that_keeps_7_and_text_apart_is_found_as_either(target_sqlite_url: str) -> None:
    engine = open_engine(target_sqlite_url, "test")
    await run(engine, "CREATE TABLE stock (product_id, quantity)", "INSERT INTO stock VALUES (1, 5), ('2', '5')")
    made = target(engine)
    await made.write([change(1, D(7)), change(2, D("8.25")), change(3, D(9))], agree)
    await made.write([change(3, D(10))], agree)
    assert await run(engine, "SELECT * FROM stock ORDER BY CAST(product_id AS TEXT)") == [(1, 7), ("2", 8.25), (3, 10)]
    assert [match async for page in made.scan(1) for match, _, _ in page] == ["1", "2", "3"]
    await made.write([change(2, Removal.DELETED)], agree)
    assert len(await read(made, *(RowLocator(number, "", "") for number in (1, 2, 3)))) == 2
    await engine.dispose()


async def test_a_set_of_words_is_no_figure(target_mariadb_url: str) -> None:
    engine = open_engine(target_mariadb_url, "test")
    await run(engine, "CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity SET('1', '2'))")
    with pytest.raises(ConfigurationError, match=r"SET.* but quantity needs a number"):
        await target(engine).inspect()
    await engine.dispose()


async def test_a_latin_column_meets_an_arabic_sku(target_mariadb_url: str) -> None:
    engine = open_engine(target_mariadb_url, "test")
    await run(
        engine,
        "CREATE TABLE stock (sku VARCHAR(40) CHARACTER SET latin1 PRIMARY KEY, quantity INTEGER)",
        "INSERT INTO stock VALUES ('café', 1)",
    )
    made = target(engine, Columns("quantity", sku="sku"), match_by=MatchBy.SKU)
    assert len((await made.write([change(1, D(5), sku="café")], agree)).applied) == 1
    written = await made.write([change(1, D(6), sku="café"), change(2, D(5), sku="قهوة")], agree)
    assert "character set latin1" in written.ambiguous[0][1]
    assert await run(engine, "SELECT sku, quantity FROM stock") == [("café", 6)]
    assert len(await read(made, RowLocator(1, "café", ""), RowLocator(2, "قهوة", ""))) == 1
    await engine.dispose()


async def test_a_table_without_transactions_is_noted(target_mariadb_url: str) -> None:
    engine = open_engine(target_mariadb_url, "test")
    await run(engine, "CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity INTEGER) ENGINE=MyISAM")
    assert any("InnoDB" in note for note in (await target(engine).inspect()).notes)
    await engine.dispose()


async def test_a_product_whose_places_fall_into_two_look_ups_is_not_ambiguous(engine: AsyncEngine) -> None:
    """A look-up asks for a thousand keys, as so many products and so many places: it finds their neighbours too."""
    await run(engine, "CREATE TABLE stock (product_id BIGINT, place VARCHAR(9), quantity INTEGER)")
    changes = [change(product, D(1), place) for product in range(340) for place in "ABC"]
    made = target(engine, PLACED)
    for _ in range(2):
        assert len((await made.write(changes, agree)).applied) == len(changes)
    found = await made.read([one.ref for one in changes])
    assert {live.rows for live in found.values()} == {1}


async def test_only_an_owned_engine_is_closed(target_sqlite_url: str) -> None:
    engine = open_engine(target_sqlite_url, "test")
    await run(engine, "CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity INTEGER)")
    shared = target(engine)
    await shared.inspect()
    pool = engine.pool
    await shared.close()
    assert engine.pool is pool
    await open_target(TargetSettings("main", "stock", SIMPLE), engine).close()
    assert engine.pool is not pool
