"""What a daemon imports before its first request: each module costs a start, and a take-over, some milliseconds."""

import subprocess
import sys
from pathlib import Path

from stocksync.state.schema import HEAD

NOT_FOR_RUN = {
    "alembic", "mako", "stocksync.app.checking", "stocksync.app.commands", "stocksync.app.initialise",
    "stocksync.simulator.server",
}  # fmt: skip
SCRIPT = "import sys, stocksync.cli, stocksync.app as app; app.run; print(*sys.modules)"


def test_run_imports_nothing_that_only_other_commands_need():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True, encoding="utf-8")
    imported = set(done.stdout.split())
    assert "stocksync.app.daemon" in imported
    assert imported & NOT_FOR_RUN == set()


def test_the_head_that_is_known_without_alembic_is_the_last_migration():
    scripts = (Path(__file__).parents[2] / "migrations/versions").glob("*.py")
    assert max(script.name for script in scripts).startswith(f"{HEAD}_")
