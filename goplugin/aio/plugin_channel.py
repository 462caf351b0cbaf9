"""The asyncio runtime's channel, as a host and a broker have it: Go's status details, and the name in certificates."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grpclib.config import Configuration

from ..core.errors import ConfigError
from .channel import Channel
from .plugin_server import DetailsCodec

if TYPE_CHECKING:
    import ssl

__all__ = ["channel_options", "channel_to"]


def channel_to(network: str, address: str, *, tls: ssl.SSLContext | None = None) -> Channel:
    """A channel to the address of a handshake line, with `tls` to a server whose certificate is for NAME.

    It connects at its first call. Raises ConfigError if `network` is neither unix nor tcp.
    """
    if network == "unix":
        return Channel(path=address, **channel_options(tls))
    if network == "tcp":
        host, _, port = address.rpartition(":")
        return Channel(host.strip("[]"), int(port), **channel_options(tls))
    raise ConfigError(f"unknown address type: {address}")


def channel_options(tls: ssl.SSLContext | None) -> dict[str, Any]:
    """What such a channel is made with, wherever it leads."""
    options: dict[str, Any] = {"status_details_codec": DetailsCodec(), "ssl": tls}
    if tls is not None:
        from ..tls import NAME

        options["config"] = Configuration(ssl_target_name_override=NAME)
    return options
