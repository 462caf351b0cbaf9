"""`python -m goplugin run --debug FILE`: a plugin that nobody has launched, and the hosts that attach to it."""
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin import ReattachConfig
from tests.support import requirement

from .harness import PROBE, SECONDS, nothing_left_behind
from .hosts import HOSTS, NewHost
from .plugins.contract import RUN_PATH
from .sync.support import background
from .test_server import environment

RUNTIMES = pytest.mark.parametrize("arguments", [["plain"], []], ids=["plugin-sync", "plugin-aio"])


class Session:
    """A terminal with the probe in it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    @property
    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def read_until(self, text: str) -> str:
        assert self.process.stdout is not None
        read = ""
        while not read.endswith(text) and (character := self.process.stdout.read(1)):
            read += character
        return read

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def interrupt(self) -> tuple[int, str, str]:
        """Press Ctrl-C; the exit code, and what was printed since."""
        self.process.send_signal(signal.SIGINT)
        stdout, stderr = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, stdout, stderr


@contextlib.contextmanager
def debugging(*arguments: str, **variables: str) -> Iterator[Session]:
    command = (*PROBE[:-1], "--debug", PROBE[-1], *arguments)
    pipe = subprocess.PIPE
    with (
        nothing_left_behind(),
        subprocess.Popen(command, env=environment(**variables), stdin=pipe, stdout=pipe, stderr=pipe, text=True) as it,
    ):
        try:
            yield Session(it)
        finally:
            it.kill()


@requirement("us.debug", "gp.test-mode")
@HOSTS
@RUNTIMES
def test_any_number_of_hosts_attach_and_the_person_ends_it(new_host: NewHost, arguments: list[str]) -> None:
    with debugging(*arguments) as session:
        config = ReattachConfig.from_json(session.line)
        assert config == ReattachConfig("unix", config.address, session.process.pid, protocol_version=1, test=True)
        for _ in range(2):
            with new_host(command=(), reattach=config) as host:
                host.start()
                assert host.run("return os.getpid()") == str(config.pid)

        assert session.process.poll() is None
        code, stdout, _ = session.interrupt()

        assert (code, stdout) == (0, "")
        assert not Path(config.address).exists()


@requirement("us.debug")
@HOSTS
def test_what_is_printed_and_logged_goes_to_the_terminal(new_host: NewHost) -> None:
    with debugging("plain") as session:
        with new_host(command=(), reattach=ReattachConfig.from_json(session.line)) as host:
            host.start()
            host.run("print('printed', flush=True); logging.getLogger('kv').debug('logged')")

        assert session.line == "printed\n"
        assert session.interrupt()[1:] == ("", "DEBUG:kv:logged\n")


@requirement("us.debug")
@HOSTS
def test_a_breakpoint_stops_a_method_and_the_terminal_lets_it_go_on(new_host: NewHost) -> None:
    with debugging("plain") as session, contextlib.ExitStack() as hosts:
        host = hosts.enter_context(new_host(command=(), reattach=ReattachConfig.from_json(session.line)))
        host.start()
        call = background(host.call, RUN_PATH, "answer = 41\nbreakpoint()\nreturn answer")

        session.read_until("(Pdb) ")
        session.type("answer += 1\n")
        session.read_until("(Pdb) ")
        session.type("continue\n")

        assert call.result() == "42"
        session.interrupt()


@requirement("us.debug")
def test_the_version_is_the_oldest_or_what_the_environment_asks_for(tmp_path: Path) -> None:
    script = tmp_path / "plugin.py"
    script.write_text(
        "from goplugin import HandshakeConfig, ServeConfig, serve\n"
        "handshake = HandshakeConfig(magic_cookie_key='K', magic_cookie_value='V')\n"
        "serve(ServeConfig(handshake=handshake, versioned_plugins={5: {}, 6: {}}))\n"
    )
    for offered, version in [("", 5), ("4,6", 6)]:
        unknown = {"PLUGIN_CLIENT_CERT": "x", "PLUGIN_MULTIPLEX_GRPC": "1"}     # to a host that attaches
        env = {**os.environ, **unknown, "PLUGIN_PROTOCOL_VERSIONS": offered}
        command = [*PROBE[:-1], "--debug", str(script)]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as plugin:
            assert plugin.stdout is not None
            assert ReattachConfig.from_json(plugin.stdout.readline()).protocol_version == version
            plugin.send_signal(signal.SIGINT)
            assert plugin.wait(SECONDS) == 0
