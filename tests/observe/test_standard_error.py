import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stocksync.observe import standard_error
from stocksync.observe.metrics import Metrics
from stocksync.observe.standard_error import QueuedStream

PIPE = 4096
LINE = "x" * 99 + "\n"


class Pipe:
    """A real pipe of one page, and the stream in front of it."""

    def __init__(self, limit):
        self.reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE)
        self.file = os.fdopen(writer, "w")
        self.stream = QueuedStream(self.file, limit)

    def read(self):
        """Read until all that was queued is there."""
        heard = b""
        while not self.stream.drain(0.01) or not heard:
            heard += os.read(self.reader, 65536)
        os.set_blocking(self.reader, False)
        try:
            while piece := os.read(self.reader, 65536):
                heard += piece
        except BlockingIOError:
            pass
        os.set_blocking(self.reader, True)
        return heard.decode()

    def close(self):
        os.close(self.reader)
        assert self.stream.drain(5), "nobody will ever read it: that ends its writing too"
        self.file.close()


class Log:
    """Says what is said through the stream itself, as logging does."""

    def __init__(self, stream):
        self.stream = stream

    def warning(self, event, **fields):
        self.stream.write(json.dumps({"event": event, **fields}) + "\n")


@pytest.fixture
def pipe(monkeypatch):
    made = Pipe(limit=100_000)
    monkeypatch.setattr(standard_error, "log", Log(made.stream))
    yield made
    made.close()


def test_a_reader_who_reads_gets_every_line_in_order(pipe):
    sent = [f"line {number}\n" for number in range(500)]
    for line in sent:
        pipe.stream.write(line)
    assert pipe.read() == "".join(sent)
    assert pipe.stream.dropped == 0


def test_nobody_who_writes_ever_waits_and_what_is_lost_is_counted_and_said_once(pipe):
    began = time.monotonic()
    for _ in range(5000):
        pipe.stream.write(LINE)
    assert time.monotonic() - began < 20, "nobody waits for a reader"
    lost = pipe.stream.dropped
    assert 3900 < lost < 4100, "4 pages wait in the pipe and 100,000 bytes in the queue"
    heard = pipe.read()
    assert heard.count(LINE) + lost == 5000
    assert heard.endswith(
        f'{{"event": "log_lines_dropped", "lines": {lost}, "reason": "nobody read standard error"}}\n'
    )
    assert heard.count("log_lines_dropped") == 1
    assert pipe.stream.dropped == lost
    metrics = Metrics(lines_dropped=lambda: pipe.stream.dropped)
    for _ in range(2):
        assert f"stocksync_log_lines_dropped_total {float(lost)}" in metrics.render()[0].decode()


def test_a_line_longer_than_the_pipe_arrives_whole(pipe):
    line = "y" * 50_000 + "\n"
    pipe.stream.write(line)
    assert pipe.read() == line


def test_a_descriptor_that_somebody_made_non_blocking_loses_nothing(pipe):
    os.set_blocking(pipe.file.fileno(), False)
    sent = [f"{number:0200}\n" for number in range(400)]
    for line in sent:
        pipe.stream.write(line)
    assert pipe.read() == "".join(sent)


def test_a_reader_who_has_gone_stops_nobody():
    gone = Pipe(limit=100_000)
    os.close(gone.reader)
    for _ in range(3):
        gone.stream.write(LINE)
        assert gone.stream.drain(5)
    assert gone.stream.dropped == 3
    gone.file.close()


def test_at_the_end_a_reader_who_does_not_read_is_given_so_long_and_no_longer(pipe):
    for _ in range(100):
        pipe.stream.write(LINE)
    began = time.monotonic()
    assert not pipe.stream.drain(0.1)
    assert 0.05 < time.monotonic() - began < 20


def test_a_write_within_a_write_does_not_wait_for_itself(pipe):
    class Complaining:
        def __init__(self):
            self.me = self

        def __del__(self):
            pipe.stream.write("told while the queue was held\n")

    def hold():
        with pipe.stream._changed:
            thing = Complaining()
            thing.me = None

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    assert pipe.read() == "told while the queue was held\n"


def test_a_process_that_was_started_without_streams_has_some():
    code = "import os, sys, stocksync.cli.terminal as t; t.complain('x'); t.out.print('y'); print(os.fstat(2).st_rdev)"
    shell = f'exec {sys.executable} -c "{code}" 2>&- '
    ended = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    assert json.loads(ended.stdout.splitlines()[-1]) == Path(os.devnull).stat().st_rdev
