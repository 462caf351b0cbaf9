"""The output of a plugin process: the buffer by itself, the descriptors in a process of their own."""
from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator

from goplugin.core.messages import STDERR, STDOUT, StdioData
from goplugin.stdio import OutputBuffer
from tests.support import requirement

CHUNK = StdioData(STDOUT, b"x" * 65536)
FULL = (1 << 20) // len(CHUNK.data) + 1
"""How many chunks make a buffer full."""


def full_buffer() -> OutputBuffer:
    buffer = OutputBuffer()
    for _ in range(FULL):
        buffer.put(CHUNK)
    return buffer


@contextlib.contextmanager
def putting(buffer: OutputBuffer, results: list[bool]) -> Iterator[threading.Thread]:
    """A thread that puts one chunk more; it has ended at the end of the body."""
    thread = threading.Thread(target=lambda: results.append(buffer.put(CHUNK)))
    thread.start()
    yield thread
    thread.join(20.0)
    assert not thread.is_alive()


# --- the buffer --------------------------------------------------------------------------------------------------


def test_chunks_come_out_in_their_order() -> None:
    buffer = OutputBuffer()
    chunks = [StdioData(STDOUT, b"one"), StdioData(STDERR, b"two"), StdioData(STDOUT, b"three")]
    for chunk in chunks:
        assert buffer.put(chunk)

    assert [buffer.get(), buffer.get(), buffer.get(), buffer.get()] == [*chunks, None]


def test_every_chunk_is_announced() -> None:
    buffer = OutputBuffer()
    announced: list[None] = []
    buffer.on_data = lambda: announced.append(None)

    buffer.put(CHUNK)
    buffer.put(CHUNK)

    assert len(announced) == 2


def test_a_full_buffer_holds_its_writer_until_somebody_reads() -> None:
    buffer = full_buffer()
    results: list[bool] = []
    with putting(buffer, results) as writer:
        writer.join(0.05)
        assert writer.is_alive()

        buffer.get()

    assert results == [True]
    assert len([*iter(buffer.get, None)]) == FULL


def test_one_chunk_read_lets_in_one_of_two_writers() -> None:
    buffer = full_buffer()
    results: list[bool] = []
    with putting(buffer, results) as one, putting(buffer, results) as other:
        buffer.get()
        while one.is_alive() and other.is_alive():
            one.join(0.01)
        assert (one if one.is_alive() else other).join(0.05) is None

        assert len(results) == 1
        buffer.get()

    assert results == [True, True]


def test_a_writer_does_not_wait_for_itself() -> None:
    buffer = full_buffer()
    buffer.writer_is_stuck = lambda: True

    assert buffer.put(CHUNK)
    assert len([*iter(buffer.get, None)]) == FULL + 1


def test_without_a_limit_nobody_waits() -> None:
    buffer = full_buffer()
    results: list[bool] = []
    with putting(buffer, results):
        buffer.lift_limit()

    assert results == [True]
    assert buffer.put(CHUNK)


def test_a_closed_buffer_takes_nothing_and_is_finished_when_it_is_empty() -> None:
    buffer = OutputBuffer()
    buffer.put(CHUNK)
    announced: list[None] = []
    buffer.on_data = lambda: announced.append(None)

    buffer.close()

    assert announced == [None]
    assert not buffer.put(CHUNK)
    assert not buffer.finished
    assert buffer.get() == CHUNK
    assert buffer.finished


# --- the descriptors ---------------------------------------------------------------------------------------------

PRELUDE = """
import os, subprocess, sys, threading
from goplugin.stdio import OutputCapture, protect_stdout, take_handshake_fd

def captured(buffer):
    texts = {1: b"", 2: b""}
    while (data := buffer.get()) is not None:
        texts[data.channel] += data.data
    return texts[1].decode(), texts[2].decode()
"""


def run(source: str, *flags: str) -> tuple[str, str]:
    """What a program with this source, after PRELUDE, leaves on the real stdout and stderr."""
    command = [sys.executable, "-X", "dev", "-W", "error", *flags, "-c", PRELUDE + textwrap.dedent(source)]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    result = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=20.0)
    assert result.returncode == 0, result.stderr
    return result.stdout, result.stderr


def test_the_buffered_text_of_a_program_is_kept_off_the_real_stdout() -> None:
    stdout, stderr = run(
        """
        print("printed before")
        os.write(take_handshake_fd(), b"the line\\n")
        print("printed after")
        """
    )

    assert stdout == "the line\n"
    assert stderr == "printed before\nprinted after\n"


def test_protection_is_taken_once() -> None:
    stdout, stderr = run(
        """
        protect_stdout()
        protect_stdout()
        os.write(take_handshake_fd(), b"the line\\n")
        os.write(1, b"noise\\n")
        """
    )

    assert (stdout, stderr) == ("the line\n", "noise\n")


@requirement("gp.grpc.stdio")
def test_whatever_prints_is_captured_in_order() -> None:
    stdout, stderr = run(
        """
        protect_stdout()
        with OutputCapture() as output:
            print("print")
            os.write(1, b"write\\n")
            subprocess.run(["echo", "child"], check=True)
            os.system("echo shell")
            sys.stdout.buffer.write(b"\\xff\\n".replace(b"\\xff", b"bytes"))
            sys.stdout.flush()
            print("no newline", end="")
            print("error", file=sys.stderr)
            sys.stderr.write("no newline either")
        sys.stderr.write(repr(captured(output.buffer)))
        """
    )

    expected = ("print\nwrite\nchild\nshell\nbytes\nno newline", "error\nno newline either")
    assert (stdout, stderr) == ("", repr(expected))


def test_descriptor_2_stays_the_hosts() -> None:
    stdout, stderr = run(
        """
        with OutputCapture() as output:
            os.write(2, b"log line\\n")
            subprocess.run(["sh", "-c", "echo child >&2"], check=True)
        assert captured(output.buffer) == ("", "")
        """
    )

    assert (stdout, stderr) == ("", "log line\nchild\n")


def test_afterwards_both_streams_are_what_they_were() -> None:
    stdout, stderr = run(
        """
        protect_stdout()
        before = sys.stderr
        with OutputCapture() as output:
            during = sys.stderr
        assert sys.stderr is before
        print("out")
        print("err", file=sys.stderr)
        print("kept by somebody", file=during)
        assert captured(output.buffer) == ("", "")
        """
    )

    assert (stdout, stderr) == ("", "out\nerr\nkept by somebody\n")


def test_no_text_is_unprintable_on_stderr() -> None:
    run(
        """
        with OutputCapture() as output:
            print("h\\u00e9 \\ud800", file=sys.stderr)
        assert captured(output.buffer) == ("", "h\\u00e9 \\\\ud800\\n")
        """,
        "-X",
        "utf8=0",
    )


def test_a_capture_leaves_no_thread_and_one_descriptor() -> None:
    run(
        """
        before = set(os.listdir("/proc/self/fd"))
        with OutputCapture() as output:
            during = sys.stderr
        output.stop()
        assert threading.active_count() == 1
        assert set(os.listdir("/proc/self/fd")) - before == {str(during.fileno())}
        """
    )


def test_a_child_that_keeps_the_pipe_holds_nobody_up() -> None:
    run(
        """
        protect_stdout()
        with OutputCapture() as output:
            child = subprocess.Popen(["sleep", "60"])
        assert output.buffer.finished
        assert threading.active_count() == 1
        child.kill()
        child.wait()
        """
    )


def test_a_child_that_prints_for_ever_is_read_only_so_long() -> None:
    run(
        """
        from goplugin import stdio
        stdio._DRAIN_SECONDS = 0.1
        protect_stdout()
        with OutputCapture() as output:
            child = subprocess.Popen(["yes"], stderr=subprocess.DEVNULL)
        captured(output.buffer)
        assert output.buffer.finished
        assert child.wait() != 0  # nobody reads the pipe any more
        """
    )


def test_two_threads_may_stop_a_capture_at_once() -> None:
    run(
        """
        with OutputCapture() as output:
            print("something")
            threads = [threading.Thread(target=output.stop) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert captured(output.buffer) == ("something\\n", "")
        """
    )


def test_a_capture_that_nobody_reads_stops_all_the_same() -> None:
    run(
        """
        protect_stdout()
        printed = 0
        def print_much():
            global printed
            for _ in range(400):
                print("x" * 10_000)
                printed += 1
        with OutputCapture() as output:
            printer = threading.Thread(target=print_much)
            printer.start()
            while output.buffer._size <= 1 << 20:
                pass
        printer.join()
        assert printed == 400
        """
    )
