"""The imperative server, as its own process and its host see it."""
from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from goplugin import ConfigError, LocalProtocolError, MagicCookieError, PluginServer
from tests.support import requirement

from .harness import PLUGINS, Sink, asynchronous, running_probe, wait_for_exit
from .plugins.contract import HANDSHAKE

COMMAND = (sys.executable, str(PLUGINS / "imperative.py"))


def new_server(**changes: str) -> PluginServer:
    names = {"magic_cookie_key": "IMPERATIVE_PLUGIN", "magic_cookie_value": "hello"}
    return PluginServer(plugin_version=1, **{**names, **changes})


@requirement("nd.cookie-error")
@pytest.mark.parametrize("value", [None, "", "wrong"])
def test_without_the_cookie_there_is_no_server(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("IMPERATIVE_PLUGIN", raising=False)
    if value is not None:
        monkeypatch.setenv("IMPERATIVE_PLUGIN", value)

    with pytest.raises(MagicCookieError, match="This binary is a plugin"):
        new_server()


@pytest.mark.parametrize("half", ["magic_cookie_key", "magic_cookie_value"])
def test_a_server_without_a_cookie_of_its_own_is_misconfigured(half: str) -> None:
    with pytest.raises(ConfigError, match="no magic cookie"):
        new_server(**{half: ""})


@requirement("nd.create", "nd.server", "nd.start")
@asynchronous
async def test_a_host_is_served_what_was_attached_before_the_start() -> None:
    async with running_probe(command=COMMAND) as (client, probe):
        assert await probe.echo("hello") == "hello"
        assert client.negotiated_version == HANDSHAKE.protocol_version


@requirement("nd.console")
@asynchronous
async def test_the_console_reaches_the_host() -> None:
    stdout, stderr, log = Sink(), Sink(), Sink()
    async with running_probe(command=COMMAND, sync_stdout=stdout, sync_stderr=stderr, stderr=log) as (_, probe):
        await probe.run("plugin.console.info('from a method')")
        await stdout.wait_for("started-1\n", "from a method\n")
        await stderr.wait_for("on stderr\n")

    assert log.text == "not served yet\nstopped\nclosed\n"


@requirement("nd.close")
@pytest.mark.parametrize("end", ["asyncio.create_task(plugin.close())", "os.kill(os.getpid(), signal.SIGTERM)"])
@asynchronous
async def test_closed_it_leaves_nothing_behind(end: str) -> None:
    log = Sink()
    async with running_probe(command=COMMAND, stderr=log) as (client, probe):
        address = (await client.start()).address
        await probe.run_async(end)
        assert wait_for_exit(int(client.id))
        assert not await asyncio.to_thread(Path(address).exists)

    assert log.text.endswith("closed\n")


@requirement("nd.todo")
@asynchronous
async def test_it_may_listen_on_tcp() -> None:
    async with running_probe(command=(*COMMAND, "tcp")) as (client, probe):
        assert (await client.start()).network == "tcp"
        assert await probe.echo("hello") == "hello"
        await client.ping()


@asynchronous
async def test_ctrl_c_does_not_end_it() -> None:
    async with running_probe(command=COMMAND) as (client, probe):
        os.kill(int(client.id), signal.SIGINT)
        assert await probe.run("os.kill(os.getpid(), signal.SIGINT)\nreturn 'here'") == "here"


@asynchronous
async def test_it_is_started_once() -> None:
    async with running_probe(command=COMMAND) as (_, probe):
        text = await probe.run_async(
            """
            try:
                await plugin.start()
            except Exception as error:
                return repr(error)
            """
        )

    assert text == repr(LocalProtocolError("a plugin is started once"))
