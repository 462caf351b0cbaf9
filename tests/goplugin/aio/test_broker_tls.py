"""Brokered connections with mutual TLS, in both directions."""
from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from grpclib.config import Configuration
from grpclib.exceptions import StreamTerminatedError

from goplugin.aio import Channel
from goplugin.tls import NAME, client_context, server_context
from tests.support import requirement

from ..tls_support import HOST, PLUGIN, STRANGER
from .support import Probe
from .test_broker import BROKERS, Contexts, call, connected, echo

OF_HOST = Contexts(server_context(HOST, PLUGIN.certificate), client_context(HOST, PLUGIN.certificate))
OF_PLUGIN = Contexts(server_context(PLUGIN, HOST.certificate), client_context(PLUGIN, HOST.certificate))


@requirement("gp.tls.auto")
@BROKERS
def test_with_certificates_both_ends_of_a_brokered_connection_prove_who_they_are(
    tmp_path: Path, accepting: str
) -> None:
    async def main() -> None:
        async with connected(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            async with accepting_side.accept_and_serve(1, [Probe(echo)]), await dialling_side.dial(1) as channel:
                assert await call(channel, "safe") == "safe back"

    asyncio.run(main())


@requirement("gp.tls.auto")
def test_a_stranger_is_not_served_and_not_called(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            connected(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair,
            pair.host.accept_and_serve(1, [Probe(echo)]),
        ):
            [address] = pair.brokered
            config = Configuration(ssl_target_name_override=NAME)
            async with Channel(
                path=address, ssl=client_context(STRANGER, HOST.certificate), config=config
            ) as stranger:
                with pytest.raises((StreamTerminatedError, OSError)):
                    await call(stranger, "let me in")
            async with Channel(path=address, ssl=client_context(PLUGIN, STRANGER.certificate), config=config) as wary:
                with pytest.raises(ssl.SSLCertVerificationError):
                    await call(wary, "who are you?")

    asyncio.run(main())
