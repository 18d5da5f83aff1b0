"""`python -m stocksync.config DIRECTORY` writes config.example.toml and docs/configuration.md there."""

import sys
from pathlib import Path

from stocksync.config import example, reference

root = Path(sys.argv[1])
(root / "config.example.toml").write_text(example(), encoding="utf-8")
(root / "docs" / "configuration.md").write_text(reference(), encoding="utf-8")
