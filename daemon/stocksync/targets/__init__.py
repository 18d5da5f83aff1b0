"""Where stock goes: the mapped table or the user's own statements."""

from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.ports import Target
from stocksync.targets.mapped import MappedTarget
from stocksync.targets.settings import (
    OWN_COLUMNS,
    Columns,
    MatchBy,
    Missing,
    Statements,
    TargetSettings,
    Timeouts,
)
from stocksync.targets.statements import StatementsTarget

__all__ = ["OWN_COLUMNS", "Columns", "MatchBy", "Missing", "Statements", "TargetSettings", "Timeouts", "open_target"]


def open_target(settings: TargetSettings, engine: AsyncEngine, *, owned: bool = True) -> Target:
    """Make an account's target; nothing is connected yet. Only an `owned` engine is disposed of by `close`.

    Raises:
        ConfigurationError: an own statement is missing or binds a name that is not offered.

    """
    if settings.statements is not None:
        return StatementsTarget(settings, settings.statements, engine, owned=owned)
    return MappedTarget(settings, engine, owned=owned)
