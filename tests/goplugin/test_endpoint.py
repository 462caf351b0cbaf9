"""What secures a host's connections, by its configuration and by what the plugin announced."""
from __future__ import annotations

import ssl

import pytest

from goplugin import HandshakeError
from goplugin.core.environ import PluginEnvironment
from goplugin.core.handshake import HandshakeLine
from goplugin.endpoint import Endpoint, HostCredentials
from goplugin.tls import client_context, server_context
from tests.support import requirement

from .harness import probe_config
from .tls_support import HOST, PLUGIN, STRANGER, shake


def endpoint(credentials: HostCredentials, server_cert: bytes | None = None) -> Endpoint:
    line = HandshakeLine(1, 1, "unix", "/nowhere", "grpc", server_cert)
    return Endpoint(line, credentials, credentials.for_client(server_cert), PluginEnvironment())


def test_without_tls_there_is_none() -> None:
    credentials = HostCredentials(probe_config())

    plain = endpoint(credentials)

    assert (credentials.client_cert, plain.client_tls, plain.server_tls) == (None, None, None)


@requirement("gp.tls.auto")
def test_with_automtls_either_side_trusts_the_other_and_nobody_else() -> None:
    credentials = HostCredentials(probe_config(auto_mtls=True))
    assert credentials.client_cert is not None
    secured = endpoint(credentials, PLUGIN.certificate)
    assert secured.client_tls is not None
    assert secured.server_tls is not None

    dialled = shake(secured.client_tls, server_context(PLUGIN, credentials.client_cert))
    served = shake(client_context(PLUGIN, credentials.client_cert), secured.server_tls)
    stranger = shake(secured.client_tls, server_context(STRANGER, credentials.client_cert))

    assert (dialled.client_error, dialled.server_error) == (None, None)
    assert (served.client_error, served.server_error) == (None, None)
    assert isinstance(stranger.client_error, ssl.SSLCertVerificationError)


@requirement("gp.tls.auto")
def test_every_launch_has_a_certificate_of_its_own() -> None:
    config = probe_config(auto_mtls=True)
    one, other = HostCredentials(config), HostCredentials(config)

    assert one.client_cert == one.client_cert != other.client_cert


@requirement("gp.tls.auto")
def test_a_plugin_that_announced_no_certificate_is_not_trusted() -> None:
    credentials = HostCredentials(probe_config(auto_mtls=True))
    context = credentials.for_client(None)
    assert context is not None

    assert shake(context, server_context(PLUGIN, credentials.client_cert)).client_error is not None


@requirement("gp.tls.auto")
def test_a_certificate_that_is_none_is_refused() -> None:
    with pytest.raises(HandshakeError, match=r"^error parsing server cert: x509: malformed certificate$"):
        HostCredentials(probe_config(auto_mtls=True)).for_client(b"\x30\x00")


@requirement("gp.tls.user")
def test_contexts_of_ones_own_are_used_as_they_are() -> None:
    ours, served = client_context(HOST, PLUGIN.certificate), server_context(HOST, PLUGIN.certificate)

    own = endpoint(HostCredentials(probe_config(tls=ours, serve_tls=served)))

    assert own.credentials.client_cert is None
    assert own.client_tls is ours
    assert own.server_tls is served


@requirement("gp.tls.user")
def test_nothing_is_served_in_the_clear_where_the_plugin_is_dialled_with_tls() -> None:
    ours = client_context(HOST, PLUGIN.certificate)

    context = endpoint(HostCredentials(probe_config(tls=ours))).server_tls

    assert context is not None
    assert shake(client_context(PLUGIN, HOST.certificate), context).client_error is not None


@requirement("gp.tls.auto")
def test_automtls_takes_the_place_of_contexts_of_ones_own() -> None:
    ours = client_context(HOST, PLUGIN.certificate)

    assert HostCredentials(probe_config(tls=ours, auto_mtls=True)).for_client(PLUGIN.certificate) is not ours
