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
        lines, used = [Text()], 0
        for piece in _pieces(self._text):
            size, skipped = cell_len(piece.plain.rstrip()), 0
            if used and used + size > width and lines[-1].plain.strip():
                lines.append(Text(" " * indent))
                # The space before it ends with the line.
                used, skipped = indent, len(piece.plain) - len(piece.plain.lstrip())
            lines[-1].append_text(piece[skipped:])
            used += cell_len(piece.plain[skipped:])
        for line in lines:
            line.rstrip()
            yield from console.render(line, options.update(no_wrap=True, overflow="ignore"))


def _pieces(text: Text) -> Iterator[Text]:
    """Give words with the blanks after them; a command is one word."""
    whole = [match.span() for match in _COMMAND.finditer(text.plain)]
    start = 0
    for blank in re.finditer(r"\s+(?=\S)", text.plain):
        if not any(begin < blank.start() and blank.end() < end for begin, end in whole):
            yield text[start : blank.end()]
            start = blank.end()
    yield text[start:]
