"""Change the code in one place after another and see whether a test notices: the mutation score, by module.

Run by `make mutants` and `make soak`; `make mutants ARGS="run/writer.py core/diff.py"` narrows. mutmut knows no other
source root than `src`, so it works on a copy of the house. What lives on for a reason stands in docs/mutants.md; a
module below what is asked for ends with 1.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRATCH = ROOT / ".mutants"
ASKED = 0.85
COPIED = ("tests", "migrations", "docs", "README.md", "config.example.toml")
KILLED = {1, 3, -9, -11, 24, -24, 36, 152, 255}
"""Exit codes of mutmut's workers: a test failed, crashed, or took too long."""


@dataclass(frozen=True, slots=True)
class Part:
    """Modules, and the tests about them: a mutant that lives costs all of those that come by."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    words: str = ""
    """Which of them: pytest's -k."""


PARTS = (
    Part(("core/*.py",), ("tests/core",)),
    Part(("run/writer.py", "run/finishing.py", "run/leases.py"), ("tests/run",)),
    Part(("qoyod/budget.py",), ("tests/qoyod/test_qoyod_budget.py",)),
    Part(
        ("state/leases.py",),
        ("tests/contract/test_state_contract.py", "tests/contract/test_state_faults.py"),
        # A server would be started for each mutant.
        "sqlite and (lease or writer or epoch or confirm or gets_it or commit)",
    ),
)
"""Where a mistake costs most: what a figure means, what is written, who may write, and what Qoyod is asked."""


def main(wanted: list[str]) -> int:
    """Mutate one part after the other and print what became of the mutants."""
    results: dict[str, Counter[str]] = {}
    for number, part in enumerate(PARTS):
        modules = [name for name in _modules(part) if not wanted or name in wanted]
        if modules:
            scratch = SCRATCH / str(number)
            _lay_out(scratch, modules, part)
            subprocess.run([Path(sys.executable).parent / "mutmut", "run"], cwd=scratch, check=True)
            results |= _results(scratch)
    for module, found in sorted(results.items()):
        print(
            f"{module:28} {found['killed']:5} of {found.total():5} {_score(found):6.1%}, no test: {found['untested']}"
        )
    return not results or any(_score(found) < ASKED for found in results.values())


def _modules(part: Part) -> Iterator[str]:
    package = ROOT / "daemon" / "stocksync"
    for path in sorted(package.rglob("*.py")):
        name = str(path.relative_to(package))
        if any(fnmatch(name, pattern) for pattern in part.modules):
            yield name


def _lay_out(scratch: Path, modules: list[str], part: Part) -> None:
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(ROOT / "daemon", scratch / "src")
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, scratch / name)
    arguments = ["-p", "no:cacheprovider", "-W", "ignore", "-m", "not soak", "--hypothesis-seed=0"]
    section = {
        "source_paths": ["src/"],
        "only_mutate": [f"src/stocksync/{module}" for module in modules],
        "pytest_add_cli_args_test_selection": list(part.tests),
        "pytest_add_cli_args": [*arguments, *(["-k", part.words] if part.words else [])],
        "also_copy": list(COPIED[1:]),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in section.items()]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text = "\n".join([project, "[tool.mutmut]", "use_git_change_detection = false", *lines, ""])
    (scratch / "pyproject.toml").write_text(text, encoding="utf-8")


def _results(scratch: Path) -> dict[str, Counter[str]]:
    """Count what became of each module's mutants."""
    folder = scratch / "mutants" / "src" / "stocksync"
    found: dict[str, Counter[str]] = {}
    for path in folder.rglob("*.py.meta"):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].values()
        if codes:
            found[str(path.relative_to(folder))[: -len(".meta")]] = Counter(map(_outcome, codes))
    return found


def _outcome(code: int | None) -> str:
    return "killed" if code in KILLED else "lives" if code == 0 else "untested"


def _score(found: Counter[str]) -> float:
    return found["killed"] / found.total()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
