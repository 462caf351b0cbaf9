"""A plugin's one connection with a host that multiplexes, in the blocking runtime.

Source: go-plugin internal/grpcmux, server.
"""
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.errors import BrokerTimeout
from .broker_mux import accept_session

if TYPE_CHECKING:
    from ..transport import Listener
    from .broker_mux import MultiplexedBroker
    from .mux import Session
    from .server import Server

__all__ = ["HostConnection"]


class HostConnection:
    """Waits on a thread for the host to connect to `listener`, and serves the streams that it opens.

    `stop` is called when the connection is over, or none has come in time; not after `close`.
    """

    def __init__(
        self, listener: Listener, server: Server, broker: MultiplexedBroker, stop: Callable[[], object]
    ) -> None:
        self._listener = listener
        self._server = server
        self._broker = broker
        self._stop = stop
        self._lock = threading.Lock()
        self._closed = False
        self._session: Session | None = None
        self._thread = threading.Thread(target=self._accept, name="goplugin-accept", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for nobody, and hang up, behind what was sent."""
        with self._lock:
            self._closed = True
        self._thread.join()
        if self._session is not None:
            self._session.close()

    def _accept(self) -> None:
        try:
            self._session = accept_session(self._listener, lambda: not self._closed)
        except BrokerTimeout as error:
            import logging  # not before something has failed: it is a fifth of a plugin's start

            logging.getLogger("goplugin.server").error("grpc server: %s", error)  # noqa: TRY400 - it says it all
            self._end()
        if self._session is not None:
            self._broker.start(self._session, self._server, on_end=self._end)

    def _end(self) -> None:
        with self._lock:
            if not self._closed:
                self._stop()
