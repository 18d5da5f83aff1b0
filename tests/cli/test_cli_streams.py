"""What reaches a pipe, a narrow or poor terminal, and a reader that has gone."""

import asyncio
import io
import json
import os
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from stocksync.cli import entry, stream, terminal
from stocksync.cli.commands_whole import whole
from stocksync.cli.format.elements import clean, facts, table
from stocksync.state.database import open_state

CONFIG = """
[[accounts]]
name = "main"
[accounts.auth]
secret_env = "QOYOD_API_KEY"
[accounts.target]
url = "sqlite:///target.db"
"""


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """Run a command in this process, with a standard output of the test's choice; gives its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QOYOD_API_KEY", "the-key-nobody-may-see")
    for name in [name for name in os.environ if name.startswith("STOCKSYNC_")]:
        monkeypatch.delenv(name)
    Path("config.toml").write_text(CONFIG, encoding="utf-8")

    def run(*arguments, out):
        monkeypatch.setattr(sys, "argv", ["stocksync", *arguments])
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as ended:
            entry.main()
        return ended.value.code

    return run


def wide():
    made = table("product", "what")
    made.add_row(Text("P-01"), Text("word " * 80))
    made.add_row(Text("P-02"), Text("short"))
    return Group(made, facts(("a fact", "b")))


def printed(value, monkeypatch, encoding="utf-8", **environ):
    monkeypatch.delenv("COLUMNS", raising=False)
    for name, setting in environ.items():
        monkeypatch.setenv(name, setting)
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    terminal._console(stderr=False).print(value)
    sys.stdout.flush()
    return raw.getvalue().decode(encoding)


def test_into_a_pipe_nothing_is_padded_and_nothing_broken(monkeypatch):
    lines = printed(wide(), monkeypatch).splitlines()
    assert any(line.endswith("word " * 79 + "word") for line in lines)
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_given_width_is_kept_to(monkeypatch):
    lines = printed(wide(), monkeypatch, COLUMNS="60").splitlines()
    assert max(map(len, lines)) <= 60
    assert [line for line in lines if line != line.rstrip()] == []


COMMANDS = (
    "stocksync approve 2260c71690",
    "stocksync drift --heal --account main",
    "stocksync check --config '/etc/my shop/config.toml'",
    "stocksync stock OUD-00001",
    "pip install 'stocksync[postgresql]'",
    "`stocksync plan`",
    "mkdir -p /var/lib/stocksync",
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", range(66, 80, 3))
def test_a_command_is_never_broken_over_two_lines(monkeypatch, command, width):
    sentence = f"many words stand before what is to be typed: {command}, and then others follow"
    made = table("why")
    made.add_row(Text(sentence))
    for value in (Text(sentence), sentence, made, facts(("to do", Text(sentence))), Panel(Group(Text(sentence)))):
        shown = printed(value, monkeypatch, COLUMNS=str(width))
        assert any(command in line for line in shown.splitlines()), shown


def test_prose_about_stocksync_is_broken_like_other_prose():
    told = Text("stocksync is in use by process 17 and stocksync run waits for it")
    assert whole(told).plain.replace("run waits", "").count(" ") > 8


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("one\ntwo\r\nthree", "one\n    two\n    three"),
        ("a\x1b[2Jb\u202ec\u2066d", "a�[2Jb�c�d"),
        ("می\u200cروم", "می\u200cروم"),
        ("قهوة\u200f!", "قهوة\u200f!"),
        ("a\tb", "a b"),
        ("", ""),
        ("\ue000", "�"),
    ],
)
def test_foreign_text_keeps_its_lines_and_marks_and_nothing_that_acts(given, shown):
    assert clean(given) == shown


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp1256"])
def test_a_terminal_that_cannot_show_our_marks_gets_others(monkeypatch, encoding):
    shown = printed(Group(Text("✓ well → done … قهوة"), wide()), monkeypatch, encoding)
    assert shown.splitlines()[0].startswith("+ well > done ")


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("check", "--json"), ("--help",)])
def test_no_encoding_ends_a_command_in_a_traceback(typed, capsys, arguments):
    raw = io.BytesIO()
    code = typed(*arguments, out=io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    told = raw.getvalue().decode("ascii")
    assert code in {0, 1}
    assert told
    assert capsys.readouterr().err == ""
    if "--json" in arguments:
        json.loads(told)


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_asked_for_as_elsewhere(typed, option):
    raw = io.BytesIO()
    assert typed(option, out=io.TextIOWrapper(raw, write_through=True)) == 0
    assert raw.getvalue().startswith(b"stocksync ")


def test_json_keeps_its_syntax_where_it_must_be_escaped():
    text = json.dumps({"name": "قهوة 😀 é"}, ensure_ascii=False)
    assert json.loads(stream.as_json(text, "ascii")) == json.loads(text)
    assert stream.as_json(text, "utf-8") == text


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("check",), ("check", "--json"), ("--help",)])
def test_a_reader_that_has_gone_is_no_fault(typed, capfd, arguments):
    asyncio.run(a_state())
    reading, writing = os.pipe()
    os.close(reading)
    with suppress(BrokenPipeError), os.fdopen(writing, "w", encoding="utf-8") as out:
        code = typed(*arguments, out=out)
    assert code in {0, 1}
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("check",), ("changes", "--csv")])
def test_a_full_disk_is_told_and_is_no_mistake_of_ours(typed, capfd, arguments):
    asyncio.run(a_state())
    out = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115  to close it is to write what it holds
    code = typed(*arguments, out=out)
    with suppress(OSError):
        out.close()
    assert (code, capfd.readouterr().err) == (1, "error: the output cannot be written: No space left on device\n")


async def a_state():
    await (await open_state("sqlite:///stocksync.db", timedelta(days=1))).close()


def test_a_plain_console_shows_no_glue():
    shown = io.StringIO()
    Console(file=shown).print(Text("stocksync plan"))
    assert shown.getvalue() == "stocksync plan\n"
