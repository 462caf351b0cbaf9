"""How a host finds a plugin that runs already, as a value and as the JSON that Terraform and its kin read.

    {"Protocol":"grpc","ProtocolVersion":6,"Pid":1,"Test":true,"Addr":{"Network":"unix","String":"/tmp/plugin1"}}

Tools take an object of these by plugin name, in an environment variable such as TF_REATTACH_PROVIDERS.

Rule 1: what is written is what those tools write, key by key and in their order.
Rule 2: reading is strict. People type this text, and a mistake in it decides which process is killed at the end.
Source: go-plugin client.go, ReattachConfig, for the fields and their defaults; Terraform for the JSON.
"""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple, TypeVar, cast

from .environ import go_quote
from .errors import ConfigError

__all__ = ["ReattachConfig", "reattach_configs_from_json", "reattach_configs_to_json"]

_PROTOCOLS = ("grpc", "netrpc")
_LAST_INT32 = 2**31 - 1

ValueT = TypeVar("ValueT")


class ReattachConfig(NamedTuple):
    """A plugin process and where it listens.

    `network` is unix or tcp, `address` a path or HOST:PORT.
    `pid`: of the process that is killed at the end, unless `test` is true: then nobody but itself ends it.
    `protocol_version`: the application's; 0 if whoever wrote this did not know it, as go-plugin itself does not.
    """

    network: str
    address: str
    pid: int
    protocol: str = "grpc"
    protocol_version: int = 0
    test: bool = False

    def check(self) -> None:
        """Raise ConfigError if no plugin can be found with these values."""
        if self.protocol not in _PROTOCOLS:
            supported = " ".join(_PROTOCOLS)
            raise ConfigError(f"unsupported plugin protocol {go_quote(self.protocol)}. Supported: [{supported}]")
        if not 0 <= self.protocol_version <= _LAST_INT32:
            raise ConfigError(f"ProtocolVersion is {self.protocol_version}, but has to be from 0 to {_LAST_INT32}")
        # 0 and negative numbers mean whole groups of processes to kill(2).
        if not 1 <= self.pid <= _LAST_INT32:
            raise ConfigError(f"Pid is {self.pid}, but has to be from 1 to {_LAST_INT32}")
        if self.network == "tcp":
            _check_tcp(self.address)
        elif self.network != "unix":
            raise ConfigError(f"unknown address type: {go_quote(self.network)} is neither unix nor tcp")
        elif not self.address or "\0" in self.address:
            raise ConfigError(f"invalid unix socket path {go_quote(self.address)}")

    @classmethod
    def from_json(cls, text: str) -> ReattachConfig:
        """Read one object. Raises ConfigError, with the name of the key where one is wrong, missing or unknown."""
        return _from_value(_parse(text))

    def to_json(self) -> str:
        """One object, without white space."""
        return _dump(_to_value(self))


def reattach_configs_from_json(text: str) -> dict[str, ReattachConfig]:
    """Read an object of objects by plugin name. Raises ConfigError as `from_json`, with the plugin's name before it."""
    configs: dict[str, ReattachConfig] = {}
    for name, value in _object(_parse(text), "the whole text").items():
        try:
            configs[name] = _from_value(value)
        except ConfigError as error:
            raise ConfigError(f"{go_quote(name)}: {error}") from None
    return configs


def reattach_configs_to_json(configs: Mapping[str, ReattachConfig]) -> str:
    """An object of objects by plugin name, without white space."""
    return _dump({name: _to_value(config) for name, config in configs.items()})


def _check_tcp(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host:
        raise ConfigError(f"invalid TCP address {go_quote(address)}: it has to be HOST:PORT")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise ConfigError(f"invalid TCP address {go_quote(address)}: the port has to be a number from 1 to 65535")


def _to_value(config: ReattachConfig) -> dict[str, object]:
    return {
        "Protocol": config.protocol,
        "ProtocolVersion": config.protocol_version,
        "Pid": config.pid,
        "Test": config.test,
        "Addr": {"Network": config.network, "String": config.address},
    }


def _from_value(value: object) -> ReattachConfig:
    fields = _object(value, "a reattach config", "Protocol", "ProtocolVersion", "Pid", "Test", "Addr")
    address = _object(fields.get("Addr", _MISSING), "Addr", "Network", "String")
    config = ReattachConfig(
        network=_field(address, "Network", str),
        address=_field(address, "String", str),
        pid=_field(fields, "Pid", int),
        protocol=_field(fields, "Protocol", str, "netrpc"),
        protocol_version=_field(fields, "ProtocolVersion", int, 0),
        test=_field(fields, "Test", bool, False),
    )
    config.check()
    return config


_MISSING = object()
_IN_WORDS: dict[type, str] = {str: "a string", int: "a whole number", bool: "true or false"}


def _field(fields: Mapping[str, object], name: str, kind: type[ValueT], default: object = _MISSING) -> ValueT:
    value = _present(fields.get(name, default), name)
    if type(value) is not kind:     # true is no number here, though Python counts it as one
        raise ConfigError(f"{name} has to be {_IN_WORDS[kind]}, not {_dump(value)}")
    return value


def _present(value: object, what: str) -> object:
    if value is _MISSING:
        raise ConfigError(f"{what} is missing")
    return value


def _object(value: object, what: str, *known: str) -> Mapping[str, object]:
    """`value` as an object; one with other than the `known` keys is refused, if any are given."""
    if not isinstance(_present(value, what), dict):
        raise ConfigError(f"{what} has to be an object, not {_dump(value)}")
    fields = cast("dict[str, object]", value)
    for name in fields:
        if known and name not in known:
            raise ConfigError(f"{what} has no key {go_quote(name)}: its keys are {', '.join(known)}")
    return fields


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"no JSON: {error}") from None


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
