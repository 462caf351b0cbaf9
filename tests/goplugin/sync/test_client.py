"""A host that blocks, and its plugins: real processes, from the launch to the end of either side."""
from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import pytest

from goplugin import (
    Code,
    ConfigError,
    HandshakeError,
    IncompatibleVersionError,
    LaunchError,
    PluginError,
    PluginLostError,
    RemoteError,
    UnsupportedProtocolError,
)
from goplugin.core.handshake import UnrecognizedLineError
from goplugin.sync import Client
from tests.support import requirement

from ..harness import PLUGINS, SECONDS, Sink, sh, wait_for_exit
from ..plugins.contract import HANDSHAKE
from .harness import Probe, ProbePlugin, cleanly, probe_config, running_probe
from .support import background, wait_until

ROOT = Path(__file__).parents[3]
FOREIGN = (sys.executable, str(PLUGINS / "foreign.py"))
DEAD = "1|1|unix|/nowhere/plugin1|grpc|"


@pytest.fixture
def socket_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the plugins of this test listen."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


# --- the start ---------------------------------------------------------------------------------------------------


@requirement("gp.interface", "gp.exited", "gp.version.single")
@cleanly
def test_a_client_knows_its_plugin() -> None:
    client = Client(probe_config())
    assert (client.id, client.exited, client.negotiated_version, client.protocol) == ("", False, 0, "")

    with client:
        probe = client.dispense("probe")
        assert isinstance(probe, Probe)
        assert probe.run("return os.getpid()") == client.id
        assert (client.exited, client.negotiated_version, client.protocol) == (False, 1, "grpc")
        client.ping()
        client.ping(timeout=SECONDS)

    assert (client.exited, client.exit_code) == (True, 0)
    assert wait_for_exit(int(client.id))


@cleanly
def test_to_dispense_is_to_start() -> None:
    client = Client(probe_config())

    assert client.dispense("probe").echo("hello") == "hello"

    client.kill()


@cleanly
def test_starts_side_by_side_launch_one_process() -> None:
    with Client(probe_config()) as client:
        pid = client.id
        starts = [background(client.start) for _ in range(3)]

        assert len({start.result() for start in [*starts, background(client.start)]}) == 1
        assert client.id == pid


@cleanly
def test_a_name_that_is_not_in_the_set_is_unknown() -> None:
    with Client(probe_config()) as client, pytest.raises(PluginError, match=r"^unknown plugin type: other$"):
        client.dispense("other")


@requirement("gp.version.sets")
@cleanly
def test_the_set_of_the_version_that_the_plugin_chose_is_dispensed() -> None:
    sets = {1: {"one": ProbePlugin()}, 2: {"two": ProbePlugin()}}
    config = probe_config(
        handshake=HANDSHAKE._replace(protocol_version=5), plugins={"own": ProbePlugin()}, versioned_plugins=sets
    )
    with Client(config) as client:
        assert client.negotiated_version == 1
        assert isinstance(client.dispense("one"), Probe)
        with pytest.raises(PluginError, match=r"^unknown plugin type: own$"):
            client.dispense("own")


@cleanly
def test_a_plugin_of_any_language_may_speak_tcp_and_keep_it_short() -> None:
    with Client(probe_config(command=FOREIGN)) as client:
        client.ping(timeout=SECONDS)
        client.kill(grace=0.05)


@cleanly
def test_many_threads_share_a_client() -> None:
    with running_probe() as (_, probe):
        calls = [background(probe.run, f"time.sleep(0.01); return {number}") for number in range(20)]

        assert [call.result() for call in calls] == [str(number) for number in range(20)]


# --- bad plugins -------------------------------------------------------------------------------------------------


@requirement("gp.handshake.read", "gp.version.human", "gp.allowed-protocols")
@pytest.mark.parametrize(
    ("command", "kind", "text"),
    [
        (sh("echo hello; sleep 60"), UnrecognizedLineError, "Unrecognized remote plugin message: hello"),
        (sh("echo; sleep 60"), UnrecognizedLineError, "Unrecognized remote plugin message: "),
        (
            sh("echo '1|9|unix|/nowhere|grpc|'; sleep 60"),
            IncompatibleVersionError,
            "incompatible API version with plugin. Plugin version: 9, Client versions: [1]",
        ),
        (
            sh("echo '1|1|unix|/nowhere'; sleep 60"),
            UnsupportedProtocolError,
            'unsupported plugin protocol "netrpc". Supported: [grpc]',
        ),
    ],
    ids=["garbage", "blank", "version", "protocol"],
)
@cleanly
def test_a_line_that_cannot_be_accepted_ends_the_plugin(
    command: Sequence[str], kind: type[HandshakeError], text: str
) -> None:
    client = Client(probe_config(command=command))

    with pytest.raises(HandshakeError) as caught:
        client.start()

    assert type(caught.value) is kind
    assert str(caught.value).startswith(text)
    assert client.exited
    assert wait_for_exit(int(client.id))


@requirement("gp.handshake.timeout")
@cleanly
def test_an_exit_without_a_line_tells_why() -> None:
    client = Client(probe_config(command=sh("echo 'no such luck' >&2; exit 3")))

    with pytest.raises(LaunchError, match=r"^plugin exited before we could connect: sh ended with code 3 ") as caught:
        client.start()

    assert (caught.value.exit_code, caught.value.stderr) == (3, "no such luck")


@requirement("gp.handshake.timeout")
@cleanly
def test_a_plugin_that_hangs_is_given_up_in_time() -> None:
    client = Client(probe_config(command=sh("sleep 60 & wait"), start_timeout=0.2))

    with pytest.raises(LaunchError, match=r"^timeout while waiting for plugin to start: sh printed no handshake line"):
        client.start()

    assert client.exited


@cleanly
def test_a_file_that_cannot_be_run_is_a_launch_error(tmp_path: Path) -> None:
    client = Client(probe_config(command=[str(tmp_path / "none")]))

    with pytest.raises(LaunchError, match=rf"^fork/exec {tmp_path}/none: no such file or directory$"):
        client.start()

    assert (client.id, client.exited) == ("", False)
    client.kill()


@requirement("gp.crash")
@cleanly
def test_an_announced_socket_that_is_dead_is_noticed_at_the_first_call() -> None:
    client = Client(probe_config(command=sh(f"echo '{DEAD}'; exec sleep 60")))
    client.start()

    with pytest.raises(PluginLostError, match=r"^rpc error: code = Unavailable desc = connection error: dial unix /no"):
        client.ping()
    with pytest.raises(PluginLostError, match=r"dial unix /nowhere/plugin1: "):
        client.channel.open("/a/b")

    assert not client.channel.look()
    client.kill(grace=0.05)
    assert client.exited


# --- calls -------------------------------------------------------------------------------------------------------


@cleanly
def test_errors_keep_their_code_and_text() -> None:
    with running_probe() as (_, probe):
        with pytest.raises(RemoteError) as plain:
            probe.run("raise ValueError('no such luck')")
        with pytest.raises(RemoteError) as status:
            probe.run("raise RemoteError(Code.NOT_FOUND, 'no such key')")
        assert probe.echo("still here") == "still here"

    assert str(plain.value) == "rpc error: code = Unknown desc = no such luck"
    assert str(status.value) == "rpc error: code = NotFound desc = no such key"


@requirement("gp.grpc.limits")
@cleanly
def test_messages_of_five_mebibytes_pass_both_ways() -> None:
    text = "x" * (5 << 20)
    with running_probe() as (_, probe):
        assert probe.echo(text) == text


@requirement("jm.timeouts")
@pytest.mark.parametrize("kind", ["run", "run_async"])
@cleanly
def test_a_call_ends_at_its_deadline_and_the_plugin_lives_on(kind: str) -> None:
    wait = "threading.Event().wait()" if kind == "run" else "await asyncio.Event().wait()"
    with running_probe() as (_, probe):
        with pytest.raises(RemoteError) as caught:
            getattr(probe, kind)(wait, timeout=0.05)

        assert caught.value.code is Code.DEADLINE_EXCEEDED
        assert probe.echo("still here") == "still here"


@requirement("gp.crash")
@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"])
@cleanly
def test_a_crash_in_a_call_loses_the_plugin_and_nothing_else(end: str) -> None:
    with running_probe() as (client, probe):
        waiting = background(probe.run, "threading.Event().wait()")

        with pytest.raises(PluginLostError):
            probe.run(end)

        with pytest.raises(PluginLostError):
            waiting.result()
        wait_until(lambda: client.exited)
        with pytest.raises(PluginLostError):
            client.ping()


# --- the end -----------------------------------------------------------------------------------------------------


@requirement("gp.kill", "us.kill-tree", "us.grace")
@cleanly
def test_a_plugin_that_does_not_obey_is_killed_with_its_descendants() -> None:
    with running_probe() as (client, probe):
        child = int(probe.run("return subprocess.Popen(['sleep', '60']).pid"))
        stuck = background(probe.run_async, "time.sleep(60)")
        probe_is_stuck(client)
        started = time.monotonic()

        client.kill(grace=0.2)

        assert 0.2 <= time.monotonic() - started < SECONDS / 2
        with pytest.raises(PluginLostError):
            stuck.result()
    assert client.exit_code == -signal.SIGKILL
    assert wait_for_exit(child)


def probe_is_stuck(client: Client) -> None:
    """Return when the plugin answers nobody any more."""

    def silent() -> bool:
        try:
            client.ping(timeout=0.05)
        except RemoteError as error:
            return error.code is Code.DEADLINE_EXCEEDED
        return False

    wait_until(silent)


@requirement("gp.kill", "gp.grpc.controller")
@cleanly
def test_a_plugin_that_obeys_is_not_waited_for() -> None:
    with running_probe() as (client, _):
        client.kill(grace=SECONDS * 10)

    assert client.exit_code == 0


@requirement("us.kill-tree")
@cleanly
def test_the_children_of_a_plugin_that_obeys_end_with_it() -> None:
    with running_probe() as (client, probe):
        pid = int(probe.run("return subprocess.Popen(['sleep', '60']).pid"))

    assert client.exit_code == 0
    assert wait_for_exit(pid)


@requirement("gp.kill")
@cleanly
def test_kill_is_idempotent_and_may_come_side_by_side() -> None:
    client = Client(probe_config())
    client.start()

    for kill in [background(client.kill) for _ in range(3)]:
        kill.result()
    client.kill()

    assert client.exit_code == 0


@cleanly
def test_a_kill_ends_a_start_that_is_under_way() -> None:
    stderr = Sink()
    client = Client(probe_config(command=sh("echo launched >&2; sleep 60 & wait"), stderr=stderr))
    start = background(client.start)
    stderr.wait("launched")

    client.kill()

    assert client.exited
    with pytest.raises(LaunchError, match=r"^sh was killed while it started\nplugin stderr: launched$"):
        start.result()


@cleanly
def test_after_its_end_a_client_cannot_be_used_again() -> None:
    with running_probe() as (client, probe):
        pass
    never = Client(probe_config())
    never.kill()

    for attempt in (client.start, lambda: client.dispense("probe"), never.start):
        with pytest.raises(ConfigError, match=r"^this client's plugin has ended; a new start takes a new Client$"):
            attempt()
    with pytest.raises(ConfigError, match=r"^the plugin is not running"):
        client.ping()
    with pytest.raises(PluginLostError):
        probe.echo("")


@cleanly
def test_an_exception_in_the_body_ends_the_plugin() -> None:
    client = Client(probe_config())

    with pytest.raises(ZeroDivisionError), client:
        1 / 0  # noqa: B018

    assert client.exit_code == 0


# --- interruption ------------------------------------------------------------------------------------------------


def interrupt(work: Callable[[], object], seconds: float, again: float = 0.0) -> None:
    """Run `work`; an exception of a signal handler comes upon it after a while, and every so often from then on."""

    def handle(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, handle)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds, again)
            work()
            threading.Event().wait()  # it was faster
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGALRM, previous)


@cleanly
def test_a_start_that_is_interrupted_while_it_waits_leaves_nothing() -> None:
    client = Client(probe_config(command=sh("sleep 60 & wait")))

    interrupt(client.start, 0.1)

    assert client.exited
    with pytest.raises(ConfigError):
        client.start()


@cleanly
def test_wherever_a_start_is_interrupted_it_leaves_nothing() -> None:
    for number in range(60):
        client = Client(probe_config(command=sh(f"echo '{DEAD}'; exec sleep 60")))
        started: list[object] = []

        interrupt(lambda client=client, started=started: started.append(client.start()), 0.0001 + number * 0.0002)

        assert started or not client._has_plugin
        client.kill(grace=0.0)


@pytest.mark.parametrize("again", [0.0, 0.01], ids=["once", "again and again"])
@cleanly
def test_a_kill_that_is_interrupted_ends_the_plugin_without_further_grace(again: float) -> None:
    with running_probe() as (client, probe):
        stuck = background(probe.run_async, "time.sleep(60)")
        probe_is_stuck(client)

        interrupt(lambda: client.kill(grace=SECONDS * 10), 0.1, again)

        assert wait_for_exit(int(client.id))
        with pytest.raises(PluginLostError):
            stuck.result()


@cleanly
def test_an_interrupted_call_does_not_keep_a_plugin_from_a_good_end() -> None:
    client = Client(probe_config())
    with client:
        probe = client.dispense("probe")

        def call_for_ever() -> None:
            while True:
                probe.echo("again")

        interrupt(call_for_ever, 0.05)

    assert client.exit_code == 0


@requirement("us.orphan", "gp.signals")
@pytest.mark.parametrize(
    ("end", "number", "code"),
    [
        ("wait", signal.SIGKILL, -signal.SIGKILL),
        ("wait", signal.SIGTERM, -signal.SIGTERM),
        ("wait", signal.SIGINT, -signal.SIGINT),
        ("printing", signal.SIGKILL, -signal.SIGKILL),
        ("raise", None, 1),
        ("exit", None, 3),
        ("_exit", None, 4),
        ("thread", None, 0),
    ],
)
def test_however_a_host_ends_its_plugin_ends_too(
    end: str, number: signal.Signals | None, code: int, socket_dir: Path
) -> None:
    command = [sys.executable, "-m", "tests.goplugin.sync.host_program", end]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as host:
        assert host.stdout is not None
        plugin = int(host.stdout.readline())
        if number is signal.SIGINT:
            os.killpg(host.pid, number)  # as a terminal does
        elif number is not None:
            host.send_signal(number)

        assert host.wait(SECONDS) == code
        assert wait_for_exit(plugin)
        assert os.listdir(socket_dir) == []


# --- output ------------------------------------------------------------------------------------------------------


@requirement("gp.grpc.stdio")
@cleanly
def test_whatever_a_plugin_prints_reaches_the_sinks_in_order() -> None:
    stdout, stderr = Sink(), Sink()
    with running_probe(sync_stdout=stdout, sync_stderr=stderr) as (_, probe):
        probe.run(
            """
            print("print")
            os.write(1, b"write\\n")
            subprocess.run(["echo", "child"], check=True)
            print("h\\u00e9", end="", flush=True)
            print("error", file=sys.stderr)
            """
        )
        stdout.wait("h\u00e9")
        stderr.wait("error")
        probe.run("print('last words', end='')")

    assert stdout.text == "print\nwrite\nchild\nh\u00e9last words"
    assert stderr.text == "error\n"


@cleanly
def test_five_megabytes_arrive_whole() -> None:
    stdout = Sink()
    with running_probe(sync_stdout=stdout) as (_, probe):
        probe.run("for number in range(100_000): print(f'{number:049}')")

    assert stdout.text == "".join(f"{number:049}\n" for number in range(100_000))


class SlowSink(Sink):
    def write(self, data: object) -> int:
        time.sleep(0.002)
        return super().write(data)


@cleanly
def test_a_host_that_is_slow_slows_the_plugin_and_no_call() -> None:
    stdout = SlowSink()
    with running_probe(sync_stdout=stdout) as (_, probe):
        printing = background(probe.run, "for _ in range(300): print('x' * 9_999)")
        while not stdout.getvalue():
            time.sleep(0.001)
        assert probe.echo("meanwhile") == "meanwhile"
        printing.result()

    assert len(stdout.text) == 3_000_000


class BrokenSink(io.BytesIO):
    def write(self, data: object) -> int:
        raise BrokenPipeError(32, "Broken pipe")


@cleanly
def test_a_sink_that_fails_harms_neither_plugin_nor_host(caplog: pytest.LogCaptureFixture) -> None:
    stderr = Sink()
    with running_probe(sync_stdout=BrokenSink(), sync_stderr=stderr) as (client, probe):
        probe.run("print('unheard'); time.sleep(0); print('heard', file=sys.stderr)")
        stderr.wait("heard")

    assert client.exit_code == 0
    assert "failed to copy all bytes" in {record.getMessage() for record in caplog.records}


@requirement("gp.grpc.stdio")
@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("no-stdio", "stdio service not available, stdout/stderr syncing unavailable"),
        ("broken-stdio", "error receiving data"),
    ],
)
@cleanly
def test_a_plugin_without_a_good_stdio_service_is_tolerated(
    caplog: pytest.LogCaptureFixture, service: str, message: str
) -> None:
    with Client(probe_config(command=(*FOREIGN, service))) as client:
        wait_until(lambda: caplog.records)
        client.ping()
        client.kill(grace=0.05)

    assert caplog.records[0].getMessage() == message


@cleanly
def test_what_a_plugin_logs_and_writes_to_stderr_arrives(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "plugin")
    stderr = Sink()
    with running_probe(stderr=stderr) as (client, probe):
        probe.run("logging.getLogger('kv.store').warning('low', extra={'left': 5}); os.write(2, b'raw\\n')")

    assert "low left=5" in {record.getMessage() for record in caplog.records}
    assert client.stderr_tail.endswith("raw")
    assert stderr.text.endswith("raw\n")


# --- surroundings ------------------------------------------------------------------------------------------------


def test_a_blocking_host_does_without_asyncio() -> None:
    program = f"""
import sys
from goplugin import GRPCPlugin, HandshakeConfig
from goplugin.sync import Client, ClientConfig
class Plugin(GRPCPlugin):
    def grpc_client(self, client):
        return client.channel
handshake = HandshakeConfig{tuple(HANDSHAKE)!r}
with Client(ClientConfig(handshake=handshake, command=sys.argv[1:], plugins={{"probe": Plugin()}})) as client:
    client.ping()
    client.dispense("probe")
print(*sorted({{"anyio", "asyncio", "grpclib", "google.protobuf", "ssl"}} & set(sys.modules)))
"""
    command = [sys.executable, "-c", program, *probe_config().command]

    assert subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout == "\n"
