"""A configuration that works, to spoil in one place at a time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stocksync.config import Config, load
from stocksync.errors import ConfigurationError

MINIMAL = """
[[accounts]]
name = "main"
[accounts.auth]
secret_env = "QOYOD_API_KEY"
[accounts.target]
url = "sqlite:///shop.db"
"""
ENVIRON = {"QOYOD_API_KEY": "s3cr3t-of-the-tenant", "TARGET_DATABASE_URL": "postgresql://shop:hunter2@db/shop"}

Loader = Callable[..., Config]


@pytest.fixture
def loaded(tmp_path: Path) -> Loader:
    """Load a text, with the environment given on top of the usual one."""

    def load_text(text: str, **environ: str) -> Config:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, {**ENVIRON, **environ})

    return load_text


@pytest.fixture
def problems(loaded: Loader) -> Callable[..., tuple[str, ...]]:
    """Give the problems of a text that cannot work."""

    def problems_of(text: str, **environ: str) -> tuple[str, ...]:
        with pytest.raises(ConfigurationError) as caught:
            loaded(text, **environ)
        assert caught.value.exit_code == 2
        return caught.value.problems

    return problems_of


@pytest.fixture
def minimal() -> str:
    """Give the shortest configuration that works."""
    return MINIMAL
