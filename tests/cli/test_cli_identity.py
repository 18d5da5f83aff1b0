"""Whose rows they are, through the real commands: a restored state, a changed map, look-ups one process at a time."""

import asyncio
import shutil
import sqlite3
from contextlib import closing

from test_cli_commands import STEADY


def rows(tmp_path):
    with closing(sqlite3.connect(tmp_path / "target.db")) as target:
        found = target.execute("SELECT product_id, location_id, quantity FROM stock_levels").fetchall()
    return {(product, place): quantity for product, place, quantity in found}


async def test_once_full_sets_a_target_right_after_its_state_was_restored(command, configured, qoyod, tmp_path):
    configured(STEADY)
    (product, place), _ = next(iter(qoyod.catalogue.figures().items()))
    qoyod.catalogue.stock_take(product, place, 5)
    assert (await command("once")).code == 0
    shutil.copy(tmp_path / "stocksync.db", tmp_path / "backup.db")
    qoyod.catalogue.stock_take(product, place, 73)
    assert (await command("once")).code == 0
    shutil.copy(tmp_path / "backup.db", tmp_path / "stocksync.db")
    qoyod.catalogue.stock_take(product, place, 5)
    shown = await command("once", "--full", "--dry-run", "--json")
    assert [(one["before"], one["after"]) for one in shown.json[0]["apply"]] == [("73", "5")]
    done = await command("once", "--full", "--json")
    assert (done.code, done.json[0]["counts"]["applied"]) == (0, 1), done.err
    assert rows(tmp_path)[product, str(place)] == 5
    again = await command("once", "--full", "--json")
    assert again.json[0]["counts"]["applied"] == 0


async def test_another_target_database_is_filled_though_the_state_knows_every_figure(
    command, configured, qoyod, tmp_path
):
    path = configured(STEADY)
    assert (await command("once")).code == 0
    path.write_text(path.read_text(encoding="utf-8").replace("target.db", "new.db"), encoding="utf-8")
    done = await command("once", "--json")
    assert done.json[0]["counts"]["applied"] == len(qoyod.catalogue.figures())
    assert done.out.count("the target was changed in the configuration") == 1
    assert (await command("once", "--json")).json[0]["counts"]["applied"] == 0


async def test_stock_that_stands_twice_is_named_by_plan_once_and_status(command, configured):
    locations = "[accounts.locations]\nmap = {{ 1 = '{}' }}\nunmapped = 'ignore'\n"
    configured(STEADY + locations.format("MAIN"))
    assert (await command("once")).code == 0
    configured(STEADY + locations.format("CENTRAL"))
    planned, as_json = await asyncio.gather(command("plan"), command("plan", "--json"))
    units = as_json.json[0]["report"]["orphaned"]["MAIN"]
    assert f"MAIN ({units} units)" in planned.out
    assert f"MAIN ({units} units)" in (await command("once")).out
    told, status = await asyncio.gather(command("status"), command("status", "--json"))
    assert f"MAIN ({units} units)" in told.out
    assert '"orphaned"' in status.out


async def test_the_stock_command_carries_no_mass_zero_past_the_guards(command, configured, qoyod, tmp_path):
    configured("[accounts.poll]\ncross_check = 0\nrequests_per_minute = 300\n[accounts.guards]\nzeroed = '3%'\n")
    assert (await command("once")).code == 0
    before = rows(tmp_path)
    positive = [product for (product, _), quantity in before.items() if quantity > 0]
    qoyod.faults.add("all=mass-zero")
    limit = int(0.03 * len(before))
    for product in dict.fromkeys(positive):
        last = await command("stock", "--id", str(product))
        zeroed = sum(quantity == 0 and before[key] > 0 for key, quantity in rows(tmp_path).items())
        if "wait for the next cycle" in last.out:
            break
    assert 0 < zeroed <= limit
    assert "guards weigh" in last.out
