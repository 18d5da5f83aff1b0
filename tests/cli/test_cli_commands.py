"""The commands as people and scripts use them: output, streams and exit codes."""

import asyncio
import csv
import io
import json
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from stocksync.core.model import show

STEADY = "[accounts.poll]\ncross_check = 0\nrequests_per_minute = 300\n[accounts.guards]\nminimum_cells = 0\n"


async def test_once_writes_reports_and_finds_nothing_the_second_time(command, configured, qoyod, tmp_path):
    configured(STEADY)
    first = await command("once")
    assert first.code == 0, first.err
    assert "✓ main  done" in first.out
    assert "complete: 60 products, 1 page" in first.out
    assert first.err == ""
    with closing(sqlite3.connect(tmp_path / "target.db")) as target:
        assert target.execute("SELECT count(*) FROM stock_levels").fetchone() == (len(qoyod.catalogue.figures()),)
    second = await command("once", "--json")
    assert second.code == 0
    assert second.json[0]["counts"]["applied"] == 0
    assert second.json[0]["counts"]["unchanged"] == len(qoyod.catalogue.figures())


@pytest.mark.parametrize(
    "asked", [["status"], ["history", "SKU-1"], ["levels"], ["changes"], ["approve", "p1"], ["retry"]]
)
async def test_who_only_asks_makes_no_state(command, configured, tmp_path, asked):
    configured(STEADY)
    said = await command(*asked)
    assert said.err.count("Traceback") == 0
    assert not list(tmp_path.glob("state*")), said.out


async def test_a_held_plan_is_shown_decided_and_applied(command, configured, qoyod):
    configured(STEADY)
    assert (await command("once")).code == 0
    for product, place in list(qoyod.catalogue.figures())[::3]:
        qoyod.catalogue.stock_take(product, place, 0)
    held = await command("once")
    assert held.code == 3, held.err
    assert "stocksync approve" in held.out
    shown = await command("plan", "--limit", "2")
    assert shown.code == 3
    assert "zeroed" in shown.out
    assert "--limit" in shown.out
    plan = (await command("plan", "--json")).json[0]["held"]
    said = await command("approve", plan["plan_id"], "--by", "Huda")
    assert said.code == 0
    assert "approved" in said.out
    assert "by Huda" in said.out
    released = await command("once")
    assert released.code == 0, released.out
    assert (await command("reject", plan["plan_id"])).code == 4


async def test_one_product_is_looked_up_explained_and_remembered(command, configured, qoyod):
    configured(STEADY)
    assert (await command("once")).code == 0
    (product, place), _ = next(iter(qoyod.catalogue.figures().items()))
    sku = qoyod.catalogue.item(product).sku
    qoyod.catalogue.stock_take(product, place, 77)
    looked = await command("stock", "--id", str(product))
    assert looked.code == 0, looked.err
    assert "77" in looked.out
    assert "wrote 1 cell" in looked.out
    explained, past = await asyncio.gather(command("explain", sku), command("history", sku, "--json"))
    assert explained.code == 0
    assert "raw" in explained.out
    assert "written (" in explained.out
    assert past.json[0]["change"]["after"] == "77"


async def test_what_is_not_there_ends_with_4_and_one_line(command, configured):
    configured(STEADY)
    await command("migrate")
    asked = [("stock", "NO-SUCH"), ("explain", "NO-SUCH"), ("history", "NO-SUCH"), ("approve", "0000")]
    for ended in await asyncio.gather(*(command(*arguments) for arguments in asked)):
        assert ended.code == 4, ended.err
        assert ended.out == ""
        assert len(ended.err.splitlines()) == 1
        assert ended.err.startswith("error: ")


async def test_status_is_well_after_a_cycle_and_not_before(command, configured):
    configured(STEADY)
    before = await command("status")
    assert before.code == 1
    assert "no complete cycle yet" in before.out
    assert (await command("once")).code == 0
    after, as_json = await asyncio.gather(command("status"), command("status", "--json"))
    assert after.code == 0
    assert "✓ main" in after.out
    assert as_json.json[0]["health"]["well"] is True


async def test_check_tells_what_is_well_line_by_line(command, configured):
    configured()
    ended = await command("check")
    assert ended.code == 0, ended.out + ended.err
    assert ended.out.count("✓") >= 4
    assert "all is well" in ended.out


async def test_check_says_what_to_do_about_a_refused_credential(command, configured):
    configured()
    ended = await command("check", QOYOD_API_KEY="revoked")
    assert ended.code == 1
    assert "✗  main: credential" in ended.out
    assert "→" in ended.out
    assert "revoked" not in ended.out + ended.err


async def test_check_lists_every_mistake_of_the_configuration(command, tmp_path):
    (tmp_path / "config.toml").write_text("[stat]\n[[accounts]]\nname = 'A'\n", encoding="utf-8")
    ended = await command("check")
    assert ended.code == 2
    assert ended.out.count("✗") == 4
    assert 'did you mean "state"?' in ended.out


async def test_configuration_mistakes_are_one_line_each_and_exit_code_2(command, tmp_path):
    (tmp_path / "config.toml").write_text("[stat]\n[[accounts]]\nname = 'A'\n", encoding="utf-8")
    ended = await command("once")
    assert (ended.code, ended.out) == (2, "")
    lines = ended.err.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("error: ") for line in lines)


async def test_wrong_usage_ends_with_2_and_nothing_on_standard_output(command, configured):
    configured()
    asked = [
        ("once", "--config", "nowhere.toml"),
        ("nonsense",),
        ("stock",),
        ("stock", "A", "--id", "3"),
        ("once", "--account", "x"),
    ]
    for ended in await asyncio.gather(*(command(*arguments) for arguments in asked)):
        assert (ended.code, ended.out) == (2, "")
        assert ended.err
        assert "Traceback" not in ended.err


async def test_a_refused_credential_fails_the_cycle_in_words(command, configured):
    configured()
    ended = await command("once", QOYOD_API_KEY="revoked")
    assert ended.code == 1
    assert "✗ main  Qoyod refuses the credential" in ended.out
    assert "Traceback" not in ended.out + ended.err


async def test_drift_names_what_was_edited_and_heals_it(command, configured, tmp_path):
    configured(STEADY)
    assert (await command("once")).code == 0
    with closing(sqlite3.connect(tmp_path / "target.db")) as target, target:
        target.execute("UPDATE stock_levels SET quantity = 12345 WHERE rowid = (SELECT min(rowid) FROM stock_levels)")
    found = await command("drift")
    assert found.code == 1, found.err
    assert "edited_in_target" in found.out
    remembered = await command("status", "--json")
    assert remembered.json[0]["status"]["audit"]["cells"] == {"edited_in_target": 1}
    healed = await command("drift", "--heal", "--json")
    assert (healed.code, healed.json[0]["healed"]) == (0, 1)


async def test_migrate_says_what_it_did_or_would_do(command, configured):
    configured()
    for arguments, was_at_head in (("--dry-run",), False), ((), False), ((), True):
        ended = await command("migrate", "--json", *arguments)
        assert (ended.code, ended.json["was_at_head"]) == (0, was_at_head), ended
    assert (await command("migrate")).out == "the state database is at head already\n"


async def test_help_and_version_need_no_configuration(command):
    helped, version = await asyncio.gather(command("once", "--help"), command("--version"))
    assert helped.code == 0
    assert "$ stocksync once --account main --dry-run" in helped.out
    assert "<bool>" not in helped.out
    assert "-V" in (await command("--help")).out
    assert version.out.startswith("stocksync ")


async def test_changes_are_a_feed_and_levels_are_stock_for_spreadsheets(command, configured, qoyod):
    async def fed(*more):
        return [json.loads(line) for line in (await command("changes", "--json", *more)).out.splitlines()]

    configured()
    assert (await command("once")).code == 0
    first = await fed()
    assert [line["id"] for line in first] == sorted(line["id"] for line in first)
    (product, location), figure = min(qoyod.catalogue.figures().items())
    qoyod.catalogue.stock_take(product, location, figure + 1)
    assert (await command("once")).code == 0
    (new,) = await fed("--after", str(first[-1]["id"]))
    assert new["change"]["product_id"] == product
    assert "no row 999999" in (await command("changes", "--after", "999999")).err
    rows = list(csv.DictReader(io.StringIO((await command("levels", "--csv")).out)))
    assert len(rows) == len(first)
    assert {row["location_name"] for row in rows} == {"Main Warehouse", "Riyadh Outlet"}
    assert "--at" in (await command("levels", "--at", "yesterday")).err
    early = await command("levels", "--at", "2020-01-01", "--csv")
    assert (early.code, early.out) == (2, "")
    assert "main: the ledger reaches back to 20" in early.err


async def test_whatever_is_a_table_is_csv_too(command, configured, qoyod):
    async def sheet(*arguments):
        ended = await command(*arguments, "--csv")
        return list(csv.DictReader(io.StringIO(ended.out))), ended.code

    configured()
    planned, code = await sheet("plan")
    assert {(row["account"], row["would_be"]) for row in planned} == {("main", "written")}
    assert (await command("once")).code == code == 0
    (product, location), figure = min(qoyod.catalogue.figures().items())
    sku = qoyod.catalogue.items[product].sku
    qoyod.catalogue.stock_take(product, location, figure + 1)
    asked, _ = await sheet("stock", sku)
    assert show(Decimal(figure + 1)) in {row["qoyod"] for row in asked}
    assert {row["fresh"] for row in asked} == {"true"}
    ((row,), code) = await sheet("status")
    assert (row["account"], row["well"], row["state"], row["held"], code) == ("main", "true", "fresh", "0", 0)
    changed, _ = await sheet("history", sku)
    fed, _ = await sheet("changes")
    assert (changed[0]["after"], changed[0]["kind"], changed[0]["sku"]) == (show(Decimal(figure + 1)), "update", sku)
    assert fed[-1] == changed[0]
    assert {row["step"] for row in (await sheet("explain", sku))[0]} > {"raw"}
    assert await sheet("drift") == ([], 0)
