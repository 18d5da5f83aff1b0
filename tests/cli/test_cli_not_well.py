"""No command says "well" of an account that is not: exit codes, first lines, and what to do."""

import asyncio
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
    planned, told = await asyncio.gather(command("plan"), command("status", "--json"))
    assert (planned.code, told.code) == (1, 1)
    assert share in planned.out
    assert told.json[0]["health"]["reasons"][0].startswith(share.removeprefix("✗ main  "))


async def test_a_few_refused_rows_are_named_and_leave_the_account_well(command, numbered, qoyod):
    numbered("")
    product, location = next(iter(qoyod.catalogue.figures()))
    qoyod.catalogue.stock_take(product, location, 2**70)
    ended = await command("once")
    assert ended.code == 0, ended.out
    assert ended.out.startswith("✓ main  done")
    assert "set aside" in ended.out
    assert "cells refused: " in ended.out


@pytest.mark.parametrize("lost", ["no figure", "not tracked"])
async def test_a_cycle_after_which_most_is_unknown_is_not_called_done(command, configured, qoyod, lost):
    configured()
    assert (await command("once")).code == 0
    one = next(item.id for item in qoyod.catalogue.items.values() if item.tracked and item.stock)
    for item in list(qoyod.catalogue.items.values()):
        if item.tracked and lost == "not tracked":
            qoyod.catalogue.untrack(item.id)
        item.stock.clear()
        qoyod.catalogue._touch(item)
    once, stock = await command("once"), await command("stock", "--id", str(one), "--json")
    assert once.code == 1, once.out
    assert once.out.startswith("✗ main  Qoyod no longer ")
    assert all(name for place in stock.json[0]["places"] for name in place["locations"].values())


async def test_a_revoked_key_is_the_first_word_and_comes_with_what_to_do(command, configured):
    configured("[accounts.poll]\ncross_check = 0\n")
    assert (await command("once")).code == 0
    refused = await command("once", QOYOD_API_KEY="revoked")
    assert refused.code == 1
    assert refused.out.startswith("✗ main  Qoyod refuses the credential")
    assert "→ make a key in Qoyod" in refused.out
    assert refused.err == ""
    planned = await command("plan", QOYOD_API_KEY="revoked")
    assert planned.code == 1
    assert "→ make a key in Qoyod" in planned.err
    assert len(planned.err.splitlines()) == 2
    told = await command("status", "--account", "main")
    assert told.code == 1
    assert told.out.startswith("✗ main  credential refused, ")
    assert "make a key in Qoyod" in told.out
    assert told.out.count("Qoyod refused the credential (401)") == 1


async def test_a_target_that_is_away_fails_a_cycle_that_has_nothing_to_write(command, configured, tmp_path):
    configured("[accounts.poll]\ncross_check = 0\n")
    assert (await command("once")).code == 0
    for file in tmp_path.glob("target.db*"):
        file.unlink()
    (tmp_path / "target.db").mkdir()
    ended = await command("once")
    assert ended.code == 1
    assert "target" in ended.out
    told = (await command("status", "--json")).json[0]["status"]
    assert told["consecutive_failures"] == 1
    assert told["target_contact"] < told["last_attempt"]
