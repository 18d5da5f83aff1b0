"""Draws time and memory against cells, from what `make bench` printed for several sizes.

python benchmarks/plot.py RESULT... > docs/performance.svg
"""

import re
import sys
from pathlib import Path

_WIDTH, _HEIGHT, _LEFT, _TOP = 360, 220, 60, 40
_COLOURS = {"first fill": "#b5492c", "nothing changed": "#3c7a57", "1 % changed": "#30548f"}
_LINE = re.compile(r"^(first fill|nothing changed|1 % changed): ([\d.]+) s.* peak (\d+) MiB", re.MULTILINE)

Points = dict[str, list[tuple[float, float]]]


def measured(texts: list[str]) -> tuple[Points, Points]:
    """Read seconds and MiB by the number of cells."""
    seconds: Points = {}
    memory: Points = {}
    for text in texts:
        found = re.search(r"^([\d,]+) cells", text, re.MULTILINE)
        if found is None:
            continue
        cells = float(found[1].replace(",", ""))
        for name, took, peak in _LINE.findall(text):
            seconds.setdefault(name, []).append((cells, float(took)))
            memory.setdefault(name, []).append((cells, float(peak)))
    return seconds, memory


def panel(title: str, points: Points, left: int) -> list[str]:
    """Draw one of the two, with both axes beginning at 0."""
    every = [point for line in points.values() for point in line]
    most_x, most_y = max(x for x, _ in every), max(y for _, y in every)
    right, bottom = left + _WIDTH, _TOP + _HEIGHT
    drawn = [
        f'<text x="{left}" y="{_TOP - 16}" font-weight="bold">{title}</text>',
        f'<path d="M{left} {_TOP}V{bottom}H{right}" fill="none" stroke="#555"/>',
        f'<text x="{left - 6}" y="{_TOP + 4}" text-anchor="end">{most_y:g}</text>',
        f'<text x="{left - 6}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{right}" y="{bottom + 18}" text-anchor="end">{most_x:,.0f} cells</text>',
    ]
    for number, (name, line) in enumerate(points.items()):
        at = [(left + _WIDTH * x / most_x, bottom - _HEIGHT * y / most_y) for x, y in sorted(line)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        colour = _COLOURS[name]
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in at]
        drawn.append(f'<text x="{left + 10}" y="{_TOP + 14 + 16 * number}" fill="{colour}">{name}</text>')
    return drawn


def main(paths: list[str]) -> None:
    """Print the picture."""
    seconds, memory = measured([Path(path).read_text(encoding="utf-8") for path in paths])
    width = 2 * (_LEFT + _WIDTH) + 40
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_TOP + _HEIGHT + 40}"'
            ' font-family="sans-serif" font-size="12">'
        ),
        '<rect width="100%" height="100%" fill="white"/>',
        *panel("seconds a cycle", seconds, _LEFT),
        *panel("peak memory, MiB", memory, 2 * _LEFT + _WIDTH + 20),
        "</svg>",
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
