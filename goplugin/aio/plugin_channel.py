"""The asyncio runtime's channel, as a host and a broker have it: Go's status details, and the name in certificates."""
from __future__ import annotations

import asyncio
from ssl import SSLError
from typing import TYPE_CHECKING, Any

from grpclib.config import Configuration

from ..core.errors import ConfigError
from ..tls import NAME, handshake_seconds
from .channel import Channel, ClientLink
from .plugin_server import DetailsCodec

if TYPE_CHECKING:
    import ssl

__all__ = ["channel_options", "channel_to"]


def channel_to(
    network: str, address: str, *, tls: ssl.SSLContext | None = None, timeout: float | None = None
) -> Channel:
    """A channel to the address of a handshake line, with `tls` to a server whose certificate is for NAME.

    It connects at its first call; the server has `timeout` seconds for the TLS handshake then, or twenty, whichever is
    less. Raises ConfigError if `network` is neither unix nor tcp.
    """
    options = channel_options(tls)
    seconds = None if tls is None else handshake_seconds(timeout)
    if network == "unix":
        return _DialledChannel(network, address, seconds, path=address, **options)
    if network == "tcp":
        host, _, port = address.rpartition(":")
        return _DialledChannel(network, address, seconds, host=host.strip("[]"), port=int(port), **options)
    raise ConfigError(f"unknown address type: {address}")


def channel_options(tls: ssl.SSLContext | None) -> dict[str, Any]:
    """What such a channel is made with, wherever it leads."""
    options: dict[str, Any] = {"status_details_codec": DetailsCodec(), "ssl": tls}
    if tls is not None:
        options["config"] = Configuration(ssl_target_name_override=NAME)
    return options


class _DialledChannel(Channel):
    """One that says where it could not connect to, and does not try for longer than `seconds`."""

    def __init__(self, network: str, address: str, seconds: float | None, **options: Any) -> None:
        super().__init__(**options)
        self._dialled = f"dial {network} {address}"
        self._seconds = seconds

    async def make_link(self) -> ClientLink:
        handshake = asyncio.timeout(self._seconds)
        try:
            async with handshake:
                return await super().make_link()
        except SSLError:    # somebody was there
            raise
        except OSError as error:
            if handshake.expired():     # not a TimeoutError: that would be the call's
                text = "authentication handshake failed: context deadline exceeded"
                raise ConnectionAbortedError(f"{self._dialled}: {text}") from error
            reason = error.strerror or str(error) or "EOF"
            raise type(error)(f"{self._dialled}: {reason}") from error
