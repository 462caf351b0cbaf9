from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import ConfigError
from goplugin.core.reattach import ReattachConfig, reattach_configs_from_json, reattach_configs_to_json
from tests.support import requirement

TERRAFORM = (
    '{"Protocol":"grpc","ProtocolVersion":6,"Pid":38972,"Test":true,'
    '"Addr":{"Network":"unix","String":"/tmp/plugin713776189"}}'
)
CONFIG = ReattachConfig("unix", "/tmp/plugin713776189", 38972, protocol_version=6, test=True)
TCP = ReattachConfig("tcp", "127.0.0.1:10000", 7, protocol="netrpc")


def altered(**changes: Any) -> str:
    """TERRAFORM with some values replaced; None removes a key."""
    fields = json.loads(TERRAFORM) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def address(**fields: Any) -> str:
    return altered(Addr=fields)


@requirement("gp.reattach")
def test_what_terraform_writes_is_read() -> None:
    assert ReattachConfig.from_json(TERRAFORM) == CONFIG


@requirement("gp.reattach")
def test_what_is_written_is_what_terraform_writes() -> None:
    assert CONFIG.to_json() == TERRAFORM


@requirement("gp.reattach")
def test_tools_take_one_object_for_all_plugins_by_name() -> None:
    text = f'{{"example.com/a/b":{TERRAFORM},"kv":{TCP.to_json()}}}'

    configs = reattach_configs_from_json(text)

    assert configs == {"example.com/a/b": CONFIG, "kv": TCP}
    assert reattach_configs_to_json(configs) == text


def test_what_go_plugin_leaves_out_has_its_defaults() -> None:
    config = ReattachConfig.from_json('{"Pid": 1, "Addr": {"Network": "tcp", "String": "[::1]:1"}}')

    assert config == ReattachConfig("tcp", "[::1]:1", 1, protocol="netrpc", protocol_version=0, test=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON: Expecting value: line 1 column 1 (char 0)"),
        ("{" * 3, "no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[" * 100_000, "no JSON: maximum recursion depth exceeded"),
        ("[]", "a reattach config has to be an object, not []"),
        ("null", "a reattach config has to be an object, not null"),
        (altered(Tset=True), 'a reattach config has no key "Tset": its keys are Protocol, ProtocolVersion, Pid, '
                             "Test, Addr"),
        (altered(Protocol="zzz"), 'unsupported plugin protocol "zzz". Supported: [grpc netrpc]'),
        (altered(Protocol=1), "Protocol has to be a string, not 1"),
        (altered(ProtocolVersion="6"), 'ProtocolVersion has to be a whole number, not "6"'),
        (altered(ProtocolVersion=True), "ProtocolVersion has to be a whole number, not true"),
        (altered(ProtocolVersion=-1), "ProtocolVersion is -1, but has to be from 0 to 2147483647"),
        (altered(Pid=None), "Pid is missing"),
        (altered(Pid=0), "Pid is 0, but has to be from 1 to 2147483647"),
        (altered(Pid=-5), "Pid is -5, but has to be from 1 to 2147483647"),
        (altered(Pid=2**31), "Pid is 2147483648, but has to be from 1 to 2147483647"),
        (altered(Pid=1.5), "Pid has to be a whole number, not 1.5"),
        (altered(Test="yes"), 'Test has to be true or false, not "yes"'),
        (altered(Addr=None), "Addr is missing"),
        (altered(Addr="/tmp/x"), 'Addr has to be an object, not "/tmp/x"'),
        (address(Network="unix", Path="/x"), 'Addr has no key "Path": its keys are Network, String'),
        (address(Network="unix"), "String is missing"),
        (address(String="/x"), "Network is missing"),
        (address(Network="udp", String="/x"), 'unknown address type: "udp" is neither unix nor tcp'),
        (address(Network="unix", String=""), 'invalid unix socket path ""'),
        (address(Network="unix", String="/a\0b"), 'invalid unix socket path "/a\\x00b"'),
        (address(Network="tcp", String="1234"), 'invalid TCP address "1234": it has to be HOST:PORT'),
        (address(Network="tcp", String=":1234"), 'invalid TCP address ":1234": it has to be HOST:PORT'),
        (address(Network="tcp", String="h:"), 'invalid TCP address "h:": the port has to be a number from 1 to 65535'),
        (address(Network="tcp", String="h:0"),
         'invalid TCP address "h:0": the port has to be a number from 1 to 65535'),
        (address(Network="tcp", String="h:65536"),
         'invalid TCP address "h:65536": the port has to be a number from 1 to 65535'),
        (address(Network="tcp", String="h:\u0663"),
         'invalid TCP address "h:\u0663": the port has to be a number from 1 to 65535'),
    ],
)
def test_whatever_else_is_refused_with_the_name_of_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ReattachConfig.from_json(text)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{{"kv": {altered(Pid=0)}}}', '"kv": Pid is 0, but has to be from 1 to 2147483647'),
        ('{"kv": 1}', '"kv": a reattach config has to be an object, not 1'),
        (f"[{TERRAFORM}]", "the whole text has to be an object, not [{"),
        ("x", "no JSON: Expecting value"),
    ],
)
def test_of_several_plugins_the_one_with_the_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        reattach_configs_from_json(text)

    assert str(caught.value).startswith(message)


def test_values_given_by_a_program_can_be_checked_as_well() -> None:
    TCP.check()
    with pytest.raises(ConfigError, match=r"^Pid is 0"):
        TCP._replace(pid=0).check()


KEYS = ["Protocol", "Pid", "Test", "Addr", "Network", "String", "x"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=8,
)
CONFIGS = st.builds(
    ReattachConfig,
    st.just("unix"),
    st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=8),
    st.integers(1, 2**31 - 1),
    st.sampled_from(["grpc", "netrpc"]),
    st.integers(0, 2**31 - 1),
    st.booleans(),
)


@given(text=st.text(max_size=30) | JSON.map(json.dumps))
def test_any_text_gives_a_config_or_says_why_not(text: str) -> None:
    with contextlib.suppress(ConfigError):
        ReattachConfig.from_json(text).check()


@given(configs=st.dictionaries(st.text(max_size=5), CONFIGS, max_size=3))
def test_what_was_written_is_read_again(configs: dict[str, ReattachConfig]) -> None:
    assert reattach_configs_from_json(reattach_configs_to_json(configs)) == configs
