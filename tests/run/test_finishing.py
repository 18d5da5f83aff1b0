"""Work beside a block: what only looks is given up with it, what writes is brought to its end."""

import asyncio

import pytest
from structlog.testing import capture_logs
from virtual_time import virtually

from stocksync.run.finishing import finishing, meanwhile


class Work:
    """A piece of work."""

    def __init__(self, error: Exception | None = None, seconds: float = 10) -> None:
        self.error, self.seconds, self.ended = error, seconds, ""

    async def do(self) -> str:
        try:
            await asyncio.sleep(self.seconds)
            if self.error is not None:
                raise self.error
        except asyncio.CancelledError:
            self.ended = "given up"
            raise
        self.ended = "done"
        return "found"

    async def write(self) -> None:
        await self.do()


def test_work_meanwhile_is_there_when_it_is_asked_for() -> None:
    async def life() -> None:
        async with meanwhile(Work().do()) as found:
            await asyncio.sleep(7)
            assert await found == "found"
        assert asyncio.get_running_loop().time() == 10

    virtually(life)


async def fail_beside(work: Work, seconds: float) -> None:
    async with meanwhile(work.do()):
        await asyncio.sleep(seconds)
        raise ZeroDivisionError


async def ask_for(work: Work) -> None:
    async with meanwhile(work.do()) as found:
        await found


def test_work_meanwhile_is_given_up_where_the_block_fails() -> None:
    async def life() -> None:
        work = Work()
        with pytest.raises(ZeroDivisionError):
            await fail_beside(work, 1)
        assert work.ended == "given up"

    virtually(life)


def test_of_work_meanwhile_and_block_what_failed_in_the_block_is_told() -> None:
    async def life() -> None:
        with pytest.raises(ZeroDivisionError):
            await fail_beside(Work(KeyError("before")), 20)
        with pytest.raises(KeyError):
            await ask_for(Work(KeyError("found")))

    virtually(life)


async def write_beside(work: Work, error: BaseException | None = None) -> None:
    async with finishing(work.write()):
        if error is not None:
            raise error


def test_work_that_writes_is_brought_to_its_end_beside_the_block() -> None:
    async def life() -> None:
        work = Work()
        await write_beside(work)
        assert work.ended == "done"
        with pytest.raises(KeyError):
            await write_beside(Work(KeyError("state")))

    virtually(life)


@pytest.mark.parametrize("error", [ZeroDivisionError(), asyncio.CancelledError()])
def test_where_the_block_fails_that_is_told_and_the_work_is_brought_to_its_end(error: BaseException) -> None:
    async def life() -> None:
        for work in (Work(), Work(KeyError("state"))):
            with pytest.raises(type(error)):
                await write_beside(work, error)
            assert asyncio.get_running_loop().time() in {10, 20}

    with capture_logs() as logs:
        virtually(life)
    stopping = isinstance(error, asyncio.CancelledError)
    assert [line["event"] for line in logs] == ["batch_failed_while_stopping" if stopping else "also_failed"]
    assert isinstance(logs[0]["exc_info"], KeyError), "a mistake of ours, of which the log says where it was made"


def test_after_a_failure_the_work_that_writes_has_all_the_time_it_takes() -> None:
    async def life() -> None:
        work = Work(seconds=50)
        with pytest.raises(ZeroDivisionError):
            await write_beside(work, ZeroDivisionError())
        assert work.ended == "done"
        assert asyncio.get_running_loop().time() == 50

    virtually(life)


def test_a_cancelled_block_waits_for_the_work_that_writes_but_not_for_ever() -> None:
    async def life() -> None:
        for seconds, ended in ((10, "done"), (1000, "given up")):
            work = Work(seconds=seconds)
            task = asyncio.create_task(write_and_wait(work))
            await asyncio.sleep(1)
            task.cancel()
            await asyncio.wait([task])
            assert (task.cancelled(), work.ended) == (True, ended)
        assert asyncio.get_running_loop().time() == 10 + 1 + 30

    virtually(life)


async def write_and_wait(work: Work) -> None:
    async with finishing(work.write()):
        await asyncio.sleep(100)
