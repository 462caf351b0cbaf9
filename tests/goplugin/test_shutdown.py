"""What a plugin's author wants done before the plugin ends: the hook by itself, and in plugins of either runtime."""
from __future__ import annotations

import json
import signal
import sys
import textwrap
import threading
import time

import pytest

from goplugin import ConfigError
from goplugin.shutdown import ShutdownHook
from goplugin.sync import ServeConfig, serve_test
from tests.support import requirement

from .harness import PLUGINS, SECONDS, Sink, wait_for_exit
from .hosts import HOSTS, NewHost
from .plugins.contract import HANDSHAKE
from .sync.harness import cleanly
from .sync.support import background
from .test_server import COOKIE, Plugin, environment

# --- the hook by itself ------------------------------------------------------------------------------------------


@cleanly
def test_it_is_called_once_and_waited_for_by_everybody() -> None:
    entered, release = threading.Event(), threading.Event()
    calls: list[str] = []

    def function() -> None:
        calls.append(threading.current_thread().name)
        entered.set()
        release.wait(SECONDS)

    hook = ShutdownHook(function, SECONDS)
    ends = [background(hook.run) for _ in range(3)]
    assert entered.wait(SECONDS)
    release.set()
    for end in ends:
        end.result()
    hook.run()

    assert calls == ["goplugin-shutdown"]


@cleanly
def test_it_is_waited_for_only_so_long(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()

    ShutdownHook(release.wait, 0.05).run()
    release.set()

    assert caplog.messages == ["on_shutdown has not returned within 0.05 s, and the plugin ends without it"]


def test_the_blocking_runtime_has_no_loop_for_a_coroutine() -> None:
    async def hook() -> None:
        pass

    config = ServeConfig(handshake=HANDSHAKE, plugins={}, on_shutdown=hook)
    with pytest.raises(ConfigError, match="on_shutdown is a coroutine function"), serve_test(config):
        pass


# --- in a plugin -------------------------------------------------------------------------------------------------


def program(hook: str, *, servicer: str = "PlainServicer", grace: float = SECONDS) -> tuple[str, ...]:
    """The probe with this definition of `hook`."""
    source = f"""
import os, sys
sys.path.insert(0, {str(PLUGINS)!r})
from probe import *
{textwrap.dedent(hook)}
plugins = {{"probe": ProbePlugin({servicer})}}
serve(ServeConfig(handshake=HANDSHAKE, plugins=plugins, on_shutdown=hook, grace={grace}))
"""
    return (sys.executable, "-c", source)


TELLS = """
    print("goodbye"); print("goodbye", file=sys.stderr); logging.warning("goodbye")
"""
PLAIN = "def hook():" + TELLS
COROUTINE = "async def hook():\n    await asyncio.sleep(0)" + TELLS
HOOKS = pytest.mark.parametrize(
    ("hook", "servicer"),
    [(PLAIN, "PlainServicer"), (PLAIN, "ProbeServicer"), (COROUTINE, "PlainServicer")],
    ids=["plain-sync", "plain-aio", "coroutine"],
)


@requirement("us.grace")
@HOSTS
@HOOKS
@cleanly
def test_what_it_prints_and_logs_at_a_shutdown_reaches_the_host(new_host: NewHost, hook: str, servicer: str) -> None:
    stdout, stderr, log = Sink(), Sink(), Sink()
    command = program(hook, servicer=servicer)
    with new_host(command=command, sync_stdout=stdout, sync_stderr=stderr, stderr=log) as host:
        host.start()
        begun = time.monotonic()
        host.kill(grace=SECONDS)

        assert time.monotonic() - begun < SECONDS / 4
        assert host.client.exit_code == 0
    assert (stdout.text, stderr.text) == ("goodbye\n", "goodbye\n")
    assert [json.loads(line)["@message"] for line in log.text.splitlines()] == ["goodbye"]


@requirement("us.grace")
@HOOKS
@cleanly
def test_sigterm_is_an_end_like_any_other(hook: str, servicer: str) -> None:
    plugin = Plugin(program(hook, servicer=servicer), environment(**COOKIE))
    plugin.handshake()

    plugin.process.send_signal(signal.SIGTERM)

    code, _, stderr = plugin.end()
    assert (code, json.loads(stderr)["@message"]) == (0, "goodbye")


@requirement("us.grace", "us.orphan")
@pytest.mark.parametrize("servicer", ["PlainServicer", "ProbeServicer"], ids=["sync", "aio"])
@pytest.mark.parametrize("hook", ["def hook(): time.sleep(60)", "async def hook(): await asyncio.sleep(60)"])
@cleanly
def test_a_hook_that_does_not_return_does_not_keep_the_plugin(hook: str, servicer: str) -> None:
    plugin = Plugin(program(hook, servicer=servicer, grace=0.1), environment(**COOKIE))
    plugin.handshake()

    plugin.process.send_signal(signal.SIGTERM)

    assert wait_for_exit(plugin.pid, SECONDS / 2)
    code, _, stderr = plugin.end()
    assert code == 0
    (message,) = (json.loads(line)["@message"] for line in stderr.splitlines())
    assert message == "on_shutdown has not returned within 0.1 s, and the plugin ends without it"


@requirement("us.grace")
@HOSTS
@cleanly
def test_a_host_that_has_less_patience_than_the_plugin_kills_it(new_host: NewHost) -> None:
    with new_host(command=program("def hook(): time.sleep(60)")) as host:
        host.start()
        host.kill(grace=0.1)

        assert host.client.exit_code == -signal.SIGKILL


@requirement("us.grace")
@HOSTS
@pytest.mark.parametrize("kind", ["def", "async def"])
@cleanly
def test_a_hook_that_fails_is_in_the_hosts_log(new_host: NewHost, kind: str) -> None:
    log = Sink()
    with new_host(command=program(f"{kind} hook(): raise ValueError('no such luck')"), stderr=log) as host:
        host.start()
        host.kill(grace=SECONDS)

        assert host.client.exit_code == 0
    (entry,) = (json.loads(line) for line in log.text.splitlines())
    assert (entry["@level"], entry["@message"]) == ("error", "ValueError: no such luck")
    assert entry["thread"] == "goplugin-shutdown"
