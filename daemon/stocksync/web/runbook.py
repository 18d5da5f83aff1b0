"""docs/runbook.md as a page: what an alert means and what to type stands where the trouble is shown.

It is written in the few forms of Markdown that are read here: headings, paragraphs, lists, tables, code and emphasis.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

_SPANS = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\*([^*]+)\*"), r"<em>\1</em>"),
    # Other documents are not served here.
    (re.compile(r"\[([^\]]+)\]\([^)]+\)"), r"\1"),
)


@cache
def sections() -> Markup:
    """Give the whole of it; an alert's section bears its name in small letters."""
    package = Path(__file__).parents[1]
    shipped = package / "runbook.md"
    file = shipped if shipped.is_file() else package.parents[1] / "docs/runbook.md"
    # The file is ours, and escaped before it is marked up.
    return Markup("\n".join(_blocks(file.read_text(encoding="utf-8"))))  # noqa: S704


def _blocks(text: str) -> Iterator[str]:
    for block in re.split(r"\n{2,}", text.strip()):
        lines = block.splitlines()
        if heading := re.fullmatch(r"(#+) (.*)", block):
            level, name = len(heading[1]), heading[2]
            yield f'<h{level} id="{escape(name.lower().replace(" ", "-"))}">{_inline(name)}</h{level}>'
        elif block.startswith("- "):
            items = (" ".join(item.split()) for item in re.split(r"^- ", block, flags=re.MULTILINE)[1:])
            yield f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ul>"
        elif block.startswith("|"):
            yield _table([[cell.strip() for cell in line.strip("|").split("|")] for line in lines])
        else:
            yield f"<p>{_inline(' '.join(lines))}</p>"


def _table(rows: list[list[str]]) -> str:
    head, body = rows[0], rows[2:]
    heads = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in head)
    cells = ("".join(f"<td>{_inline(cell)}</td>" for cell in row) for row in body)
    lines = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _inline(text: str) -> str:
    marked = str(escape(text))
    for form, markup in _SPANS:
        marked = form.sub(markup, marked)
    return marked
