"""The lines of `check`."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from stocksync.cli.format.elements import BAD, FAILS, GOOD, WAITS, WARN, WELL, clean, many
from stocksync.cli.format.wrapping import Hanging
from stocksync.core.answers import CheckResult, CheckState

_PART_WIDTH = 22
_MARKS = {
    CheckState.WELL: (WELL, GOOD, ""),
    CheckState.WARNING: (WAITS, f"bold {WARN}", ""),
    CheckState.FAILED: (FAILS, BAD, BAD),
}


def finding(value: CheckResult) -> RenderableType:
    """Show one part: well, well with a warning, or not; and what to do."""
    mark, style, words = _MARKS[value.state]
    part = Text(clean(value.part).ljust(_PART_WIDTH), style="bold")
    first, *more = value.what.splitlines() or [""]
    indent = _PART_WIDTH + 5
    lines = [Hanging(Text.assemble((mark, style), "  ", part, "  ", (clean(first), words)), indent)]
    lines += [Hanging(Text(" " * indent + clean(line), style=words), indent) for line in more]
    if value.todo:
        lines.append(Hanging(Text(" " * indent + f"→ {clean(value.todo)}", style="bold"), indent + 2))
    return Group(*lines)


def verdict(values: Sequence[CheckResult]) -> Text:
    """Sum up."""
    states = Counter(value.state for value in values)
    bad, warned = states[CheckState.FAILED], states[CheckState.WARNING]
    if bad:
        return Text(f"{bad} of {len(values)} need{'s' if bad == 1 else ''} you", style=f"bold {BAD}")
    if warned:
        words = f"it works, with {many(warned, 'warning')}; `stocksync plan` shows what would be written"
        return Text(words, style=f"bold {GOOD}")
    return Text("all is well; `stocksync plan` shows what would be written", style=f"bold {GOOD}")
