"""Change the code in one place after another and see whether a test notices: the mutation score, by module.

Run by `make mutants` and `make soak`. mutmut knows no other source root than `src`, so it works on a copy of the house.
What lives on for a reason stands in docs/mutants.md; a score below what is asked for ends with 1.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRATCH = ROOT / ".mutants"
ASKED = 0.85
MUTATED = ("core/*.py", "run/writer.py", "run/leases.py", "qoyod/budget.py", "state/leases.py")
"""Where a mistake costs most: what a figure means, what is written, who may write, and what Qoyod is asked."""
TESTS = (
    "tests/core",
    "tests/qoyod/test_qoyod_budget.py",
    "tests/simulation/test_narrow_moments.py",
    "tests/scenario/test_scenario_writing.py",
    "tests/scenario/test_scenario_refusals.py",
    "tests/scenario/test_scenario_silence.py",
    "tests/contract/test_state_contract.py",
    "tests/web/test_web_json.py",
)
COPIED = ("tests", "migrations", "docs", "README.md", "config.example.toml")
KILLED = {1, 3, -9, -11, 24, -24, 36, 152, 255}
"""Exit codes of mutmut's workers: a test failed, crashed, or took too long."""


def main() -> int:
    """Run mutmut and print what became of the mutants."""
    _lay_out()
    subprocess.run([Path(sys.executable).parent / "mutmut", "run", *sys.argv[1:]], cwd=SCRATCH, check=False)
    results = _results()
    for module, codes in sorted(results.items()):
        killed = _killed(codes)
        print(f"{module:40} {killed:5} of {codes.total():5} {killed / codes.total():6.1%}")
    every = sum(results.values(), Counter())
    score = _killed(every) / max(1, every.total())
    print(f"{'in all':40} {_killed(every):5} of {every.total():5} {score:6.1%}, {ASKED:.0%} are asked for")
    return score < ASKED


def _lay_out() -> None:
    SCRATCH.mkdir(exist_ok=True)
    shutil.copytree(ROOT / "daemon", SCRATCH / "src", dirs_exist_ok=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, SCRATCH / name, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / name, SCRATCH / name)
    section = {
        "source_paths": ["src/"],
        "only_mutate": [f"src/stocksync/{pattern}" for pattern in MUTATED],
        "pytest_add_cli_args_test_selection": list(TESTS),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-W", "ignore", "-k", "not mariadb and not postgresql"],
        "also_copy": list(COPIED[1:]),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in section.items()]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text = "\n".join([project, "[tool.mutmut]", "use_git_change_detection = false", *lines, ""])
    (SCRATCH / "pyproject.toml").write_text(text, encoding="utf-8")


def _results() -> dict[str, Counter[int]]:
    """Give the exit codes of each module's mutants that were tried."""
    found: dict[str, Counter[int]] = {}
    for path in (SCRATCH / "mutants" / "src").rglob("*.py.meta"):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].values()
        tried = Counter(code for code in codes if code is not None)
        if tried:
            found[str(path.relative_to(SCRATCH / "mutants" / "src" / "stocksync"))[: -len(".meta")]] = tried
    return found


def _killed(codes: Counter[int]) -> int:
    return sum(count for code, count in codes.items() if code in KILLED)


if __name__ == "__main__":
    sys.exit(main())
