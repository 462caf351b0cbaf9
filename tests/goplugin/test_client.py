"""A host and its plugins: real processes, from the launch to the end of either side."""
from __future__ import annotations

import asyncio
import io
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from goplugin import (
    Client,
    Code,
    ConfigError,
    CoreVersionError,
    HandshakeError,
    IncompatibleVersionError,
    LaunchError,
    PluginError,
    PluginLostError,
    RemoteError,
    UnsupportedProtocolError,
)
from goplugin.core.handshake import UnrecognizedLineError
from tests.support import requirement

from .harness import (
    PLUGINS,
    PROBE,
    SECONDS,
    Probe,
    ProbePlugin,
    Sink,
    asynchronous,
    nothing_left_behind,
    probe_config,
    python,
    running_probe,
    sh,
    wait_for_exit,
    wait_until,
)
from .plugins.contract import HANDSHAKE

ROOT = Path(__file__).parent.parent.parent
FOREIGN = (sys.executable, str(PLUGINS / "foreign.py"))
DEAD = "1|1|unix|/nowhere/plugin1|grpc|"


def listening(line: str) -> tuple[str, ...]:
    """A program that listens as a plugin does, prints `line` with the socket's path in it, and stays."""
    return python(
        f"""
        import os, signal, socket
        sock = socket.socket(socket.AF_UNIX)
        path = os.environ["TMPDIR"] + "/plugin123"
        sock.bind(path)
        sock.listen()
        print({line!r}.format(path), flush=True)
        signal.pause()
        """
    )


@pytest.fixture
def socket_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the plugins of this test listen."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


# --- the start ---------------------------------------------------------------------------------------------------


@requirement("gp.interface", "gp.exited", "gp.version.single")
@asynchronous
async def test_a_client_knows_its_plugin() -> None:
    client = Client(probe_config())
    assert (client.id, client.exited, client.negotiated_version, client.protocol) == ("", False, 0, "")

    async with client:
        probe = await client.dispense("probe")
        assert isinstance(probe, Probe)
        assert await probe.run("return os.getpid()") == client.id
        assert (client.exited, client.negotiated_version, client.protocol) == (False, 1, "grpc")
        await client.ping()
        await client.ping(timeout=SECONDS)

    assert client.exited
    assert wait_for_exit(int(client.id))


@asynchronous
async def test_to_dispense_is_to_start() -> None:
    client = Client(probe_config())

    probe = await client.dispense("probe")

    assert isinstance(probe, Probe)
    assert await probe.echo("hello") == "hello"
    await client.kill()


@asynchronous
async def test_a_second_start_changes_nothing() -> None:
    async with Client(probe_config()) as client:
        pid = client.id

        lines = await asyncio.gather(*(client.start() for _ in range(3)))

        assert client.id == pid
        assert len(set(lines)) == 1


@asynchronous
async def test_starts_side_by_side_launch_one_process() -> None:
    client = Client(probe_config())

    lines = await asyncio.gather(*(client.start() for _ in range(3)))

    assert len(set(lines)) == 1
    await client.kill()


@asynchronous
async def test_a_name_that_is_not_in_the_set_is_unknown() -> None:
    async with Client(probe_config()) as client:
        with pytest.raises(PluginError, match=r"^unknown plugin type: other$"):
            await client.dispense("other")


@requirement("gp.version.sets")
@pytest.mark.parametrize(
    ("own", "versioned", "version", "names"),
    [
        (1, None, 1, ["own"]),
        (1, {2: "two"}, 1, ["own"]),
        (5, {1: "one", 2: "two"}, 1, ["one"]),
        (1, {1: "versioned"}, 1, ["versioned"]),
    ],
)
@asynchronous
async def test_the_set_of_the_version_that_the_plugin_chose_is_dispensed(
    own: int, versioned: dict[int, str] | None, version: int, names: list[str]
) -> None:
    sets = versioned and {number: {name: ProbePlugin()} for number, name in versioned.items()}
    config = probe_config(
        handshake=HANDSHAKE._replace(protocol_version=own), plugins={"own": ProbePlugin()}, versioned_plugins=sets
    )
    async with Client(config) as client:
        assert client.negotiated_version == version
        for name in names:
            assert isinstance(await client.dispense(name), Probe)
        for name in {"own", "one", "two", "versioned"} - set(names):
            with pytest.raises(PluginError, match=r"^unknown plugin type: "):
                await client.dispense(name)


@requirement("gp.env")
@asynchronous
async def test_a_plugin_gets_the_protocols_variables_and_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGIN_CLIENT_CERT", "of the host's own host")
    monkeypatch.setenv("MINE", "inherited")
    config = {"env": {"MINE": "given", "OTHER": "given"}, "min_port": 7, "max_port": 9}
    async with running_probe(**config) as (_, probe):
        variables = await probe.run(
            "return [os.environ.get(name) for name in ('PROBE_PLUGIN', 'PLUGIN_MIN_PORT', 'PLUGIN_MAX_PORT', "
            "'PLUGIN_PROTOCOL_VERSIONS', 'PLUGIN_CLIENT_CERT', 'MINE', 'OTHER')]"
        )

    assert variables == str(["hello", "7", "9", "1", None, "inherited", "given"])


@requirement("gp.env")
@asynchronous
async def test_the_hosts_environment_can_be_kept_from_a_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "inherited")
    async with running_probe(skip_host_env=True, env={"TMPDIR": os.environ["TMPDIR"]}) as (_, probe):
        names = await probe.run("return sorted(name for name in os.environ if not name.startswith('LC_'))")

    ours = ["PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT", "PLUGIN_PROTOCOL_VERSIONS", "PROBE_PLUGIN", "TMPDIR"]
    assert names == str(ours)


@asynchronous
async def test_a_plugin_of_any_language_may_speak_tcp_and_keep_it_short() -> None:
    async with Client(probe_config(command=FOREIGN)) as client:
        await client.ping(timeout=SECONDS)
        await client.kill(grace=0.05)


# --- bad plugins -------------------------------------------------------------------------------------------------


@requirement("gp.handshake.read", "gp.version.core", "gp.version.human", "gp.allowed-protocols")
@pytest.mark.parametrize(
    ("command", "kind", "text"),
    [
        (sh("echo hello; sleep 60"), UnrecognizedLineError, "Unrecognized remote plugin message: hello"),
        (sh("echo; sleep 60"), UnrecognizedLineError, "Unrecognized remote plugin message: "),
        (sh("printf hello"), UnrecognizedLineError, "Unrecognized remote plugin message: hello"),
        (
            sh("head -c 70000 /dev/zero; sleep 60"),
            UnrecognizedLineError,
            "Unrecognized remote plugin message: \nFailed to read any lines from plugin's stdout",
        ),
        (
            listening("2|1|unix|{}|grpc|"),
            CoreVersionError,
            "incompatible core API version with plugin. Plugin version: 2, Core version: 1",
        ),
        (
            listening("x|1|unix|{}|grpc|"),
            HandshakeError,
            'error parsing core protocol version: strconv.Atoi: parsing "x": invalid syntax',
        ),
        (
            listening("1|9|unix|{}|grpc|"),
            IncompatibleVersionError,
            "incompatible API version with plugin. Plugin version: 9, Client versions: [1]",
        ),
        (sh("echo '1|1|udp|here|grpc|'; sleep 60"), HandshakeError, "unknown address type: here"),
        (
            listening("1|1|unix|{}|netrpc|"),
            UnsupportedProtocolError,
            'unsupported plugin protocol "netrpc". Supported: [grpc]',
        ),
        (
            listening("1|1|unix|{}"),
            UnsupportedProtocolError,
            'unsupported plugin protocol "netrpc". Supported: [grpc]',
        ),
    ],
    ids=["garbage", "blank", "half", "long", "core", "no core", "app", "network", "protocol", "short"],
)
@asynchronous
async def test_a_line_that_cannot_be_accepted_ends_the_plugin(
    command: Sequence[str], kind: type[HandshakeError], text: str, socket_dir: Path
) -> None:
    client = Client(probe_config(command=command))

    with pytest.raises(HandshakeError) as caught:
        await client.start()

    assert type(caught.value) is kind
    assert str(caught.value).startswith(text)
    assert client.exited
    assert wait_for_exit(int(client.id))
    assert os.listdir(socket_dir) == []


@requirement("gp.handshake.timeout")
@pytest.mark.parametrize("code", [0, 3])
@asynchronous
async def test_an_exit_without_a_line_tells_why(code: int) -> None:
    client = Client(probe_config(command=sh(f"echo 'no such luck' >&2; exit {code}")))

    with pytest.raises(LaunchError, match=rf"^plugin exited before we could connect: sh ended with code {code} ") as e:
        await client.start()

    assert (e.value.exit_code, e.value.stderr) == (code, "no such luck")
    assert client.stderr_tail == "no such luck"


@requirement("gp.handshake.timeout")
@pytest.mark.parametrize("printed", ["", DEAD])
@asynchronous
async def test_a_plugin_that_hangs_is_given_up_in_time(printed: str) -> None:
    entered = Sink()
    command = sh(f"printf '{printed}'; echo 'no such luck' >&2; sleep 60 & wait")
    client = Client(probe_config(command=command, start_timeout=0.5, stderr=entered))

    with pytest.raises(LaunchError) as caught:
        await client.start()

    assert str(caught.value) == (
        "timeout while waiting for plugin to start: sh printed no handshake line within 0.5 s"
    )
    assert (caught.value.exit_code, caught.value.stderr) == (None, "no such luck")
    assert client.exited


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        (None, 0, "no such file or directory"),
        ("#!/bin/sh\n", 0o644, "permission denied"),
        ("no program", 0o755, "exec format error"),
    ],
)
@asynchronous
async def test_a_file_that_cannot_be_run_is_a_launch_error(
    tmp_path: Path, content: str | None, mode: int, text: str
) -> None:
    path = tmp_path / "goja-plugin-x"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    client = Client(probe_config(command=[str(path)]))

    with pytest.raises(LaunchError, match=f"^fork/exec {path}: {text}$"):
        await client.start()

    assert (client.id, client.exited) == ("", False)
    await client.kill()


@asynchronous
async def test_a_refused_plugin_of_ours_leaves_no_socket() -> None:
    client = Client(probe_config(handshake=HANDSHAKE._replace(protocol_version=9)))

    with pytest.raises(IncompatibleVersionError, match=r"Plugin version: 1, Client versions: \[9\]$"):
        await client.start()


@requirement("gp.crash")
@asynchronous
async def test_an_announced_socket_that_is_dead_is_noticed_at_the_first_call() -> None:
    client = Client(probe_config(command=sh(f"echo '{DEAD}'; exec sleep 60")))
    await client.start()

    with pytest.raises(PluginLostError, match=r"^rpc error: code = Unavailable desc = connection error: "):
        await client.ping()

    await client.kill(grace=0.05)


# --- calls -------------------------------------------------------------------------------------------------------


@asynchronous
async def test_errors_keep_their_code_and_text() -> None:
    async with running_probe() as (_, probe):
        with pytest.raises(RemoteError) as plain:
            await probe.run("raise ValueError('no such luck')")
        with pytest.raises(RemoteError) as status:
            await probe.run("raise RemoteError(Code.NOT_FOUND, 'no such key')")
        assert await probe.echo("still here") == "still here"

    assert str(plain.value) == "rpc error: code = Unknown desc = no such luck"
    assert str(status.value) == "rpc error: code = NotFound desc = no such key"


@requirement("gp.grpc.limits")
@asynchronous
async def test_messages_of_five_mebibytes_pass_both_ways() -> None:
    text = "x" * (5 << 20)
    async with running_probe() as (_, probe):
        assert await probe.echo(text) == text


@requirement("jm.timeouts")
@pytest.mark.parametrize("kind", ["run", "run_async"])
@asynchronous
async def test_a_call_ends_at_its_deadline_and_the_plugin_lives_on(kind: str) -> None:
    wait = "threading.Event().wait()" if kind == "run" else "await asyncio.Event().wait()"
    async with running_probe() as (_, probe):
        with pytest.raises(RemoteError) as caught:
            await getattr(probe, kind)(wait, timeout=0.05)

        assert caught.value.code is Code.DEADLINE_EXCEEDED
        assert await probe.echo("still here") == "still here"


@asynchronous
async def test_a_slow_method_does_not_hold_up_a_ping() -> None:
    async with running_probe() as (client, probe):
        await probe.run("global entered, release; entered, release = threading.Event(), threading.Event()")
        slow = asyncio.create_task(probe.run("entered.set(); release.wait(); return 'released'"))
        await probe.run("entered.wait()")

        await client.ping()

        assert not slow.done()
        await probe.run("release.set()")
        assert await slow == "released"


@requirement("gp.crash")
@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)", "os.abort()"])
@asynchronous
async def test_a_crash_in_a_call_loses_the_plugin_and_nothing_else(end: str) -> None:
    async with running_probe() as (client, probe):
        waiting = asyncio.create_task(probe.run("threading.Event().wait()"))

        with pytest.raises(PluginLostError):
            await probe.run(end)

        with pytest.raises(PluginLostError):
            await waiting
        await wait_until(lambda: client.exited)
        with pytest.raises(PluginLostError):
            await client.ping()


# --- the end -----------------------------------------------------------------------------------------------------


def exit_code(client: Client) -> int:
    assert client._process is not None
    return client._process.exit_code.result(0.0)


@requirement("gp.kill", "gp.grpc.controller")
@asynchronous
async def test_a_plugin_that_obeys_is_not_waited_for() -> None:
    async with running_probe() as (client, _):
        await client.kill(grace=SECONDS * 10)

    assert exit_code(client) == 0


@requirement("gp.kill", "us.kill-tree", "us.grace")
@pytest.mark.parametrize("obstacle", ["loop", "exit"])
@asynchronous
async def test_a_plugin_that_does_not_obey_is_killed_with_its_descendants(obstacle: str) -> None:
    async with running_probe() as (client, probe):
        pids = await probe.run(
            """
            child = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
            return f"{child.pid} {child.stdout.readline()}"
            """
        )
        if obstacle == "loop":
            stuck = asyncio.create_task(probe.run_async("time.sleep(60)"))
        else:
            stuck = asyncio.create_task(probe.run("import atexit; atexit.register(time.sleep, 60)"))
            await stuck

        await client.kill(grace=0.2)

        (result,) = await asyncio.gather(stuck, return_exceptions=True)
        assert isinstance(result, PluginLostError) is (obstacle == "loop")
    assert exit_code(client) == -signal.SIGKILL
    assert [wait_for_exit(int(pid)) for pid in pids.split()] == [True, True]


@requirement("us.kill-tree")
@asynchronous
async def test_the_children_of_a_plugin_that_obeys_end_with_it() -> None:
    async with running_probe() as (client, probe):
        pid = int(await probe.run("return subprocess.Popen(['sleep', '60']).pid"))
        await client.kill(grace=SECONDS * 10)

    assert exit_code(client) == 0
    assert wait_for_exit(pid)


@requirement("gp.kill")
@asynchronous
async def test_kill_is_idempotent_and_may_come_side_by_side() -> None:
    client = Client(probe_config())
    await client.start()

    await asyncio.gather(client.kill(), client.kill())
    await client.kill()

    assert client.exited
    assert exit_code(client) == 0


@asynchronous
async def test_after_its_end_a_client_cannot_be_used_again() -> None:
    async with running_probe() as (client, probe):
        pass

    for attempt in (client.start, lambda: client.dispense("probe")):
        with pytest.raises(ConfigError, match=r"^this client's plugin has ended; a new start takes a new Client$"):
            await attempt()
    with pytest.raises(ConfigError, match=r"^the plugin is not running"):
        await client.ping()
    with pytest.raises(PluginLostError):
        await probe.echo("")


@asynchronous
async def test_a_client_that_was_killed_before_its_start_never_starts() -> None:
    client = Client(probe_config())

    await client.kill()

    with pytest.raises(ConfigError, match=r"^this client's plugin has ended"):
        await client.start()
    assert (client.id, client.exited) == ("", False)


@asynchronous
async def test_a_kill_ends_a_start_that_is_under_way() -> None:
    stderr = Sink()
    client = Client(probe_config(command=sh("echo launched >&2; sleep 60 & wait"), stderr=stderr))
    start = asyncio.create_task(client.start())
    await stderr.wait_for("launched")

    await client.kill()

    assert client.exited
    with pytest.raises(LaunchError, match=r"^sh was killed while it started\nplugin stderr: launched$"):
        await start


@asynchronous
async def test_an_exception_in_the_body_ends_the_plugin() -> None:
    client = Client(probe_config())

    with pytest.raises(ZeroDivisionError):
        async with client:
            1 / 0  # noqa: B018

    assert exit_code(client) == 0


@asynchronous
async def test_what_a_plugin_announces_is_removed_only_if_it_is_a_dead_socket(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("")
    command = sh(f"echo '1|1|unix|{precious}|grpc|'; exec sleep 60")

    async with Client(probe_config(command=command)) as client:
        await client.kill(grace=0.05)

    assert precious.exists()


# --- cancellation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["at once", "launched", "announced"])
@asynchronous
async def test_a_start_that_is_cancelled_leaves_nothing(when: str, socket_dir: Path) -> None:
    stderr = Sink()
    command = listening("1|1|unix|{}|grpc|") if when == "announced" else sh("echo launched >&2; sleep 60 & wait")
    client = Client(probe_config(command=command, stderr=stderr))
    start = asyncio.create_task(client.start())
    if when == "launched":
        await stderr.wait_for("launched")
    elif when == "announced":
        await wait_until(lambda: client._process is not None)
        while client._process.announced_socket is None:
            time.sleep(0.001)  # noqa: ASYNC251 - the start is not to see the line either

    start.cancel()

    with pytest.raises(asyncio.CancelledError):
        await start
    assert os.listdir(socket_dir) == []


async def stuck_client() -> tuple[Client, asyncio.Task[str]]:
    """A client whose plugin will not answer Shutdown."""
    client = Client(probe_config())
    probe = await client.dispense("probe")
    assert isinstance(probe, Probe)
    return client, asyncio.create_task(probe.run_async("print('stuck', file=sys.stderr); time.sleep(60)"))


@asynchronous
async def test_a_kill_that_is_cancelled_ends_the_plugin_without_further_grace() -> None:
    client, stuck = await stuck_client()
    kill = asyncio.create_task(client.kill(grace=SECONDS * 10))
    await asyncio.sleep(0.05)

    kill.cancel()

    with pytest.raises(asyncio.CancelledError):
        await kill
    assert exit_code(client) == -signal.SIGKILL
    await asyncio.gather(stuck, return_exceptions=True)
    with pytest.raises(ConfigError):
        client.channel  # noqa: B018


@asynchronous
async def test_a_kill_that_is_cancelled_again_and_again_still_ends_the_plugin() -> None:
    client, stuck = await stuck_client()
    kill = asyncio.create_task(client.kill(grace=SECONDS * 10))
    await asyncio.sleep(0.05)
    while not kill.done():
        kill.cancel()
        await asyncio.sleep(0)

    assert client.exited
    await asyncio.gather(stuck, return_exceptions=True)


@asynchronous
async def test_a_cancelled_scope_of_anyio_does_not_keep_a_plugin_from_a_good_end() -> None:
    client = Client(probe_config())
    with anyio.CancelScope() as scope:
        async with client:
            scope.cancel()
            await anyio.sleep_forever()

    assert scope.cancelled_caught
    assert exit_code(client) == 0


def test_a_loop_that_closes_ends_a_kill_on_its_way() -> None:
    async def main() -> Client:
        client, stuck = await stuck_client()
        tasks = [asyncio.create_task(client.kill(grace=SECONDS * 10)), stuck]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in tasks)
        return client

    with nothing_left_behind():
        client = asyncio.run(main())
        assert client.exited


# --- a host that ends --------------------------------------------------------------------------------------------


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
    ],
)
def test_however_a_host_ends_its_plugin_ends_too(
    end: str, number: signal.Signals | None, code: int, socket_dir: Path
) -> None:
    command = [sys.executable, "-m", "tests.goplugin.host_program", end]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as host:
        assert host.stdout is not None
        plugin = int(host.stdout.readline())
        assert len(os.listdir(socket_dir)) == 1
        if number is signal.SIGINT:
            os.killpg(host.pid, number)  # as a terminal does
        elif number is not None:
            host.send_signal(number)

        assert host.wait(SECONDS) == code
        assert wait_for_exit(plugin)
        assert os.listdir(socket_dir) == []


# --- output ------------------------------------------------------------------------------------------------------


@requirement("gp.grpc.stdio")
@asynchronous
async def test_whatever_a_plugin_prints_reaches_the_sinks_in_order() -> None:
    stdout, stderr = Sink(), Sink()
    async with running_probe(sync_stdout=stdout, sync_stderr=stderr) as (_, probe):
        await probe.run(
            """
            print("print")
            os.write(1, b"write\\n")
            subprocess.run(["echo", "child"], check=True)
            print("h\\u00e9", end="", flush=True)
            print("error", file=sys.stderr)
            print("no newline", end="", flush=True, file=sys.stderr)
            """
        )
        await stdout.wait_for("h\u00e9")
        await stderr.wait_for("no newline")
        await probe.run_async("print('!')")
        await stdout.wait_for("!")

    assert stdout.text == "print\nwrite\nchild\nh\u00e9!\n"
    assert stderr.text == "error\nno newline"


@requirement("gp.grpc.stdio")
@asynchronous
async def test_what_is_printed_right_before_the_end_is_not_lost() -> None:
    stdout, stderr = Sink(), Sink()
    async with running_probe(sync_stdout=stdout, sync_stderr=stderr) as (_, probe):
        await probe.run("print('last words', end=''); print('last error', end='', file=sys.stderr)")

    assert (stdout.text, stderr.text) == ("last words", "last error")


@asynchronous
async def test_five_megabytes_arrive_whole() -> None:
    stdout, stderr = Sink(), Sink()
    async with running_probe(sync_stdout=stdout, sync_stderr=stderr) as (_, probe):
        await probe.run(
            """
            for number in range(100_000):
                print(f"{number:049}")
                if not number % 10:
                    print(f"{number:049}", file=sys.stderr)
            """
        )

    assert stdout.text == "".join(f"{number:049}\n" for number in range(100_000))
    assert stderr.text == "".join(f"{number:049}\n" for number in range(0, 100_000, 10))


@asynchronous
async def test_a_method_on_the_loop_may_print_more_than_the_loop_has_room_for() -> None:
    stdout = Sink()
    async with running_probe(sync_stdout=stdout) as (_, probe):
        assert await probe.run_async("print('x' * 3_000_000); return 'done'", timeout=SECONDS) == "done"

    assert stdout.text == "x" * 3_000_000 + "\n"


class SlowSink(Sink):
    def write(self, data: object) -> int:
        time.sleep(0.002)
        return super().write(data)


@asynchronous
async def test_a_host_that_is_slow_slows_the_plugin_and_loses_nothing() -> None:
    stdout = SlowSink()
    async with running_probe(sync_stdout=stdout) as (_, probe):
        await probe.run("for _ in range(300): print('x' * 9_999)")

    assert len(stdout.text) == 3_000_000


class BrokenSink(io.BytesIO):
    def write(self, data: object) -> int:
        raise BrokenPipeError(32, "Broken pipe")


@asynchronous
async def test_a_sink_that_fails_harms_neither_plugin_nor_host(caplog: pytest.LogCaptureFixture) -> None:
    stderr = Sink()
    async with running_probe(sync_stdout=BrokenSink(), sync_stderr=stderr) as (client, probe):
        await probe.run("print('unheard'); time.sleep(0); print('heard', file=sys.stderr)")
        await stderr.wait_for("heard")
        await client.ping()

    assert exit_code(client) == 0
    assert "failed to copy all bytes" in {record.getMessage() for record in caplog.records}


@asynchronous
async def test_output_without_a_sink_is_dropped() -> None:
    async with running_probe() as (client, probe):
        await probe.run("print('x' * 3_000_000)")

    assert exit_code(client) == 0


@requirement("gp.grpc.stdio")
@asynchronous
async def test_a_plugin_without_the_stdio_service_is_tolerated(caplog: pytest.LogCaptureFixture) -> None:
    async with Client(probe_config(command=(*FOREIGN, "no-stdio"))) as client:
        await wait_until(lambda: bool(caplog.records))
        await client.ping()
        await client.kill(grace=0.05)

    assert caplog.records[0].getMessage() == "stdio service not available, stdout/stderr syncing unavailable"


@asynchronous
async def test_output_on_an_unknown_channel_is_dropped_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    stdout, stderr = Sink(), Sink()
    config = probe_config(command=(*FOREIGN, "stdio"), sync_stdout=stdout, sync_stderr=stderr)
    async with Client(config) as client:
        await stdout.wait_for("on channel 1")
        await client.kill(grace=0.05)

    assert (stdout.text, stderr.text) == ("on channel 1", "")
    assert "unknown channel, dropping 12 bytes: 7" in {record.getMessage() for record in caplog.records}


@asynchronous
async def test_output_that_is_no_message_ends_the_syncing_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async with Client(probe_config(command=(*FOREIGN, "broken-stdio"))) as client:
        await wait_until(lambda: bool(caplog.records))
        await client.ping()
        await client.kill(grace=0.05)

    assert caplog.records[0].getMessage() == "error receiving data"


# --- logs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def plugin_log(caplog: pytest.LogCaptureFixture) -> logging.Logger:
    """The logger of a client under test; everything it gets is captured."""
    caplog.set_level(logging.DEBUG, "plugin")
    return logging.getLogger("plugin")


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    found = [record for record in caplog.records if record.name.startswith("plugin.")]
    return [(record.name, record.levelname, record.getMessage()) for record in found]


@requirement("us.stdout-guard")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@asynchronous
async def test_noise_before_the_handshake_is_no_harm_and_is_logged(
    caplog: pytest.LogCaptureFixture,
    plugin_log: logging.Logger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unbuffered: str,
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    noisy = tmp_path / "noisy.py"
    source = (PLUGINS / "probe.py").read_text("utf-8").replace(
        "import asyncio\n", "import os\nprint('noise')\nos.system('echo child')\nimport asyncio\n", 1
    )
    noisy.write_text(source, "utf-8")
    (tmp_path / "contract.py").write_text((PLUGINS / "contract.py").read_text("utf-8"), "utf-8")

    async with running_probe(command=(*PROBE[:-1], str(noisy))) as (_, probe):
        assert await probe.echo("fine") == "fine"

    name = f"plugin.{os.path.basename(sys.executable)}"
    assert sorted(messages(caplog)) == [(name, "DEBUG", "child"), (name, "DEBUG", "noise")]


@requirement("gp.log.stdlib", "gp.log.structured")
@asynchronous
async def test_what_a_plugin_logs_arrives_with_level_message_and_fields(
    caplog: pytest.LogCaptureFixture, plugin_log: logging.Logger
) -> None:
    async with running_probe(logger=plugin_log) as (_, probe):
        await probe.run(
            """
            log = logging.getLogger("kv.store")
            log.debug("small %s", "talk")
            log.warning("low", extra={"left": 5, "unit": "h\\u00e9"})
            log.error("two\\nlines")
            """
        )

    own = [record for record in caplog.records if vars(record).get("@module") == "kv.store"]
    assert [(record.levelname, record.getMessage()) for record in own] == [
        ("DEBUG", "small talk"),
        ("WARNING", "low left=5 unit=h\u00e9"),
        ("ERROR", "two\nlines"),
    ]
    assert (vars(own[1])["left"], vars(own[1])["unit"]) == (5, "h\u00e9")
    assert {record.name for record in own} == {f"plugin.{os.path.basename(sys.executable)}"}


@asynchronous
async def test_a_traceback_on_stderr_is_one_entry(
    caplog: pytest.LogCaptureFixture, plugin_log: logging.Logger
) -> None:
    client = Client(probe_config(command=python("raise ValueError('no such luck')")))

    with pytest.raises(LaunchError):
        await client.start()

    ((_, level, text),) = messages(caplog)
    assert level == "ERROR"
    assert re.fullmatch(r"Traceback \(most recent call last\):\n(?s:.*)\nValueError: no such luck", text)


@asynchronous
async def test_the_stderr_sink_gets_everything_the_plugin_writes_to_descriptor_2() -> None:
    stderr = Sink()
    async with running_probe(stderr=stderr) as (client, probe):
        await probe.run("os.write(2, b'raw \\xff\\n'); subprocess.run(['sh', '-c', 'echo child >&2'])")

    assert stderr.getvalue() == b"raw \xff\nchild\n"
    assert client.stderr_tail == "raw \ufffd\nchild"


# --- surroundings ------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_plugin_works_in_the_c_locale(caplog: pytest.LogCaptureFixture, plugin_log: logging.Logger) -> None:
    stdout, stderr = Sink(), Sink()
    locale = {"LC_ALL": "C", "TMPDIR": os.environ["TMPDIR"]}
    async with running_probe(skip_host_env=True, env=locale, sync_stdout=stdout, sync_stderr=stderr) as (_, probe):
        assert await probe.echo("h\u00e9") == "h\u00e9"
        await probe.run("print('h\\u00e9'); print('h\\u00e9', file=sys.stderr); logging.error('h\\u00e9')")

    assert (stdout.text, stderr.text) == ("h\u00e9\n", "h\u00e9\n")
    assert [text for _, _, text in messages(caplog)] == ["h\u00e9"]


@requirement("gp.listen.unix")
@pytest.mark.parametrize("end", ["kill", "os._exit(3)", "time.sleep(60)"])
@asynchronous
async def test_a_long_tmpdir_is_no_obstacle_and_nothing_is_left(tmp_path: Path, end: str) -> None:
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    async with running_probe(skip_host_env=True, env={"TMPDIR": str(directory)}) as (client, probe):
        address = (await client.start()).address
        assert await probe.echo("fine") == "fine"
        if end != "kill":
            stuck = asyncio.create_task(probe.run_async(end))
            await client.kill(grace=0.2)
            await asyncio.gather(stuck, return_exceptions=True)

    private = os.path.basename(os.path.dirname(address))
    assert private.startswith("plugin-dir")
    assert private not in os.listdir("/tmp")
    assert os.listdir(directory) == []
