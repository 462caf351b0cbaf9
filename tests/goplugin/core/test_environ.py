from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.environ import (
    GO_BOOLEANS,
    PROTOCOL_NAMES,
    PluginEnvironment,
    go_int,
    go_quote,
    host_environment,
)
from goplugin.core.errors import RemoteProtocolError
from goplugin.core.handshake import HandshakeConfig
from tests.support import requirement

COOKIE = HandshakeConfig("BASIC_PLUGIN", "hello", protocol_version=1)
# A variable is bytes to the system, and Python's os module decodes it so.
SYSTEM_TEXT = st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def child_environment(
    *, env: Mapping[str, str] | None = None, inherited: Mapping[str, str] | None = None, **options: Any
) -> dict[str, str]:
    return host_environment(COOKIE, env=env or {}, inherited=inherited or {}, **{"versions": [1], **options})


# --- the host's side ---------------------------------------------------------------------------------------------


@requirement("gp.env")
def test_a_plain_host_sets_the_cookie_the_ports_and_its_versions() -> None:
    assert child_environment() == {
        "BASIC_PLUGIN": "hello",
        "PLUGIN_MIN_PORT": "10000",
        "PLUGIN_MAX_PORT": "25000",
        "PLUGIN_PROTOCOL_VERSIONS": "1",
    }


@requirement("gp.env")
def test_every_option_has_its_variable() -> None:
    environment = child_environment(multiplex=True, client_cert=PEM, socket_dir="/run/plugins", socket_group="staff")

    assert set(environment) == {"BASIC_PLUGIN", *PROTOCOL_NAMES}
    assert environment["PLUGIN_MULTIPLEX_GRPC"] == "true"
    assert environment["PLUGIN_CLIENT_CERT"] == PEM
    assert environment["PLUGIN_UNIX_SOCKET_DIR"] == "/run/plugins"
    assert environment["PLUGIN_UNIX_SOCKET_GROUP"] == "staff"


@pytest.mark.parametrize(
    ("versions", "text"), [([1], "1"), ({3: "new", 2: "old", 10: "newest"}, "2,3,10"), ([-1, 0], "-1,0"), ([], "")]
)
def test_versions_are_a_comma_list_of_decimals(versions: Any, text: str) -> None:
    assert child_environment(versions=versions)["PLUGIN_PROTOCOL_VERSIONS"] == text


@pytest.mark.parametrize(
    ("ports", "sent"), [((0, 0), ("10000", "25000")), ((0, 9), ("0", "9")), ((9, 0), ("9", "0")), ((7, 9), ("7", "9"))]
)
def test_the_default_ports_are_for_hosts_that_give_neither(ports: tuple[int, int], sent: tuple[str, str]) -> None:
    environment = child_environment(min_port=ports[0], max_port=ports[1])

    assert (environment["PLUGIN_MIN_PORT"], environment["PLUGIN_MAX_PORT"]) == sent


def test_the_last_of_several_values_wins() -> None:
    env = {"ONLY": "env", "BOTH": "env", "BASIC_PLUGIN": "env", "PLUGIN_MIN_PORT": "env"}
    inherited = {"BOTH": "inherited", "BASIC_PLUGIN": "inherited", "HOME": "/root"}

    environment = child_environment(env=env, inherited=inherited, min_port=1)

    assert environment["ONLY"] == "env"
    assert environment["BOTH"] == "inherited"
    assert environment["HOME"] == "/root"
    assert environment["BASIC_PLUGIN"] == "hello"
    assert environment["PLUGIN_MIN_PORT"] == "1"


@requirement("gp.env")
def test_what_the_hosts_own_host_set_does_not_reach_its_plugins() -> None:
    inherited = dict.fromkeys(PROTOCOL_NAMES, "inherited") | {"PLUGIN_CACHE": "the application's"}

    environment = child_environment(inherited=inherited)

    assert "inherited" not in environment.values()
    assert environment["PLUGIN_CACHE"] == "the application's"


def test_the_caller_may_set_a_protocol_variable_for_one_plugin() -> None:
    assert child_environment(env={"PLUGIN_UNIX_SOCKET_DIR": "/run"})["PLUGIN_UNIX_SOCKET_DIR"] == "/run"


# --- the plugin's side -------------------------------------------------------------------------------------------


@requirement("gp.env")
def test_a_plugin_reads_what_a_host_sets() -> None:
    environment = PluginEnvironment.from_environ(
        child_environment(
            versions=[3, 2], multiplex=True, client_cert=PEM, socket_dir="/run", socket_group="staff", min_port=7
        )
    )

    assert environment.protocol_versions == (2, 3)
    assert environment.invalid_versions == ()
    assert environment.multiplex
    assert environment.multiplex_field
    assert environment.client_cert == PEM
    assert (environment.socket_dir, environment.socket_group) == ("/run", "staff")
    assert (environment.min_port, environment.max_port) == (7, 0)


@pytest.mark.parametrize("environ", [{}, dict.fromkeys(PROTOCOL_NAMES, "")], ids=["missing", "empty"])
def test_missing_and_empty_variables_say_nothing(environ: Mapping[str, str]) -> None:
    environment = PluginEnvironment.from_environ(environ)

    assert environment == PluginEnvironment()
    assert (environment.min_port, environment.max_port) == (0, 0)


@pytest.mark.parametrize(
    ("text", "valid", "invalid"),
    [
        ("1", (1,), ()),
        ("7,9,7", (7, 9, 7), ()),
        ("+1,-1,007", (1, -1, 7), ()),
        ("1,abc,2", (1, 2), ("abc",)),
        ("1, 2", (1,), (" 2",)),
        (",1", (1,), ("",)),
        ("1_0,9223372036854775808", (), ("1_0", "9223372036854775808")),
    ],
)
def test_versions_that_are_no_integers_are_set_apart(
    text: str, valid: tuple[int, ...], invalid: tuple[str, ...]
) -> None:
    environment = PluginEnvironment.from_environ({"PLUGIN_PROTOCOL_VERSIONS": text})

    assert (environment.protocol_versions, environment.invalid_versions) == (valid, invalid)


@pytest.mark.parametrize(
    ("text", "multiplex", "field"),
    [("", False, False), ("true", True, True), ("1", True, True), ("false", False, True), ("yes", False, True)],
)
def test_any_value_asks_for_the_seventh_field_and_a_true_one_for_multiplexing(
    text: str, multiplex: bool, field: bool
) -> None:
    environment = PluginEnvironment.from_environ({"PLUGIN_MULTIPLEX_GRPC": text})

    assert (environment.multiplex, environment.multiplex_field) == (multiplex, field)


@pytest.mark.parametrize(
    ("text", "problem"), [("abc", "invalid syntax"), ("2147483648", "value out of range"), (" 1", "invalid syntax")]
)
@pytest.mark.parametrize("bound", ["min", "max"])
def test_a_bad_port_is_an_error_for_those_who_ask_for_it(bound: str, text: str, problem: str) -> None:
    name = f"PLUGIN_{bound.upper()}_PORT"
    environment = PluginEnvironment.from_environ({name: text})

    with pytest.raises(RemoteProtocolError) as caught:
        getattr(environment, f"{bound}_port")
    assert str(caught.value) == f'couldn\'t get value from {name}: strconv.ParseInt: parsing "{text}": {problem}'


@requirement("gp.env")
@given(st.dictionaries(st.sampled_from(sorted(PROTOCOL_NAMES)), SYSTEM_TEXT | st.text("+-0123456789,")))
def test_no_environment_stops_a_plugin(environ: Mapping[str, str]) -> None:
    environment = PluginEnvironment.from_environ(environ)

    elements = environ.get("PLUGIN_PROTOCOL_VERSIONS", "").split(",")
    assert len(environment.protocol_versions + environment.invalid_versions) in (len(elements), 0)
    for port in ("min_port", "max_port"):
        with contextlib.suppress(RemoteProtocolError):
            assert -(2**31) <= getattr(environment, port) < 2**31


# --- Go's texts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), ("+1", 1), ("-1", -1), ("-0", 0), ("007", 7), ("0" * 5000 + "7", 7),
        ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)),
    ],
)  # fmt: skip
def test_integers_are_an_optional_sign_and_digits(text: str, value: int) -> None:
    assert go_int(text) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *((text, "invalid syntax") for text in ("", "+", "-", "--1", "1_0", " 1", "1 ", "0x1", "1.0", "\u0663")),
        ("9223372036854775808", "value out of range"),
        ("-9223372036854775809", "value out of range"),
        ("9" * 5000, "value out of range"),
        ("18446744073709551615x", "invalid syntax"),
        ("18446744073709551616x", "value out of range"),
    ],
)
def test_what_is_no_integer_fails_with_the_text_of_atoi(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        go_int(text)
    assert str(caught.value) == f'strconv.Atoi: parsing "{text}": {problem}'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2147483648", "value out of range"), ("-2147483649", "value out of range"),
        ("4294967295x", "invalid syntax"), ("4294967296x", "value out of range"),
    ],
)  # fmt: skip
def test_a_narrow_integer_fails_with_the_text_of_parse_int(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        go_int(text, function="ParseInt", bits=32)
    assert str(caught.value) == f'strconv.ParseInt: parsing "{text}": {problem}'


@given(st.integers())
def test_integers_come_back_or_are_out_of_range(value: int) -> None:
    if -(2**63) <= value < 2**63:
        assert go_int(str(value)) == value
    else:
        with pytest.raises(ValueError, match="value out of range"):
            go_int(str(value))


def test_booleans_are_those_of_parse_bool() -> None:
    assert [text for text, value in GO_BOOLEANS.items() if value] == ["1", "t", "T", "TRUE", "true", "True"]
    assert [text for text, value in GO_BOOLEANS.items() if not value] == ["0", "f", "F", "FALSE", "false", "False"]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("plain text, 日本", '"plain text, 日本"'),
        ("\a\b\f\n\r\t\v\"\\'", r'''"\a\b\f\n\r\t\v\"\\'"'''),
        ("\0\x1b\x7f", r'"\x00\x1b\x7f"'),
        ("\x85\xa0\xad\u200b\u2028\ufeff\ue000", r'"\u0085\u00a0\u00ad\u200b\u2028\ufeff\ue000"'),
        ("\U0001f600\U000e0001", '"\U0001f600\\U000e0001"'),
        (b"\xff\xc3(".decode("utf-8", "surrogateescape"), r'"\xff\xc3("'),
    ],
)
def test_quoted_text_is_that_of_go(text: str, quoted: str) -> None:
    assert go_quote(text) == quoted


@given(SYSTEM_TEXT)
def test_quoted_text_can_be_printed_whatever_the_bytes(text: str) -> None:
    quoted = go_quote(text)

    assert quoted.isprintable()
    assert quoted.encode()
