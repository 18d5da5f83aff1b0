"""The manual page and the completion know every command."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import typer

from stocksync.cli.entry import program
from stocksync.cli.manual import manual

PAGE = Path(__file__).parents[2] / "docs" / "stocksync.1"
COMMANDS = typer.main.get_command(program).commands


def test_the_page_is_made_from_the_commands():
    assert PAGE.read_text(encoding="utf-8") == manual(), "python -m stocksync.cli.manual > docs/stocksync.1"


def test_every_command_and_option_stands_in_it():
    told = set(re.findall(r"^\.SS stocksync ([a-z]+)", manual(), re.MULTILINE))
    assert told == set(COMMANDS)
    text = manual().replace("\\-", "-")
    assert all(
        option in text
        for command in COMMANDS.values()
        for each in command.params
        for option in each.opts[:1]
        if option.startswith("--")
    )


def test_no_line_is_taken_for_a_command_of_troff():
    known = {"TH", "SH", "SS", "PP", "TP", "B", "nf", "fi", '\\"'}
    commands = {line[1:].split(" ")[0] for line in manual().splitlines() if line.startswith((".", "'"))}
    assert commands <= known


def completed(words, folder, **more):
    environ = {
        **os.environ,
        **more,
        "_STOCKSYNC_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    command = [str(Path(sys.executable).parent / "stocksync")]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_and_accounts(tmp_path, configured):
    configured()
    assert completed("stocksync st", tmp_path) == ["status", "stock"]
    assert completed("stocksync status --account m", tmp_path) == ["main"]
    (tmp_path / "config.toml").write_text("broken", encoding="utf-8")
    assert completed("stocksync status --account m", tmp_path) == []


async def test_bash_completes_skus_and_ids_from_a_state_in_a_file(tmp_path, configured, command, qoyod):
    qoyod.catalogue.create("ZZ-1 $(reboot)", "Words that a shell would run", stock={1: 1})
    config = configured()
    assert (await command("once")).code == 0
    with closing(sqlite3.connect(tmp_path / "stocksync.db")) as state, state:
        known = sorted(sku for (sku,) in state.execute("SELECT sku FROM stocksync_products"))
        for plan, account in (("7f-of-main", "main"), ("7e-of-other", "other")):
            values = (account, "poll", plan, 0, b"")
            state.execute("INSERT INTO stocksync_waiting_plans VALUES (?, ?, ?, ?, ?)", values)
    beginning = known[0][:2]
    assert completed(f"stocksync explain {beginning}", tmp_path) == [one for one in known if one.startswith(beginning)]
    assert completed("stocksync stock ZZ", tmp_path) == []
    assert sorted(completed("stocksync approve 7", tmp_path)) == ["7e-of-other", "7f-of-main"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    state_url = f"sqlite:///{tmp_path}/stocksync.db"
    words = f"stocksync reject --config {config} --account main 7"
    assert completed(words, elsewhere, STOCKSYNC_STATE__URL=state_url) == ["7f-of-main"]
    assert completed(words, elsewhere, STOCKSYNC_STATE__URL="postgresql://nobody@192.0.2.1/none") == []
