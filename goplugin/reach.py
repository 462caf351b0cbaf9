"""How one side of a broker in plain mode is reached, and reaches the other: what is the same in both runtimes."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .transport import Listener, listen

if TYPE_CHECKING:
    import ssl

    from .core.environ import PluginEnvironment

__all__ = ["Reach", "Translation", "same"]

Translation = Callable[[str, str], tuple[str, str]]
"""Of a network and an address."""


def same(network: str, address: str) -> tuple[str, str]:
    """The translation of a peer that knows every address as we do."""
    return network, address


class Reach(NamedTuple):
    """`environment` says where to listen, as for the plugin itself.

    `server_tls` is for the connections that are accepted, `client_tls` for those that are dialled.
    `to_peer` and `from_peer` are for a host whose plugin has other names for the same addresses.
    """

    environment: PluginEnvironment
    server_tls: ssl.SSLContext | None = None
    client_tls: ssl.SSLContext | None = None
    to_peer: Translation = same
    from_peer: Translation = same

    def listen(self, announce: Callable[[str, str], object]) -> Listener:
        """A listener whose address, as the peer knows it, has been told to `announce`.

        Raises ConfigError where nothing can listen, and what `announce` does.
        """
        listener = listen(self.environment)
        try:
            announce(*self.to_peer(listener.network, listener.address))
        except BaseException:
            listener.close()
            raise
        return listener
