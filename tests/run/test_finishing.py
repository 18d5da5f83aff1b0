"""Work beside a block: what only looks is given up with it, what writes is brought to its end."""

import asyncio

import pytest
from virtual_time import virtually

from stocksync.run.finishing import meanwhile, to_its_end


class Work:
    """A piece of work of ten seconds."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.ended = error, ""

    async def do(self) -> str:
        try:
            await asyncio.sleep(10)
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


@pytest.mark.parametrize("error", [None, ZeroDivisionError()])
def test_work_that_writes_is_brought_to_its_end_whatever_becomes_of_the_block(error: Exception | None) -> None:
    async def life() -> None:
        work = Work()

        async def block() -> None:
            async with to_its_end(work.write()):
                if error is not None:
                    raise error

        if error is None:
            await block()
        else:
            with pytest.raises(type(error)):
                await block()
        assert work.ended == "done"

    virtually(life)


def test_a_cancelled_block_waits_for_the_work_that_writes() -> None:
    async def life() -> None:
        work = Work()

        async def block() -> None:
            async with to_its_end(work.write()):
                await asyncio.sleep(100)

        task = asyncio.create_task(block())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert (task.cancelled(), work.ended) == (True, "done")
        assert asyncio.get_running_loop().time() == 10

    virtually(life)


def test_what_went_wrong_beside_a_block_that_went_well_is_told() -> None:
    async def life() -> None:
        with pytest.raises(KeyError):
            async with to_its_end(Work(KeyError("state")).write()):
                pass

    virtually(life)
