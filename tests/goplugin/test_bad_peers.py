"""Peers that are broken, foreign or incomplete, and what both runtimes make of them: an error in time, and an end."""
from __future__ import annotations

import base64
import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from goplugin import Code, PluginError, PluginLostError, RemoteError
from goplugin.core.errors import HandshakeError
from goplugin.sync import channel_to
from tests.support import requirement

from .core.test_handshake import REFUSALS
from .harness import PLUGINS, PROBE, SECONDS, ProbePlugin, sh
from .hosts import HOSTS, Host, NewHost
from .plugins.contract import ECHO_PATH, RUN_PATH
from .sync.harness import cleanly
from .sync.support import background
from .test_server import COOKIE, Plugin, environment
from .tls_support import PLUGIN

SERVICES = ["health", "broker", "controller", "stdio"]


def incomplete(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, str(PLUGINS / "incomplete.py"), *arguments)


@pytest.fixture
def socket_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the plugins of this test listen."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


# --- handshake lines ---------------------------------------------------------------------------------------------

# A host expects at least one version, and a line without a text is no line (the tests of the reader have that).
LINES = [refusal for refusal in REFUSALS if refusal[0] and refusal[1].get("versions") != []]


@requirement("gp.handshake.read")
@HOSTS
@pytest.mark.parametrize(("line", "options", "kind", "text"), LINES)
@cleanly
def test_every_bad_line_is_told_by_the_host_which_ends_the_plugin(
    new_host: NewHost,
    tmp_path: Path,
    line: str,
    options: dict[str, Any],
    kind: type[HandshakeError],
    text: str,
) -> None:
    (tmp_path / "line").write_bytes(line.encode("utf-8", "surrogateescape") + b"\n")
    expected = {
        "versioned_plugins": {version: {"probe": ProbePlugin()} for version in options.get("versions", [1, 5])},
        "plugins": None,
        "allowed_protocols": options.get("allowed_protocols", ("netrpc", "grpc")),
        "multiplex": options.get("multiplex", False),
    }
    with new_host(command=sh(f"cat '{tmp_path}/line'; exec sleep 60"), **expected) as host:
        with pytest.raises(HandshakeError) as caught:
            host.start()

        assert type(caught.value) is kind
        assert str(caught.value).startswith(text)
        assert host.client.exited


@requirement("gp.handshake.read")
@HOSTS
@cleanly
def test_a_line_of_seventy_kilobytes_is_none(new_host: NewHost) -> None:
    with new_host(command=sh("head -c 70000 /dev/zero; exec sleep 60")) as host:
        with pytest.raises(HandshakeError, match="Failed to read any lines from plugin's stdout"):
            host.start()

        assert host.client.exited


@requirement("gp.handshake.read")
@HOSTS
@pytest.mark.parametrize(
    "line", ["1|1|unix|{}|grpc", "+1|01|unix|{}|grpc|junk", "  1|1|unix|{}|grpc||true \r", "1|1|unix|{}|grpc||x|y|z"]
)
@cleanly
def test_a_line_of_another_implementation_is_as_good(new_host: NewHost, line: str) -> None:
    with new_host(command=incomplete("line", line, *SERVICES)) as host:
        host.start()

        assert host.call(ECHO_PATH, "hello") == "hello"


# --- sockets -----------------------------------------------------------------------------------------------------

PEER = """
import os, signal, socket, sys
kind, line = sys.argv[1:]
path = os.environ["TMPDIR"] + ("/file" if kind == "a file" else "/plugin123")
sock = socket.socket(socket.AF_UNIX)
if kind == "a file":
    open(path, "w").close()
elif kind != "nothing":
    sock.bind(path)
if kind not in ("a file", "nothing", "refuses"):
    sock.listen()
print(line.format(path), flush=True)
kept = []
while kind in ("says nothing", "speaks HTTP/1", "hangs up"):
    connection, _ = sock.accept()
    kept.append(connection)
    if kind == "speaks HTTP/1":
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\\r\\nContent-Length: 15\\r\\n\\r\\n400 Bad Request")
    elif kind == "hangs up":
        connection.shutdown(socket.SHUT_RDWR)
signal.pause()
"""
CERTIFICATE = base64.b64encode(PLUGIN.certificate).decode().rstrip("=")
MODES: dict[str, tuple[dict[str, Any], str]] = {
    "plain": ({}, "1|1|unix|{}|grpc|"),
    "mtls": ({"auto_mtls": True}, "1|1|unix|{}|grpc|" + CERTIFICATE),
    "mux": ({"multiplex": True}, "1|1|unix|{}|grpc||true"),
}
ABSENT = {
    "nothing": r"desc = connection error: dial unix .*/plugin123: No such file or directory",
    "a file": r"desc = connection error: dial unix .*/file: Connection refused",
    "refuses": r"desc = connection error: dial unix .*/plugin123: Connection refused",
}
PRESENT = {
    "hangs up": r"desc = .*(EOF|closed the connection|Broken pipe|reset)",
    "speaks HTTP/1": r"the peer broke the protocol: |not look like a TLS handshake",
    "says nothing": r"context deadline exceeded$",
}
# What is noticed first of a hang-up is chance.
CASES = [
    *((kind, "plain", text) for kind, text in ABSENT.items()),
    ("refuses", "mux", ABSENT["refuses"]),
    *((kind, mode, text) for kind, text in PRESENT.items() for mode in MODES),
]


@requirement("gp.crash", "gp.kill")
@HOSTS
@pytest.mark.parametrize(("kind", "mode", "text"), CASES)
@cleanly
def test_what_listens_in_a_plugins_place_is_an_error_in_time(
    new_host: NewHost, kind: str, mode: str, text: str, socket_dir: Path
) -> None:
    options, line = MODES[mode]
    command = (sys.executable, "-S", "-E", "-c", PEER, kind, line)
    begun = time.monotonic()
    with new_host(command=command, start_timeout=1.0, **options) as host:
        with pytest.raises(PluginError, match=text):
            connect_and_ping(host, None if mode == "mtls" else 0.2)
        host.kill(grace=0.05)

        assert host.client.exit_code == -signal.SIGKILL
    assert time.monotonic() - begun < 4.0
    assert os.listdir(socket_dir) == (["file"] if kind == "a file" else [])


def connect_and_ping(host: Host, timeout: float | None) -> None:
    """That nobody listens is told by the first call, or with multiplexing by the start.

    Who has not shaken hands by the time of the start's own limit will not do so, whatever the call's is.
    """
    host.start()
    host.ping(timeout=timeout)


# --- incomplete plugins ------------------------------------------------------------------------------------------


@requirement("gp.grpc.health", "gp.grpc.stdio", "gp.grpc.controller")
@HOSTS
@pytest.mark.parametrize("missing", [*SERVICES, "all"])
@cleanly
def test_a_plugin_may_lack_a_service(new_host: NewHost, missing: str, caplog: pytest.LogCaptureFixture) -> None:
    services = [name for name in SERVICES if missing not in (name, "all")]
    with new_host(command=incomplete(*services)) as host:
        host.start()
        assert host.call(ECHO_PATH, "hello") == "hello"
        if "health" in services:
            host.ping()
        else:
            with pytest.raises(RemoteError) as caught:
                host.ping()
            assert caught.value.code is Code.UNIMPLEMENTED
        if "broker" not in services:
            begun = time.monotonic()
            with pytest.raises(PluginLostError, match="broker closed"):
                host.dial(1)
            assert time.monotonic() - begun < 1.0
        begun = time.monotonic()

        host.kill(grace=0.2 if "controller" not in services else 2.0)

        assert time.monotonic() - begun < 1.5
        assert host.client.exit_code == (0 if "controller" in services else -signal.SIGKILL)
    warnings = [record.getMessage() for record in caplog.records if record.name == "goplugin.client"]
    assert ("stdio service not available, stdout/stderr syncing unavailable" in warnings) == ("stdio" not in services)


# --- incomplete hosts --------------------------------------------------------------------------------------------


@requirement("gp.grpc.stdio")
@pytest.mark.parametrize("command", [(*PROBE, "plain"), PROBE], ids=["sync", "aio"])
@cleanly
def test_a_host_may_do_nothing_but_call(command: tuple[str, ...]) -> None:
    """It knows of no stdio, broker, controller or health service: whoever prints waits, and nobody else."""
    plugin = Plugin(command, environment(**COOKIE))
    handshake = plugin.handshake()
    with contextlib.closing(channel_to(handshake.network, handshake.address)) as channel:
        channel.unary(RUN_PATH, b"global printed; printed = 0", timeout=SECONDS)
        body = b"global printed\nfor printed in range(800): os.write(1, b'x' * 65536)"
        printing = background(channel.unary, RUN_PATH, body)
        before, printed = -1, 0
        while not printed or printed != before:
            time.sleep(0.05)
            before = printed
            printed = int(channel.unary(RUN_PATH, b"return printed", timeout=SECONDS).message or b"")
        assert printed < 50     # of 64 KiB each

        plugin.process.terminate()
        code, stdout, _ = plugin.end()
        with contextlib.suppress(RemoteError):      # it may have come to its end when nobody had to wait any more
            printing.result()

    assert (code, stdout) == (0, "")
