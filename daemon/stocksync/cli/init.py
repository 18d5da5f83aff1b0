"""`init`: a first configuration, from a few questions and a look at both sides."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from stocksync import app
from stocksync.cli.checking import try_parts
from stocksync.cli.drafting import Draft
from stocksync.cli.planning import show_previews
from stocksync.cli.program import ConfigFile, Debug, log_for_a_person, settings, wait_for
from stocksync.cli.questions import Questions
from stocksync.cli.terminal import err, note, out, progress
from stocksync.errors import ConfigurationError

Name = Annotated[str, typer.Option("--name", metavar="NAME", help="How logs and commands call the account.")]
BaseUrl = Annotated[str, typer.Option("--base-url", metavar="URL", help="Qoyod's API.")]
KeyFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A file that holds the API key.", show_default=False)
]
TargetUrl = Annotated[
    str, typer.Option("--target", metavar="URL", help="Where stock goes, without a password.", show_default=False)
]
TargetFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A file that holds the target's URL.", show_default=False)
]
TableName = Annotated[str, typer.Option("--table", metavar="TABLE", help="The table to write.", show_default=False)]
Pairs = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="ID=VALUE", help="A Qoyod location and its value there; may be repeated."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Ask nothing: take what is proposed.")]


def init(
    config: ConfigFile = None,
    *,
    name: Name = "main",
    base_url: BaseUrl = "https://api.qoyod.com/2.0",
    key_file: KeyFile = None,
    target: TargetUrl = "",
    target_file: TargetFile = None,
    table: TableName = "",
    mapped: Pairs = None,
    yes: Yes = False,
    debug: Debug = False,
) -> None:
    """Write a configuration: ask for the key and the target, look at both, propose table, columns and locations.

    The API key is taken from $QOYOD_API_KEY, the target's URL from $TARGET_DATABASE_URL, where they are set. A secret
    that is typed goes into a file of its own that only you may read, never into the configuration. Overwrites
    nothing, and ends with a check and a plan.

    $ stocksync init
    $ QOYOD_API_KEY=… stocksync init --yes
    $ stocksync init --target-file /run/secrets/target --table shop.stock --map 1=MAIN --map 3=OUTLET --yes
    """
    given: dict[int, str] = {}
    for pair in mapped or ():
        location, equals, value = pair.partition("=")
        if not (equals and value and location.strip().isdecimal()):
            raise typer.BadParameter(f"{pair!r} is not ID=VALUE, such as 1=MAIN", param_hint="--map")
        given[int(location)] = value.strip()
    path = config or Path("config.toml")
    if path.exists():
        raise ConfigurationError(f"{path} is there already, and init overwrites nothing: give --config another name")
    log_for_a_person(debug=debug)
    questions = Questions(not yes and sys.stdin.isatty() and err.is_terminal)
    draft = Draft(path, questions, {"name": name, "base_url": base_url})
    try:
        draft.credential(key_file)
        draft.source()
        draft.target(target, target_file, table)
        draft.locations(given)
        app.write_config(path, {"accounts": [draft.account]})
    except BaseException:
        draft.discard()
        raise
    note(f"wrote {path}")
    _try_out(path, debug=debug)


def _try_out(path: Path, *, debug: bool) -> None:
    loaded = settings(path, debug=debug)
    results = wait_for(try_parts(loaded))
    if not all(each.well for each in results):
        note(f"correct {path}, then: stocksync check --config {path}")
        raise typer.Exit(1)
    out.print()
    with progress() as report:
        previews = wait_for(app.plan(loaded, None, report))
    note(f"nothing was written yet. next: stocksync run --config {path}")
    show_previews(previews, as_json=False)
