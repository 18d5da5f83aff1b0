"""What a cycle does by the user's own statements, done in a transaction that its caller rolls back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Change
from stocksync.ports import MADE_UP, BatchResult, Trial
from stocksync.targets.own_sql import explaining
from stocksync.targets.rights import keeps_what_is_rolled_back
from stocksync.targets.settings import TargetSettings
from stocksync.targets.statement_batch import StatementBatch, statement_for
from stocksync.targets.trials import Attempts

_MOST = 12
_UNREAD = "without a `read` statement the audit sees nothing, and no command shows what stood there before"


async def rehearse_statements(
    connection: AsyncConnection, settings: TargetSettings, texts: Mapping[str, TextClause], sample: Sequence[Change]
) -> list[Trial]:
    """Run each statement as the sample asks, where nothing of it stays; else only explain it."""
    attempts = Attempts(connection, settings)
    if not await connection.run_sync(keeps_what_is_rolled_back):
        trials = await _run(connection, texts, sample, attempts)
    else:
        # Some table of this server keeps what is rolled back: only the plan is asked for.
        for name, clause in texts.items():
            explained = explaining(clause, connection.dialect)
            await attempts.run(f"`{name}`", partial(connection.exec_driver_sql, explained))
        trials = attempts.found()
    if "read" not in texts:
        trials.append(Trial(_UNREAD, f"give {settings.where}.statements.read", blocks=False))
    return trials


async def _run(
    connection: AsyncConnection, texts: Mapping[str, TextClause], sample: Sequence[Change], attempts: Attempts
) -> list[Trial]:
    figures = [change for change in sample if isinstance(change.after, Decimal)]
    # Some figures, and whatever else is asked of the statements.
    chosen = figures[:_MOST] + [change for change in sample if not isinstance(change.after, Decimal)]
    where = attempts.settings.where
    if "read" in texts and chosen:
        reading = StatementBatch(connection, where, texts)
        if not await attempts.run("`read`", partial(reading.read_one, chosen[0].ref)):
            # What `read` is refused is not to be told of `write` too.
            texts = {name: clause for name, clause in texts.items() if name != "read"}
    written = BatchResult()

    async def write(change: Change) -> None:
        done = await StatementBatch(connection, where, texts).write([change])
        written.skipped.extend(done.skipped)
        written.ambiguous.extend(done.ambiguous)

    for change in chosen:
        await attempts.run(f"`{statement_for(change)}`", partial(write, change), made_up=change.cause == MADE_UP)
    trials = attempts.found()
    for why, times in Counter(why for _, why in written.ambiguous).items():
        what = f"{times} of {len(chosen)} changes tried would be set aside: {why}"
        trials.append(Trial(what, blocks=times == len(chosen)))
    if skipped := sum(change.cause != MADE_UP for change in written.skipped):
        tried = sum(change.cause != MADE_UP for change in chosen)
        cure = "see that its condition finds the rows; a product without a row is left out"
        trials.append(Trial(f"`write` finds no row for {skipped} of {tried} figures tried", cure, blocks=False))
    return trials
