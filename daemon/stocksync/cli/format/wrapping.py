"""Lines that wrap between words, never within a command that is to be typed."""

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_COMMAND = re.compile(
    r"`[^`\n]+`|\bGRANT .+? TO \S+|\bpip install \S+|\bstocksync(?: --?\w[\w-]*(?: [^\s,;.)]+)?| [^\s,;)]+)+"
)
_NARROWEST = 20


class Hanging:
    """A text whose further lines are indented; a command that is too long for the screen has a line of its own."""

    def __init__(self, text: Text, indent: int) -> None:
        self._text = text
        self._indent = indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render for the width there is."""
        width = options.max_width
        indent = self._indent if width - self._indent >= _NARROWEST else 2
        for line in _lines(self._text, width, indent):
            yield from console.render(line, options.update(no_wrap=True, overflow="ignore"))


def _lines(text: Text, width: int, indent: int) -> Iterator[Text]:
    line, used = Text(), 0
    for piece in _pieces(text):
        size = cell_len(piece.plain.rstrip())
        if used and used + size > width and line.plain.strip():
            line.rstrip()
            yield line
            line, used = Text(" " * indent), indent
            piece = _stripped(piece)  # noqa: PLW2901  the space before it ended with the line
        line.append_text(piece)
        used += cell_len(piece.plain)
    line.rstrip()
    yield line


def _stripped(piece: Text) -> Text:
    return piece[len(piece.plain) - len(piece.plain.lstrip()) :]


def _pieces(text: Text) -> Iterator[Text]:
    """Give words with the blanks after them; a command is one word."""
    whole = [match.span() for match in _COMMAND.finditer(text.plain)]
    start = 0
    for blank in re.finditer(r"\s+(?=\S)", text.plain):
        if not any(begin < blank.start() and blank.end() < end for begin, end in whole):
            yield text[start : blank.end()]
            start = blank.end()
    yield text[start:]
