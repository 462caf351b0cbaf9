"""Which contexts a plugin has, shown by who gets in and whom it dials."""
from __future__ import annotations

import logging
import ssl

import pytest

from goplugin.core.environ import PluginEnvironment
from goplugin.credentials import credentials
from goplugin.tls import client_context, server_context
from tests.support import requirement

from .tls_support import HOST, PLUGIN, STRANGER, Outcome, shake

PLAIN = PluginEnvironment()
AUTOMATIC = PluginEnvironment(client_cert=HOST.pem)


def is_trusted(outcome: Outcome) -> bool:
    return outcome.client_error is None and outcome.server_error is None


def own_server() -> ssl.SSLContext:
    return server_context(PLUGIN, STRANGER.pem)


def own_client() -> ssl.SSLContext:
    return client_context(PLUGIN, STRANGER.certificate)


def test_without_a_certificate_of_the_hosts_there_is_no_tls() -> None:
    plain = credentials(PLAIN, None, None)

    assert (plain.server, plain.client, plain.certificate) == (None, None, None)


@requirement("gp.tls.auto")
def test_the_host_and_nobody_else_gets_in() -> None:
    automatic = credentials(AUTOMATIC, None, None)

    assert automatic.server is not None
    assert is_trusted(shake(client_context(HOST, automatic.certificate), automatic.server))
    assert not is_trusted(shake(client_context(STRANGER, automatic.certificate), automatic.server))


@requirement("gp.tls.auto")
def test_the_host_and_nobody_else_is_dialled() -> None:
    automatic = credentials(AUTOMATIC, None, None)

    assert automatic.client is not None
    assert is_trusted(shake(automatic.client, server_context(HOST, automatic.certificate)))
    assert not is_trusted(shake(automatic.client, server_context(STRANGER, automatic.certificate)))


def test_a_plugin_has_a_certificate_of_its_own_each_time_it_starts() -> None:
    assert credentials(AUTOMATIC, None, None).certificate != credentials(AUTOMATIC, None, None).certificate


@requirement("gp.tls.auto")
def test_with_a_certificate_that_cannot_be_read_a_plugin_starts_and_trusts_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    alone = credentials(PluginEnvironment(client_cert="-----BEGIN CERTIFICATE-----\nAAAA\n"), None, None)

    [record] = caplog.records
    assert (record.name, record.levelno) == ("goplugin.server", logging.ERROR)
    assert record.getMessage() == "client cert provided but failed to parse"
    assert alone.server is not None
    assert not is_trusted(shake(client_context(HOST, alone.certificate), alone.server))


@requirement("gp.tls.user")
def test_the_authors_own_tls_wins_over_the_hosts_certificate() -> None:
    own = credentials(AUTOMATIC, own_server, own_client)

    assert own.certificate is None
    assert own.server is not None
    assert own.client is not None
    assert is_trusted(shake(client_context(STRANGER, PLUGIN.certificate), own.server))
    assert not is_trusted(shake(client_context(HOST, PLUGIN.certificate), own.server))
    assert is_trusted(shake(own.client, server_context(STRANGER, PLUGIN.certificate)))


@requirement("gp.tls.user")
def test_without_a_context_for_it_the_broker_dials_without_tls() -> None:
    assert credentials(AUTOMATIC, own_server, None).client is None
