"""Commands that a person is to type are never broken over two lines, on whatever screen they stand."""

import re
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from stocksync.cli.stream import GLUE

_NAMES = (
    "run|once|plan|approve|reject|retry|check|status|stock|explain|history|drift|levels|changes|migrate|simulator|demo"
    "|init|healthcheck|worker|serve|fleet"
)
# Options with their values, and words that are no prose: an id, a SKU, NAME. A quoted word may hold blanks.
_WORD = r"(?:--?[a-z][\w-]*(?:[= ](?:'[^']*'|[^\s'`;,)-][^\s`;,)]*))?|'[^']*'|[A-Z][A-Z_]+\b|[^\s`;,)]*\d[^\s`;,)]*)"
_COMMAND = re.compile(
    rf"`[^`\n]+`|\bstocksync (?:{_NAMES})\b(?: {_WORD})*|\bpip install (?:'[^']*'|\S+)"
    r"|\b(?:chmod|chown) \S+ [^\s;,]+|\bmkdir -p [^\s;,]+"
)


def whole(value: Any) -> Any:  # noqa: ANN401  whatever Rich prints
    """Give a renderable with the commands in it glued together."""
    if isinstance(value, str):
        return _glued(value)
    if isinstance(value, Text):
        value.plain = _glued(value.plain)
    elif isinstance(value, Group):
        return Group(*(whole(each) for each in value.renderables))
    elif isinstance(value, Table):
        for column in value.columns:
            column._cells = [whole(cell) for cell in column._cells]  # noqa: SLF001  Rich shows cells to nobody else
    elif isinstance(value, Panel | Padding):
        value.renderable = whole(value.renderable)
    return value


def _glued(text: str) -> str:
    return _COMMAND.sub(lambda found: found[0].replace(" ", GLUE), text)
