"""Where a broker listens, and by which names its peer knows that."""
from __future__ import annotations

from pathlib import Path

import pytest

from goplugin.core.environ import PluginEnvironment
from goplugin.core.errors import PluginLostError
from goplugin.reach import Reach


def test_what_is_announced_is_the_address_as_the_peer_knows_it(tmp_path: Path) -> None:
    announced: list[tuple[str, str]] = []
    reach = Reach(
        PluginEnvironment(socket_dir=str(tmp_path)), to_peer=lambda network, address: (network, Path(address).name)
    )

    with reach.listen(lambda *address: announced.append(address)) as listener:
        assert announced == [("unix", Path(listener.address).name)]
        assert Path(listener.address).parent == tmp_path


def test_a_listener_that_cannot_be_announced_is_gone(tmp_path: Path) -> None:
    def announce(network: str, address: str) -> None:
        assert Path(address).is_socket()
        raise PluginLostError("broker closed")

    with pytest.raises(PluginLostError, match="broker closed"):
        Reach(PluginEnvironment(socket_dir=str(tmp_path))).listen(announce)
    assert list(tmp_path.iterdir()) == []
