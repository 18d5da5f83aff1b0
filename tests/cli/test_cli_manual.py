"""The manual page and the completion know every command."""

import os
import re
import subprocess
import sys
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


def completed(words, folder):
    environ = {
        **os.environ,
        "_STOCKSYNC_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    command = [str(Path(sys.executable).parent / "stocksync")]
    return subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False).stdout.split()


def test_bash_completes_commands_and_accounts(tmp_path, configured):
    configured()
    assert completed("stocksync st", tmp_path) == ["status", "stock"]
    assert completed("stocksync status --account m", tmp_path) == ["main"]
    (tmp_path / "config.toml").write_text("broken", encoding="utf-8")
    assert completed("stocksync status --account m", tmp_path) == []
