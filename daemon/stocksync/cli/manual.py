"""The manual page, made from the commands as `--help` shows them.

`python -m stocksync.cli.manual > docs/stocksync.1` makes it anew.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import typer

import stocksync.cli.entry  # noqa: F401  it names the commands to the program
from stocksync.cli.program import program

_EXIT_CODES = (
    (0, "Well."),
    (1, "The work failed."),
    (2, "The configuration or the command line is wrong; all problems are told at once."),
    (3, "Something is held and waits for a person."),
    (4, "What was asked for is not there."),
    (130, "Ended by Ctrl-C."),
)
_FILES = (
    (
        "./config.toml, /etc/stocksync/config.toml",
        "The configuration, where neither --config nor STOCKSYNC_CONFIG says.",
    ),
    ("stocksync.db", "The state, in the working directory or in $STATE_DIRECTORY, where state.url names no other."),
)
_ENVIRONMENT = (
    ("STOCKSYNC_CONFIG", "The configuration file."),
    ("STOCKSYNC_SECTION__KEY", "Any value of the configuration, such as STOCKSYNC_HTTP__LISTEN."),
    ("STATE_DIRECTORY, CREDENTIALS_DIRECTORY", "Set by systemd: where the state stands, and the credentials."),
    ("NO_COLOR, COLUMNS", "As everywhere: no colours, and how wide tables may be."),
)


def manual() -> str:
    """Give stocksync(1) as troff."""
    whole: Any = typer.main.get_command(program)
    summary, *about = _paragraphs(whole.help)
    lines = [
        '.\\" Made by python -m stocksync.cli.manual; a test compares.',
        '.TH STOCKSYNC 1 "" "stocksync" "User Commands"',
        *_section("NAME", [f"stocksync \\- {_plain(summary[:1].lower() + summary[1:].rstrip('.'))}"]),
        *_section("SYNOPSIS", [".B stocksync", "\\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]"]),
        *_section("DESCRIPTION", _text(about)),
        ".SH COMMANDS",
    ]
    for name, command in _named(whole):
        arguments = [each.metavar or each.name.upper() for each in command.params if each.param_type_name == "argument"]
        lines += (f".SS stocksync {' '.join([name, *map(_plain, arguments)])}", *_text(_paragraphs(command.help)))
        for each in command.params:
            if each.param_type_name == "option" and not each.hidden:
                value = "" if each.is_flag or each.metavar == "" else f" {each.metavar or each.name.upper()}"
                lines += _terms([(", ".join(each.opts) + value, each.help or "")])
    lines += [
        *_section("EXIT STATUS", _terms((str(code), meaning) for code, meaning in _EXIT_CODES)),
        *_section("ENVIRONMENT", _terms(_ENVIRONMENT)),
        *_section("FILES", _terms(_FILES)),
    ]
    return "\n".join(lines) + "\n"


def _named(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401  Typer's own Click is untyped
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _named(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f".SH {title}"
    yield from lines


def _paragraphs(text: str | None) -> list[str]:
    return [paragraph for paragraph in (text or "").split("\n\n") if paragraph.strip()]


def _text(paragraphs: Iterable[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        if paragraph.startswith("$"):
            yield from (".nf", *map(_plain, paragraph.splitlines()), ".fi")
        else:
            yield from (".PP", _plain(" ".join(paragraph.split())))


def _terms(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, meaning in pairs:
        yield from (".TP", f".B {_plain(term)}", _plain(meaning))


def _plain(text: str) -> str:
    """Take Rich's marks away, and what troff would take for a command."""
    bare = text.replace("[bold]", "").replace("[/bold]", "").replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{bare}" if bare.startswith((".", "'")) else bare


if __name__ == "__main__":
    sys.stdout.write(manual())
