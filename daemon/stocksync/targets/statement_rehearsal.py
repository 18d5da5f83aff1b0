"""What a cycle does by the user's own statements, done in a transaction that its caller rolls back."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Change
from stocksync.ports import MADE_UP, BatchResult, Trial
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
        trials = await _explained(connection, texts, attempts)
    if "read" not in texts:
        trials.append(Trial(_UNREAD, f"give {settings.where}.statements.read", blocks=False))
    return trials


async def _run(
    connection: AsyncConnection, texts: Mapping[str, TextClause], sample: Sequence[Change], attempts: Attempts
) -> list[Trial]:
    chosen, where = [*_chosen(sample)], attempts.settings.where
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
    trials = [*attempts.found(), *_set_aside(written, chosen)]
    if skipped := sum(change.cause != MADE_UP for change in written.skipped):
        tried = sum(change.cause != MADE_UP for change in chosen)
        cure = "see that its condition finds the rows; a product without a row is left out"
        trials.append(Trial(f"`write` finds no row for {skipped} of {tried} figures tried", cure, blocks=False))
    return trials


def _set_aside(written: BatchResult, chosen: Sequence[Change]) -> Iterator[Trial]:
    reasons = Counter(why for _, why in written.ambiguous)
    for why, times in reasons.items():
        yield Trial(f"{times} of {len(chosen)} changes tried would be set aside: {why}", blocks=times == len(chosen))


def _chosen(sample: Sequence[Change]) -> Iterator[Change]:
    """Give some figures, and whatever else is asked of the statements."""
    yield from [change for change in sample if isinstance(change.after, Decimal)][:_MOST]
    yield from [change for change in sample if not isinstance(change.after, Decimal)]


async def _explained(connection: AsyncConnection, texts: Mapping[str, TextClause], attempts: Attempts) -> list[Trial]:
    """Only ask for the plan: some table of this server keeps what is rolled back."""
    for name, clause in texts.items():
        nothing = clause.bindparams(**dict.fromkeys(clause.compile().params))
        explained = str(nothing.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
        await attempts.run(f"`{name}`", partial(connection.exec_driver_sql, f"EXPLAIN {explained}"))
    return attempts.found()
