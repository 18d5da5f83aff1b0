"""No command says "well" of an account that is not: exit codes, first lines, and what to do."""

import sqlite3
from contextlib import closing

import pytest

STRICT = "CREATE TABLE levels (pid INTEGER, loc INTEGER, qty INTEGER, PRIMARY KEY (pid, loc)) STRICT"
INTO_NUMBERS = """
table = "levels"
[accounts.target.columns]
product_id = "pid"
location = "loc"
quantity = "qty"
[accounts.policy]
on_deleted = "keep"
[accounts.poll]
cross_check = 0
requests_per_minute = 300
[accounts.locations]
"""


@pytest.fixture
def numbered(configured, tmp_path):
    """A target whose location column holds whole numbers."""
    with closing(sqlite3.connect(tmp_path / "target.db")) as target:
        target.execute(STRICT)
    path = configured()
    text = path.read_text(encoding="utf-8").replace("create_table = true\n", "")

    def write(locations):
        path.write_text(text + INTO_NUMBERS + locations, encoding="utf-8")

    return write


async def test_refused_rows_are_the_headline_of_every_command(command, numbered, qoyod):
    numbered('map = { 1 = "MAIN" }')
    refused = sum(location == 1 for _, location in qoyod.catalogue.figures())
    share = f"{refused} of {len(qoyod.catalogue.figures())} cells refused: column 'loc': 'MAIN' is no"
    first = await command("once")
    assert first.code == 1, first.out
    assert first.out.startswith(f"✗ main  {share}")
    assert "✓" not in first.out
    for words in (["once", "--dry-run"], ["plan"], ["status"]):
        later = await command(*words)
        assert later.code == 1, later.out
        assert share in later.out
    again = await command("once", "--json")
    assert (again.code, again.json[0]["unwell"]) == (1, True)
    assert share in again.json[0]["refusal"]
    assert '"set_aside"' in again.err


async def test_a_few_refused_rows_are_named_and_leave_the_account_well(command, numbered, qoyod):
    numbered("")
    product, location = next(iter(qoyod.catalogue.figures()))
    qoyod.catalogue.stock_take(product, location, 2**70)
    ended = await command("once")
    assert ended.code == 0, ended.out
    assert ended.out.startswith("✓ main  done")
    assert "set aside" in ended.out
    assert "cells refused: " in ended.out
