"""What stocksync is made of: the part of requirements.lock that an image needs, and its bill of materials.

Versions and hashes come from requirements.lock; who needs whom, and under which licence, from what is installed. `make
sbom` writes the files; a test compares.
"""

import json
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
EXTRAS = frozenset({"postgresql", "mysql", "temporal", "notify"})
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+?)(?P<marker> ;.*)? \\$")


def locked() -> dict[str, str]:
    """Give the lines of requirements.lock, by the name of what they pin."""
    blocks: dict[str, str] = {}
    name = ""
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines(keepends=True):
        if found := _PINNED.match(line.rstrip("\n")):
            name = canonicalize_name(found["name"])
        if name:
            blocks[name] = blocks.get(name, "") + line
    return blocks


def needed(*roots: str, extras: frozenset[str] = frozenset()) -> list[str]:
    """Give everything that these distributions need on any system, themselves left out where they are ours."""
    pins, found, waiting = locked(), set[str](), [(root, extras) for root in roots]
    while waiting:
        name, wanted = waiting.pop()
        for requirement in _requirements(name, wanted):
            key = canonicalize_name(requirement.name)
            if key in pins and key not in found:
                found.add(key)
                waiting.append((key, frozenset(requirement.extras)))
    return sorted(found | (set(map(canonicalize_name, roots)) & pins.keys()))


def _requirements(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    try:
        requires = distribution(name).requires or []
    except ModuleNotFoundError:  # needed elsewhere, not on this machine
        return
    for text in requires:
        requirement = Requirement(text)
        contexts = [{**default_environment(), "extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(requirement.marker.evaluate(each) for each in contexts):
            yield requirement


def lock() -> str:
    """Give the part of requirements.lock with which an image runs."""
    return _part("what the image runs with", needed("stocksync", extras=EXTRAS))


def build_lock() -> str:
    """Give the part of requirements.lock with which a wheel is built."""
    return _part("what the wheel is built with", needed("hatchling"))


def _part(what: str, names: list[str]) -> str:
    pins = locked()
    return f"# Made by `make sbom` from requirements.lock: {what}.\n" + "".join(pins[name] for name in names)


def sbom() -> str:
    """Give the CycloneDX 1.6 document of what runs: stocksync with its database drivers and what sends notices."""
    names = needed("stocksync", extras=EXTRAS)
    ours = distribution("stocksync")
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _described(ours, "application")},
        "components": [_described(distribution(name), "library") for name in names],
        "dependencies": [
            {
                "ref": _purl(distribution(name)),
                "dependsOn": [_purl(distribution(each)) for each in _direct(name, names)],
            }
            for name in ("stocksync", *names)
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def licences() -> str:
    """Give name, version and licence of everything that runs, as a Markdown table."""
    rows = [distribution(name) for name in needed("stocksync", extras=EXTRAS)]
    lines = [f"| {one.name} | {one.version} | {_licence(one)} |" for one in rows]
    return "\n".join(["| package | version | licence |", "|---|---|---|", *lines, ""])


def _direct(name: str, among: list[str]) -> list[str]:
    extras = EXTRAS if name == "stocksync" else frozenset()
    return sorted({canonicalize_name(each.name) for each in _requirements(name, extras)} & set(among))


def _described(one: Distribution, kind: str) -> dict[str, object]:
    return {
        "type": kind,
        "bom-ref": _purl(one),
        "name": one.name,
        "version": one.version,
        "purl": _purl(one),
        "licenses": [{"expression": _licence(one)}],
    }


def _purl(one: Distribution) -> str:
    return f"pkg:pypi/{canonicalize_name(one.name)}@{one.version}"


_SPDX = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_WRITTEN = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache-2": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
}


def _licence(one: Distribution) -> str:
    """Give the SPDX expression that a distribution states, or that its classifier stands for."""
    metadata = one.metadata
    if stated := metadata["License-Expression"]:
        return str(stated)
    kinds = [each.rpartition(":: ")[2] for each in metadata.get_all("Classifier") or [] if "License ::" in each]
    if known := [_SPDX[each] for each in kinds if each in _SPDX]:
        return " OR ".join(known)
    written = str(metadata["License"] or "").strip()
    return _WRITTEN.get(written, written) if len(written.splitlines()) == 1 else "NOASSERTION"


def files() -> dict[Path, str]:
    """Give everything that is made here, by the file that holds it."""
    deploy = ROOT / "deploy"
    return {
        deploy / "docker/requirements.lock": lock(),
        deploy / "docker/build.lock": build_lock(),
        deploy / "sbom.cdx.json": sbom(),
        ROOT / "docs/licences.md": _LICENCES + licences(),
    }


_LICENCES = """# Licences of what stocksync runs with

Made by `make sbom`. stocksync itself is under the MIT licence. The same list, for programs: `deploy/sbom.cdx.json`
(CycloneDX), which the wheel and the image hold too.

"""

if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
