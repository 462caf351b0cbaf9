"""A plugin process by itself: what it prints, where it listens, and how it ends, whoever its host is."""
from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from goplugin.core.broker import NO_SESSION
from goplugin.core.errors import PluginLostError, RemoteError
from goplugin.core.handshake import HandshakeLine, parse_handshake
from goplugin.core.messages import (
    PLUGIN_INFO_PATH,
    SHUTDOWN_PATH,
    START_STREAM_PATH,
    ConnInfo,
    Empty,
    PluginInfo,
)
from goplugin.core.status import Code
from goplugin.grpc import channel_to, unary_unary
from goplugin.sync.channel import channel_to as channel_to_blocking
from goplugin.tls import client_context
from tests.support import requirement

from .harness import PLUGINS, PROBE, SECONDS, Probe, nothing_left_behind, wait_for_exit, wait_until
from .plugins.contract import ECHO_PATH, HANDSHAKE
from .tls_support import HOST, PLUGIN, STRANGER

COOKIE = {HANDSHAKE.magic_cookie_key: HANDSHAKE.magic_cookie_value}
NOT_RUN_BY_HAND = """\
This binary is a plugin. These are not meant to be executed directly.
Please execute the program that consumes these plugins, which will
load any plugins automatically
"""
MISCONFIGURED = """\
Misconfigured ServeConfig given to serve this plugin: no magic cookie
key or value was set. Please notify the plugin author and report
this as a bug.
"""


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without the variables of plugins, and with these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PLUGIN_")}
    return inherited | variables


class Plugin:
    """A plugin process that somebody has launched who knows nothing of goplugin."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    @property
    def line(self) -> str:
        """The next line of its stdout."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().removesuffix("\n")

    def handshake(self) -> HandshakeLine:
        return parse_handshake(self.line, versions=range(100), allowed_protocols=["grpc"])

    def end(self) -> tuple[int, str, str]:
        """Its exit code and the rest of its stdout and stderr; waits for all of them."""
        stdout, stderr = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, stdout, stderr


@pytest.fixture
def launch() -> Iterator[Callable[..., Plugin]]:
    """Launches the probe, or another command, with the cookie and further variables."""
    plugins: list[Plugin] = []

    def launch(command: Sequence[str] = PROBE, **variables: str) -> Plugin:
        plugins.append(Plugin(command, environment(**COOKIE, **variables)))
        return plugins[-1]

    with nothing_left_behind():
        yield launch
        for plugin in plugins:
            plugin.process.terminate()
            plugin.end()


def program(source: str) -> tuple[str, ...]:
    """A plugin that does something before it serves the probe; `serve` and `config` are there."""
    prelude = f"""
import os, sys
sys.path.insert(0, {str(PLUGINS)!r})
from probe import *
config = ServeConfig(handshake=HANDSHAKE, plugins={{"probe": ProbePlugin()}})
"""
    return (sys.executable, "-c", prelude + textwrap.dedent(source))


async def shut_down(handshake: HandshakeLine) -> None:
    channel = channel_to(handshake.network, handshake.address)
    try:
        await unary_unary(channel, SHUTDOWN_PATH, Empty(), Empty, timeout=SECONDS)
    finally:
        channel.close()


@contextlib.asynccontextmanager
async def probing(handshake: HandshakeLine) -> Any:
    channel = channel_to(handshake.network, handshake.address)
    try:
        yield Probe(channel)
    finally:
        channel.close()


# --- run by hand -------------------------------------------------------------------------------------------------


@requirement("gp.cookie")
@pytest.mark.parametrize("cookie", [{}, {HANDSHAKE.magic_cookie_key: "wrong"}, {HANDSHAKE.magic_cookie_key: ""}])
@pytest.mark.parametrize("command", [PROBE, (sys.executable, PROBE[-1])], ids=["run", "direct"])
def test_without_the_cookie_a_plugin_explains_itself(command: Sequence[str], cookie: dict[str, str]) -> None:
    result = subprocess.run(command, env=environment(**cookie), capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout, result.stderr) == (1, "", NOT_RUN_BY_HAND)


@requirement("gp.cookie")
@pytest.mark.parametrize("half", ["magic_cookie_key", "magic_cookie_value"])
def test_a_plugin_without_a_cookie_of_its_own_is_misconfigured(launch: Callable[..., Plugin], half: str) -> None:
    plugin = launch(program(f"serve(config._replace(handshake=HANDSHAKE._replace({half}='')))"))

    assert plugin.end() == (1, "", MISCONFIGURED)


# --- the handshake line ------------------------------------------------------------------------------------------


@requirement("gp.handshake.write")
def test_the_line_tells_where_somebody_already_listens(launch: Callable[..., Plugin], tmp_path: Path) -> None:
    plugin = launch(PLUGIN_UNIX_SOCKET_DIR=str(tmp_path))

    line = plugin.line

    core, version, network, address, protocol, cert = line.split("|")
    assert (core, version, network, protocol, cert) == ("1", "1", "unix", "grpc", "")
    assert Path(address).parent == tmp_path
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)


@requirement("gp.handshake.write")
@pytest.mark.parametrize("wanted", ["true", "false", "1", "x"])
def test_the_seventh_field_is_there_if_the_host_asks_for_it(launch: Callable[..., Plugin], wanted: str) -> None:
    assert launch(PLUGIN_MULTIPLEX_GRPC=wanted).line.split("|")[4:] == ["grpc", "", "true"]


def test_stdout_carries_nothing_but_the_line(launch: Callable[..., Plugin]) -> None:
    plugin = launch(
        program(
            """
            print("before")
            serve(config)
            print("after")
            """
        ),
        PYTHONUNBUFFERED="",  # as a terminal's user has it: what is printed waits for a full buffer
    )
    asyncio.run(shut_down(plugin.handshake()))

    code, stdout, stderr = plugin.end()

    assert (code, stdout) == (0, "")
    assert stderr == "before\nafter\n"


VERSIONED = """
class Versioned(ProbePlugin):
    def __init__(self, version):
        super().__init__()
        self.version = version
    def grpc_server(self, server):
        NAMESPACE["VERSION"] = self.version
        super().grpc_server(server)
serve(config._replace(
    handshake=HANDSHAKE._replace(protocol_version=2),
    plugins={"probe": Versioned("plugins")},
    versioned_plugins={2: {"probe": Versioned("two")}, 3: {"probe": Versioned("three")}},
))
"""


@requirement("gp.version.sets")
@pytest.mark.parametrize(
    ("offered", "version", "plugins"),
    [("2,3", 3, "three"), ("2", 2, "plugins"), ("9,3,1", 3, "three"), ("7,9", 2, "plugins"), ("", 2, "plugins")],
)
def test_the_highest_common_version_is_served_or_the_oldest(
    launch: Callable[..., Plugin], offered: str, version: int, plugins: str
) -> None:
    plugin = launch(program(VERSIONED), PLUGIN_PROTOCOL_VERSIONS=offered)

    handshake = plugin.handshake()

    async def served() -> str:
        async with probing(handshake) as probe:
            return await probe.run("return VERSION")

    assert handshake.app_version == version
    assert asyncio.run(served()) == plugins


def test_an_offer_that_is_no_number_is_reported_and_passed_over(launch: Callable[..., Plugin]) -> None:
    plugin = launch(PLUGIN_PROTOCOL_VERSIONS="x,1")
    assert plugin.handshake().app_version == 1
    plugin.process.terminate()

    assert plugin.end()[2].startswith('server sent invalid plugin version "x"\n')


# --- TLS ---------------------------------------------------------------------------------------------------------


def echo_over_tls(handshake: HandshakeLine, tls: ssl.SSLContext) -> str:
    """What the probe answers to whoever connects with this context."""
    with contextlib.closing(channel_to_blocking(handshake.network, handshake.address, tls=tls)) as channel:
        return (channel.unary(ECHO_PATH, b"safe", timeout=SECONDS).message or b"").decode()


PLAIN_PROBE = """
class Plain(ProbeServicer):
    def __mapping__(self):
        return {ECHO_PATH: super().__mapping__()[ECHO_PATH]}
class PlainPlugin(ProbePlugin):
    def grpc_server(self, server):
        server.add_service(Plain())
config = config._replace(plugins={"probe": PlainPlugin()})
"""
RUNTIMES = pytest.mark.parametrize("runtime", ["sync", "aio"])


def served_in(runtime: str, source: str) -> tuple[str, ...]:
    return program((PLAIN_PROBE if runtime == "sync" else "") + textwrap.dedent(source))


@requirement("gp.tls.auto")
@RUNTIMES
def test_who_sends_a_certificate_gets_one_and_is_served_over_tls(launch: Callable[..., Plugin], runtime: str) -> None:
    plugin = launch(served_in(runtime, "serve(config)"), PLUGIN_CLIENT_CERT=HOST.pem)
    handshake = plugin.handshake()

    assert handshake.server_cert is not None
    assert echo_over_tls(handshake, client_context(HOST, handshake.server_cert)) == "safe"
    with pytest.raises(PluginLostError):
        echo_over_tls(handshake, client_context(STRANGER, handshake.server_cert))


@requirement("gp.tls.user")
@RUNTIMES
def test_tls_of_the_plugins_own_is_served_and_no_certificate_announced(
    launch: Callable[..., Plugin], runtime: str
) -> None:
    source = f"""
        from goplugin.tls import KeyPair, server_context
        serve(config._replace(tls=lambda: server_context(KeyPair{tuple(PLUGIN)}, {STRANGER.pem!r})))
        """
    plugin = launch(served_in(runtime, source), PLUGIN_CLIENT_CERT=HOST.pem)
    handshake = plugin.handshake()

    assert handshake.server_cert is None
    assert echo_over_tls(handshake, client_context(STRANGER, PLUGIN.certificate)) == "safe"


def test_a_certificate_that_cannot_be_read_is_told_in_the_log(launch: Callable[..., Plugin]) -> None:
    plugin = launch(PLUGIN_CLIENT_CERT="no certificate")
    assert plugin.handshake().server_cert is not None
    plugin.process.terminate()

    entry = json.loads(plugin.end()[2])
    assert (entry["@level"], entry["@message"]) == ("error", "client cert provided but failed to parse")


# --- services beside the application's -----------------------------------------------------------------------------


def served_by(handshake: HandshakeLine, path: str, message: bytes = b"") -> bytes:
    """The answer to an unary call. Raises RemoteError."""
    with contextlib.closing(channel_to_blocking(handshake.network, handshake.address)) as channel:
        return channel.unary(path, message, timeout=SECONDS).message or b""


@requirement("gp.version.semantic")
@RUNTIMES
def test_a_plugin_tells_its_version(launch: Callable[..., Plugin], runtime: str) -> None:
    plugin = launch(served_in(runtime, "serve(config._replace(version='1.2.3-beta.1'))"))

    assert served_by(plugin.handshake(), PLUGIN_INFO_PATH) == PluginInfo("1.2.3-beta.1").SerializeToString()


@RUNTIMES
def test_a_plugin_without_a_version_has_not_the_service(launch: Callable[..., Plugin], runtime: str) -> None:
    plugin = launch(served_in(runtime, "serve(config)"))

    with pytest.raises(RemoteError) as caught:
        served_by(plugin.handshake(), PLUGIN_INFO_PATH)
    assert caught.value.code is Code.UNIMPLEMENTED


@RUNTIMES
def test_the_stream_of_the_broker_is_there_for_a_plugin_that_has_taken_none(
    launch: Callable[..., Plugin], runtime: str
) -> None:
    plugin = launch(served_in(runtime, "serve(config); sys.stderr.write(str('goplugin.core.broker' in sys.modules))"))
    handshake = plugin.handshake()

    with contextlib.closing(channel_to_blocking(handshake.network, handshake.address)) as channel:
        with channel.open(START_STREAM_PATH) as call:
            call.send(ConnInfo(1, "unix", "/nowhere").SerializeToString())
            call.end()
            assert list(call) == []
        channel.unary(SHUTDOWN_PATH, b"", timeout=SECONDS)

    assert plugin.end() == (0, "", "False")


@RUNTIMES
def test_a_plugin_to_which_no_multiplexing_host_connects_ends(launch: Callable[..., Plugin], runtime: str) -> None:
    plugin = launch(served_in(runtime, "serve(config)"), PLUGIN_MULTIPLEX_GRPC="true")
    handshake = plugin.handshake()

    code, stdout, stderr = plugin.end()

    assert (code, stdout) == (0, "")
    assert json.loads(stderr)["@message"] == f"grpc server: {NO_SESSION}"
    assert not Path(handshake.address).exists()


# --- what cannot be served ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "source", "text"),
    [
        (
            {"PLUGIN_UNIX_SOCKET_DIR": "/nowhere"},
            "serve(config)",
            "ConfigError: open /nowhere/plugin",
        ),
        (
            {"PLUGIN_UNIX_SOCKET_GROUP": "no-such-group"},
            "serve(config)",
            'ConfigError: failed to find gid from "no-such-group"',
        ),
        (
            {},
            "serve(config._replace(version='1.2'))",
            'ConfigError: not a semantic version (MAJOR.MINOR.PATCH): "1.2"',
        ),
        ({}, "serve(config._replace(plugins=None))", "ConfigError: no protocol version to serve"),
        ({}, "serve(config._replace(plugins={'x': GRPCPlugin()}))", "NotImplementedError: GRPCPlugin cannot be served"),
    ],
)
def test_what_cannot_be_served_fails_before_the_line(
    launch: Callable[..., Plugin], variables: dict[str, str], source: str, text: str
) -> None:
    plugin = launch(program(source), **variables)

    code, stdout, stderr = plugin.end()

    assert (code, stdout) == (1, "")
    assert stderr.splitlines()[-1].startswith(f"goplugin.core.errors.{text}" if text.startswith("Config") else text)


# --- signals -----------------------------------------------------------------------------------------------------


@requirement("gp.signals")
def test_ctrl_c_does_not_end_a_plugin(launch: Callable[..., Plugin]) -> None:
    plugin = launch()
    handshake = plugin.handshake()

    async def interrupt() -> str:
        async with probing(handshake) as probe:
            await probe.run("os.kill(os.getpid(), signal.SIGINT)")
            await probe.run_async("os.kill(os.getpid(), signal.SIGINT)")
            for _ in range(3):
                os.kill(plugin.pid, signal.SIGINT)
            return await probe.echo("still here")

    assert asyncio.run(interrupt()) == "still here"
    asyncio.run(shut_down(handshake))
    assert plugin.end() == (0, "", "")


def test_ctrl_c_ends_the_children_of_a_plugin_as_usual(launch: Callable[..., Plugin]) -> None:
    plugin = launch()

    async def interrupted_child() -> str:
        async with probing(plugin.handshake()) as probe:
            return await probe.run(
                """
                child = subprocess.Popen(["sleep", "60"])
                child.send_signal(signal.SIGINT)
                return child.wait()
                """
            )

    assert asyncio.run(interrupted_child()) == str(-signal.SIGINT)


@requirement("us.orphan")
@pytest.mark.parametrize("body", ["pass", "threading.Event().wait()"], ids=["idle", "busy"])
def test_sigterm_ends_a_plugin_in_order(launch: Callable[..., Plugin], body: str) -> None:
    plugin = launch(program("serve(config); sys.stderr.write('in order')"))
    handshake = plugin.handshake()

    async def terminate() -> None:
        async with probing(handshake) as probe:
            await probe.run("threading.Thread(target=print).start()")
            busy = asyncio.create_task(probe.run(body))
            await probe.echo("")
            plugin.process.terminate()
            await asyncio.to_thread(wait_for_exit, plugin.pid)
            await asyncio.wait([busy])

    asyncio.run(terminate())

    assert plugin.end() == (0, "", "in order")
    assert not Path(handshake.address).exists()


def test_after_serve_the_signals_are_what_they_were(launch: Callable[..., Plugin]) -> None:
    plugin = launch(
        program(
            """
            import signal
            numbers = signal.SIGINT, signal.SIGTERM
            before = [signal.getsignal(number) for number in numbers]
            serve(config)
            sys.exit([signal.getsignal(number) for number in numbers] != before)
            """
        )
    )
    asyncio.run(shut_down(plugin.handshake()))

    assert plugin.end() == (0, "", "")


# --- the end -----------------------------------------------------------------------------------------------------


def test_serve_returns_after_shutdown(launch: Callable[..., Plugin]) -> None:
    plugin = launch(program("serve(config); sys.stderr.write('done'); sys.exit(7)"))
    handshake = plugin.handshake()

    asyncio.run(shut_down(handshake))

    assert plugin.end() == (7, "", "done")
    assert not Path(handshake.address).exists()


def test_nobody_new_can_connect_while_a_plugin_ends(launch: Callable[..., Plugin]) -> None:
    plugin = launch()
    handshake = plugin.handshake()

    async def terminate() -> None:
        async with probing(handshake) as probe:
            slow_to_end = """
                try:
                    await asyncio.sleep(60)
                finally:
                    await asyncio.sleep(0.5)
                """
            busy = asyncio.create_task(probe.run_async(slow_to_end))
            await probe.run_async("return 1")
            plugin.process.terminate()
            await wait_until(lambda: not Path(handshake.address).exists())
            assert plugin.process.poll() is None
            await asyncio.wait([busy])

    asyncio.run(terminate())

    assert plugin.end()[0] == 0


@pytest.mark.parametrize("kind", ["run", "run_async"])
def test_a_method_may_end_the_process(launch: Callable[..., Plugin], kind: str) -> None:
    plugin = launch()
    handshake = plugin.handshake()

    async def end() -> None:
        async with probing(handshake) as probe:
            with contextlib.suppress(Exception):
                await getattr(probe, kind)("sys.exit(7)")

    asyncio.run(end())

    assert plugin.end()[0] == 7
    assert not Path(handshake.address).exists()


def test_a_plugin_in_developer_mode_has_nothing_to_complain_of(launch: Callable[..., Plugin]) -> None:
    plugin = launch((sys.executable, "-X", "dev", "-W", "error", *PROBE[1:]))
    handshake = plugin.handshake()

    async def use() -> None:
        async with probing(handshake) as probe:
            await probe.run("print('something')")
            await probe.run_async("await asyncio.sleep(0)")
            await probe.stream("yield 1")
            await shut_down(handshake)

    asyncio.run(use())

    code, stdout, stderr = plugin.end()
    assert (code, stdout) == (0, "")
    # asyncio's debug mode mentions the imports as a slow step.
    assert [line for line in stderr.splitlines() if " took " not in line] == []


# --- a host that is gone -----------------------------------------------------------------------------------------


@requirement("us.orphan")
def test_a_plugin_whose_host_died_before_the_line_ends(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    env = environment(**COOKIE, PLUGIN_UNIX_SOCKET_DIR=str(tmp_path))
    process = subprocess.Popen(PROBE, env=env, stdout=write_end, stderr=subprocess.PIPE, text=True)
    os.close(write_end)

    _, stderr = process.communicate(timeout=SECONDS)

    assert (process.returncode, stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("outlives", [False, True])
@requirement("us.orphan")
def test_a_plugin_ends_with_its_host_unless_it_shall_not(tmp_path: Path, outlives: bool) -> None:
    command = program(f"serve(config._replace(outlive_host={outlives}))")
    env = environment(**COOKIE, PLUGIN_UNIX_SOCKET_DIR=str(tmp_path))
    host = f"""
import subprocess
plugin = subprocess.Popen({command!r}, stdout=subprocess.PIPE, text=True)
print(plugin.pid, plugin.stdout.readline(), end="")
"""
    result = subprocess.run([sys.executable, "-c", host], env=env, stdout=subprocess.PIPE, text=True, check=True)
    number, _, line = result.stdout.partition(" ")
    handshake = parse_handshake(line, versions=[1], allowed_protocols=["grpc"])
    pid = int(number)

    assert wait_for_exit(pid, 1.5 if outlives else SECONDS) is not outlives

    if outlives:
        asyncio.run(shut_down(handshake))
        assert wait_for_exit(pid)
    assert list(tmp_path.iterdir()) == []
