"""Questions to a person at a terminal; elsewhere the proposals are taken."""

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from stocksync.cli.terminal import err
from stocksync.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Questions:
    """Asks, where somebody is there to answer."""

    asking: bool

    def text(self, question: str, proposal: str) -> str:
        """Ask for a word."""
        return str(typer.prompt(question, default=proposal, err=True)).strip() if self.asking else proposal

    def secret(self, question: str, proposal: str | None, missing: str = "") -> str:
        """Ask for something that is not shown while it is typed.

        Raises:
            ConfigurationError: `missing`, where nobody can be asked and nothing is proposed.

        """
        if self.asking:
            return str(typer.prompt(question, default=proposal, hide_input=True, show_default=False, err=True)).strip()
        if proposal is None:
            raise ConfigurationError(missing)
        return proposal

    def agrees(self, question: str) -> bool:
        """Ask for a yes; without a person, take it."""
        return typer.confirm(question, default=True, err=True) if self.asking else True

    def choice(self, question: str, choices: Sequence[str]) -> int:
        """Ask for one of several, the first proposed; give its number from 0."""
        if not self.asking or len(choices) == 1:
            return 0
        for number, choice in enumerate(choices, 1):
            err.print(f"  {number}  {choice}")
        chosen = 0
        while not 1 <= chosen <= len(choices):
            chosen = int(typer.prompt(question, type=int, default=1, err=True))
        return chosen - 1
