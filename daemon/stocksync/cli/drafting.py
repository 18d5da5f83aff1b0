"""The account's section of a first configuration, as it grows from question to question."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from stocksync import app
from stocksync.cli.format.elements import clean, many
from stocksync.cli.program import wait_for
from stocksync.cli.questions import Questions
from stocksync.cli.terminal import note, out
from stocksync.config import ColumnsConfig
from stocksync.core.proposal import Proposal
from stocksync.dsn import parse, shown
from stocksync.errors import ConfigurationError

KEY_VARIABLE, TARGET_VARIABLE = "QOYOD_API_KEY", "TARGET_DATABASE_URL"
_OWN_TABLE = "a table of its own, stock_levels"


@dataclass
class Draft:
    """The account's section as it grows, question by question."""

    path: Path
    questions: Questions
    account: dict[str, Any]
    url: str = ""
    proposal: Proposal | None = None
    found: Mapping[int, str] | None = None
    secrets: list[Path] = field(default_factory=list)
    """Files that were made for what was typed."""

    def credential(self, file: Path | None) -> None:
        """Find the API key, or ask for it and put it into a file of its own."""
        if file is None and os.environ.get(KEY_VARIABLE):
            self.account["auth"] = {"secret_env": KEY_VARIABLE}
            return
        if file is None:
            file = self._new("qoyod-api-key", "--key-file")
            missing = f"no API key: export {KEY_VARIABLE}, or give --key-file; it is made in Qoyod (Settings, API)"
            key = self.questions.secret("Qoyod's API key (Settings, API; it is not shown)", None, missing)
            self._keep(file, key)
            note(f"the key is in {file}, which only you may read")
        self.account["auth"] = {"secret_file": str(file.absolute())}

    def source(self) -> None:
        """Try the key, and show whose locations it opens."""
        facts = wait_for(app.look_at_source(self.account))
        self.found = facts.locations
        total = "an unknown number of products" if facts.total is None else many(facts.total, "product")
        out.print(Text(f"✓  the key is accepted: {total}, {many(len(facts.locations), 'location')}", style="green"))
        for location, label in sorted(facts.locations.items()):
            out.print(Text(f"   {location:>4}  {clean(label)}"))
        if poll := app.poll_section(facts.total):
            self.account["poll"] = poll

    def target(self, url: str, file: Path | None, table: str) -> None:
        """Find the database, look at its tables, and choose one."""
        section = self._address(url, file)
        proposals = wait_for(app.look_at_target(self.url))
        self.proposal = self._table(proposals, table)
        chosen = app.sections_for(self.proposal)
        self.account |= chosen | {"target": section | chosen["target"]}
        if self.proposal is None:
            out.print(Text(f"✓  figures go to {_OWN_TABLE}, which the first cycle makes", style="green"))
            return
        out.print(Text(f"✓  figures go to the table {clean(self.proposal.table)}", style="green"))
        rows = Table.grid(padding=(0, 2))
        for name, column in self.proposal.columns.items():
            rows.add_row(Text(f"   {name}"), Text(clean(column)))
        out.print(rows)
        if not self.proposal.insert:
            out.print(Text('   rows that it lacks are reported, not made: missing = "insert" makes them'))

    def _address(self, url: str, file: Path | None) -> dict[str, str]:
        if file is not None:
            section = {"url_file": str(file.absolute())}
            self.url = app.secret_in(file)
        elif not url and os.environ.get(TARGET_VARIABLE):
            section = {"url_env": TARGET_VARIABLE}
            self.url = os.environ[TARGET_VARIABLE]
        else:
            question = "The target's URL, such as postgresql://user:password@host/db (not shown; Enter: a SQLite file)"
            self.url = url or self.questions.secret(question, "sqlite:///stock.db")
            section = {"url": self.url}
            if parse(self.url, "the target's URL").password is not None:
                kept = self._new("target-url", "--target-file")
                self._keep(kept, self.url)
                note(f"the URL is in {kept}, which only you may read")
                section = {"url_file": str(kept.absolute())}
        out.print(Text(f"✓  the target is {shown(self.url)}", style="green"))
        return section

    def _table(self, proposals: list[Proposal], wanted: str) -> Proposal | None:
        if wanted:
            found = next((one for one in proposals if one.table == wanted), None)
            if found is None:
                usable = ", ".join(one.table for one in proposals) or "none"
                raise ConfigurationError(
                    f"--table: {wanted} is not there, or has no column for a SKU and a quantity; usable: {usable}"
                )
            return found
        if not proposals:
            return None
        number = self.questions.choice("Which table holds stock?", [*(one.table for one in proposals), _OWN_TABLE])
        chosen = proposals[number] if number < len(proposals) else None
        return chosen and self._columns(chosen)

    def _columns(self, proposal: Proposal) -> Proposal:
        if not self.questions.asking:
            return proposal
        note(f"its columns: {', '.join(map(clean, proposal.there))}")
        columns: dict[str, str] = {}
        for name in ColumnsConfig.model_fields:
            while True:
                column = self.questions.text(f"Column of {name} ('-': none)", proposal.columns.get(name, "-"))
                if column in {"-", *proposal.there}:
                    break
                note(f"{proposal.table} has no column {clean(column)}")
            if column != "-":
                columns[name] = column
        return replace(proposal, columns=columns, match_by="product_id" if "product_id" in columns else "sku")

    def locations(self, given: Mapping[int, str]) -> None:
        """Choose a value of the location column for each of Qoyod's locations."""
        if self.proposal is None:
            return
        found = self.found or {}
        proposed, values = wait_for(app.map_for(self.url, self.proposal, found))
        chosen = dict(given) or proposed
        if not given and values and self.questions.asking:
            note(f"values that stand there: {', '.join(map(clean, values[:20]))}")
            chosen = {}
            for location, label in sorted(found.items()):
                question = f"Value of {location} {clean(label)} ('-': none)"
                answer = self.questions.text(question, proposed.get(location, "-"))
                chosen |= {location: answer} if answer != "-" else {}
        if values and not chosen:
            note("no location of Qoyod's could be matched with a value there: give --map, such as --map 1=MAIN")
        if chosen:
            # A location that nobody gave a value must not turn up in the shop under its bare number.
            self.account["locations"] = {"map": chosen, "unmapped": "ignore"}
            for location, value in chosen.items():
                out.print(Text(f"   {location:>4}  {clean(found.get(location, ''))} → {clean(value)}"))

    def _new(self, name: str, option: str) -> Path:
        file = self.path.parent / name
        if file.exists():
            raise ConfigurationError(f"{file} is there already: take it with {option} {file}, or remove it")
        return file

    def _keep(self, file: Path, secret: str) -> None:
        app.write_secret(file, secret)
        self.secrets.append(file)

    def discard(self) -> None:
        """Remove the secrets that were written: no configuration names them, and the next try starts anew."""
        for file in self.secrets:
            file.unlink(missing_ok=True)
            note(f"{file} is removed again, as no configuration was made")
