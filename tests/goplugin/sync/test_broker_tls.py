"""Brokered connections with mutual TLS, in both directions."""
from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from goplugin.core.errors import PluginLostError
from goplugin.sync.channel import channel_to
from goplugin.tls import client_context, server_context
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
    with connected(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair:
        accepting_side, dialling_side = pair.sides(accepting)
        with (
            accepting_side.accept_and_serve(1, [Probe(echo)]),
            contextlib.closing(dialling_side.dial(1)) as channel,
        ):
            assert call(channel, "safe") == "safe back"


@requirement("gp.tls.auto")
def test_a_stranger_is_not_served_and_not_called(tmp_path: Path) -> None:
    with (
        connected(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair,
        pair.host.accept_and_serve(1, [Probe(echo)]),
    ):
        [address] = pair.brokered
        stranger = channel_to("unix", address, tls=client_context(STRANGER, HOST.certificate))
        with contextlib.closing(stranger), pytest.raises(PluginLostError):
            call(stranger, "let me in")
        with pytest.raises(PluginLostError, match="certificate signed by unknown authority"):
            channel_to("unix", address, tls=client_context(PLUGIN, STRANGER.certificate))
