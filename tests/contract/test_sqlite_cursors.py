"""A SQLite connection that is closed leaves no lock behind, whatever of it is still referred to."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from stocksync.sqlengine import open_engine, writing


def commit(file: Path) -> None:
    """Take and give back the write lock of a file whose journal is rolled back: that waits for all who read."""
    other = sqlite3.connect(file, timeout=0.1, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        other.execute("COMMIT")
    finally:
        other.close()


async def test_a_cursor_that_was_read_halfway_keeps_no_lock_beyond_its_connection(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    engine = open_engine(f"sqlite:///{file}", "")
    async with writing(engine) as connection:
        await connection.execute(text("CREATE TABLE stock (id INTEGER)"))
        await connection.execute(text("INSERT INTO stock VALUES (:id)"), [{"id": number} for number in range(1000)])
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        cursor = await driver.cursor()
        await cursor.execute("SELECT id FROM stock")
        assert await cursor.fetchone() == (0,)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            commit(file)
        await connection.invalidate()  # as a cancelled question does, whose error still refers to the cursor
        commit(file)
    await engine.dispose()
    assert cursor is not None
