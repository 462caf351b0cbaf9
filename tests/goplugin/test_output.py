"""What a plugin's process prints below Python: C, child processes, and more of it than anybody reads."""
from __future__ import annotations

import io
import os
import time
from typing import Any

import pytest

from tests.support import requirement

from .harness import PROBE, Sink
from .hosts import HOSTS, NewHost
from .sync.harness import cleanly

MEBIBYTE = 1 << 20
RUNTIMES = pytest.mark.parametrize("command", [(*PROBE, "plain"), PROBE], ids=["plugin-sync", "plugin-aio"])


@requirement("gp.grpc.stdio")
@HOSTS
@RUNTIMES
@cleanly
def test_what_c_and_child_processes_print_is_captured_in_its_place(new_host: NewHost, command: tuple[str, ...]) -> None:
    stdout, stderr, log = Sink(), Sink(), Sink()
    with new_host(command=command, sync_stdout=stdout, sync_stderr=stderr, stderr=log) as host:
        host.start()
        host.run(
            r"""
            import ctypes
            c = ctypes.CDLL(None)
            print("python")
            c.write(1, b"write\n", 6)
            c.printf(b"printf %d\n", 1)
            c.fflush(None)
            subprocess.run(["echo", "child"], check=True)
            subprocess.run(["sh", "-c", "echo grandchild | cat"], check=True)
            c.write(2, b"write to 2\n", 11)
            subprocess.run(["sh", "-c", "echo child to 2 >&2"], check=True)
            print("python", file=sys.stderr)
            """
        )
        host.wait_until(lambda: "grandchild\n" in stdout.text and "python" in stderr.text and "child" in log.text)
        host.run("import ctypes; ctypes.CDLL(None).write(1, b'last words', 10)")

    assert stdout.text == "python\nwrite\nprintf 1\nchild\ngrandchild\nlast words"
    assert stderr.text == "python\n"
    assert log.text == "write to 2\nchild to 2\n"


@HOSTS
@RUNTIMES
@cleanly
def test_what_c_keeps_until_the_exit_reaches_the_hosts_log(
    new_host: NewHost, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "")      # which counts for C as well
    stdout, log = Sink(), Sink()
    with new_host(command=command, sync_stdout=stdout, stderr=log) as host:
        host.start()
        host.run("import ctypes; ctypes.CDLL(None).printf(b'never flushed')")

    assert (stdout.text, log.text) == ("", "never flushed")


class SlowSink(io.RawIOBase):
    """Takes its time, and keeps nothing but the size of it, and of this process."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self.largest_process = 0

    def write(self, data: Any) -> int:
        time.sleep(0.0002)
        self.size += len(data)
        self.largest_process = max(self.largest_process, resident(os.getpid()))
        return len(data)


def resident(pid: int) -> int:
    """The octets of memory that the process has."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@requirement("gp.grpc.stdio")
@HOSTS
@RUNTIMES
@cleanly
def test_fifty_mebibytes_for_a_host_that_is_slow_take_little_memory_on_either_side(
    new_host: NewHost, command: tuple[str, ...]
) -> None:
    sink = SlowSink()
    with new_host(command=command, sync_stdout=sink) as host:
        host.start()
        host.run("return 'the first call has imported what it needs'")
        before = resident(os.getpid())
        grown = host.run(
            """
            def kibibytes(name):
                with open("/proc/self/status") as status:
                    return next(int(line.split()[1]) for line in status if line.startswith(name))

            before = kibibytes("VmRSS")
            for _ in range(800):
                os.write(1, b"x" * 65536)
            return kibibytes("VmHWM") - before
            """
        )
        host.wait_until(lambda: sink.size == 50 * MEBIBYTE)

    assert int(grown) < 16 * 1024
    assert sink.largest_process - before < 16 * MEBIBYTE
