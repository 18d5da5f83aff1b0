"""What a person types about a held plan: shown, asked, kept, and carried out or left alone."""

import asyncio
import os
import pty
import sqlite3
import sys
from contextlib import closing, suppress

import pytest

from stocksync import app
from stocksync.config import load
from stocksync.core.guards import Guard
from stocksync.core.held_plan import Decision, headline
from stocksync.core.report import Outcome
from stocksync.simulator.server import API_KEY

STEADY = "[accounts.poll]\ncross_check = 0\nrequests_per_minute = 300\n[accounts.guards]\nminimum_cells = 0\n"


@pytest.fixture
async def synced(configured, tmp_path, monkeypatch):
    """The configuration of an account after its first cycle."""
    monkeypatch.chdir(tmp_path)
    config = load(configured(STEADY), {"QOYOD_API_KEY": API_KEY})
    await app.once(config, None, None)
    return config


@pytest.fixture
async def wiped(synced, qoyod):
    """The same, and a third of the figures has gone to zero since."""
    for product, place in list(qoyod.catalogue.figures())[::3]:
        qoyod.catalogue.stock_take(product, place, 0)
    return synced


async def _held(config):
    (plan,) = await app.held(config, None)
    return plan


async def _waiting(config):
    assert [one.outcome for one in await app.once(config, None, None)] == [Outcome.HELD]
    return await _held(config)


async def test_plan_stores_what_it_shows_an_id_for_and_with_dry_neither(command, wiped):
    dry = await command("plan", "--dry")
    assert dry.code == 3
    assert "stocksync approve" not in dry.out
    assert await app.held(wiped, None) == []
    shown = await command("plan")
    plan = await _held(wiped)
    assert shown.code == 3
    assert f"held in main: {headline(plan)}" in shown.out
    assert f"stocksync approve {plan.plan_id}" in shown.out
    assert (await app.plan(wiped, None, None))[0].held.plan_id == "", "nor do other readers show one"


async def test_an_approval_by_the_beginning_of_an_id_is_carried_out_and_told_afterwards(command, wiped, qoyod):
    plan = await _waiting(wiped)
    said = await command("approve", plan.plan_id[:4], "--by", "Huda", "--json")
    assert said.code == 0, said.err
    assert len(said.out.splitlines()) < 30, "without the rows"
    told = said.json
    assert (told["plan_id"], told["decision"], told["decided_by"]) == (plan.plan_id, "approved", "Huda")
    assert (told["cells"], told["effect"]) == (len(plan.changes), headline(plan))
    assert (await _held(wiped)).decision is Decision.APPROVED
    assert [one.outcome for one in await app.once(wiped, None, None)] == [Outcome.DONE]
    assert await app.held(wiped, None) == []
    change = next(held.change for held in plan.changes)
    past, explained = await asyncio.gather(command("history", change.sku), command("explain", change.sku))
    for ended in (past, explained):
        assert ended.code == 0, ended.err
        assert f"approved {plan.plan_id} by Huda" in ended.out
        assert f"plan {plan.plan_id}, which waited since" in ended.out


async def test_what_is_rejected_ends_nothing_with_3_and_asks_nobody(command, wiped, qoyod):
    plan = await _waiting(wiped)
    said = await command("reject", plan.plan_id, "--by", "Huda")
    assert said.code == 0, said.err
    planned, status = await asyncio.gather(command("plan"), command("status"))
    assert (planned.code, status.code) == (0, 0), planned.out + status.out
    assert f"{plan.plan_id} rejected by Huda: {headline(plan)}" in planned.out
    assert "waits for a person" not in status.out
    change = plan.changes[0].change
    past = (await command("history", change.sku, "--json")).json
    assert [(row["decision"], row["decided_by"]) for row in past if row["plan_id"]] == [("rejected", "Huda")] * sum(
        held.change.sku == change.sku for held in plan.changes
    )
    assert {row["location"] for row in past} <= {place.english for place in qoyod.catalogue.locations.values()}
    assert "stocksync approve" not in planned.out + status.out
    assert [one.outcome for one in await app.once(wiped, None, None)] == [Outcome.DONE]


async def test_a_plan_is_named_by_account_and_guard_too(command, wiped):
    plan = await _waiting(wiped)
    other, none, unknown = await asyncio.gather(
        command("approve", "--account", "main", "--guard", "deleted"), command("approve"), command("approve", "-a", "x")
    )
    assert (other.code, none.code, unknown.code) == (4, 2, 2)
    assert "nothing of main under the guard deleted waits for a person" in other.err
    assert (await command("approve", "--account", "main", "--guard", "zeroed", "--by", "Huda")).code == 0
    assert (await _held(wiped)).decided_by == "Huda"
    assert {guard for one in plan.changes for guard in one.guards} == {Guard.ZEROED}


@pytest.mark.parametrize("columns", [80, 120])
async def test_approve_shows_and_asks_on_a_terminal(tmp_path, wiped, columns):
    plan = await _waiting(wiped)
    code, shown = await _on_terminal(tmp_path, columns, "n", "approve", plan.plan_id)
    assert code == 1
    assert (await _held(wiped)).decision is Decision.WAITING
    assert all(len(line) <= columns for line in shown.splitlines())
    assert f"held in main: {headline(plan)}"[: columns - 2] in shown
    assert "the largest falls" in shown
    assert "Main Warehouse" in shown
    code, shown = await _on_terminal(tmp_path, columns, "y", "approve", plan.plan_id)
    assert (code, (await _held(wiped)).decision) == (0, Decision.APPROVED), shown


async def _on_terminal(folder, columns, answer, *arguments):
    ours, theirs = pty.openpty()
    environ = {**os.environ, "QOYOD_API_KEY": API_KEY, "COLUMNS": str(columns), "TERM": "dumb"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "stocksync",
        *arguments,
        cwd=folder,
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    shown = b""
    with suppress(OSError):  # the other side is closed
        while part := await asyncio.to_thread(os.read, ours, 4096):
            shown += part
    os.close(ours)
    return await process.wait(), shown.decode()


async def test_healing_that_a_guard_holds_ends_with_3_and_is_put_back_once_approved(command, synced, tmp_path):
    with closing(sqlite3.connect(tmp_path / "target.db")) as target, target:
        target.execute("UPDATE stock_levels SET quantity = 500")
    held = await command("drift", "--heal")
    plan = await _held(synced)
    assert (held.code, plan.cause) == (3, "heal"), held.out + held.err
    assert f"stocksync approve {plan.plan_id}" in held.out
    shown = await command("plan")
    assert (shown.code, f"stocksync approve {plan.plan_id}" in shown.out) == (3, True), "row by row, like any other"
    await app.decide(synced, plan, Decision.APPROVED, "Huda")
    healed = await command("drift", "--heal")
    assert (healed.code, await app.held(synced, None)) == (0, []), healed.out + healed.err
    assert f"{len(plan.changes)} put back" in healed.out


async def test_the_next_command_follows_a_killed_one_at_once(command, synced, tmp_path, qoyod):
    qoyod.faults.add("all=timeout")
    asked = len(qoyod.requests)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stocksync", "once", cwd=tmp_path, env={**os.environ, "QOYOD_API_KEY": API_KEY},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(50):
        while len(qoyod.requests) == asked:  # noqa: ASYNC110  another process makes them
            await asyncio.sleep(0.05)
    process.kill()
    await process.wait()
    qoyod.faults.clear()
    followed = await command("once")
    assert followed.code == 0, followed.err
