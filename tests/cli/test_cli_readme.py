"""The README's commands, as they stand there."""

import re
import shlex
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def typed():
    """Give the stocksync commands of "The real thing", in order."""
    section = README.partition("## The real thing")[2].partition("\n## ")[0]
    return [shlex.split(line, comments=True)[1:] for line in re.findall(r"^stocksync .*$", section, re.MULTILINE)]


async def test_the_readme_leads_from_a_key_to_rows_in_postgresql(command, qoyod, postgresql_url):
    commands = typed()
    assert [words[0] for words in commands] == ["init", "check", "plan", "run"]
    for words in commands[:-1]:
        where = ("--base-url", qoyod.url) if words == ["init"] else ()  # Qoyod itself is not asked by a test
        ended = await command(*words, *where, TARGET_DATABASE_URL=postgresql_url)
        assert ended.code == 0, f"{words}: {ended.out}{ended.err}"
    ended = await command("once", TARGET_DATABASE_URL=postgresql_url)  # what `run` does at once
    assert ended.code == 0
    assert f"written      {len(qoyod.catalogue.figures())} insert" in ended.out
