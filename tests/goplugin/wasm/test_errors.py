from __future__ import annotations

import pickle

import pytest

from goplugin.core.errors import PluginError, PluginLostError, RemoteError
from goplugin.core.status import Code
from goplugin.wasm import errors
from tests.support import requirement


@requirement("wa.call")
def test_the_plugins_error_is_its_text() -> None:
    error = errors.GuestError("no such name")

    assert str(error) == error.message == "no such name"
    assert isinstance(error, RemoteError)
    assert error.code is Code.UNKNOWN


@requirement("wa.trap")
def test_a_crash_shows_the_end_of_stderr() -> None:
    assert str(errors.TrapError("greeter.wasm: unreachable", "panic: out of luck")) == (
        "greeter.wasm: unreachable\npanic: out of luck"
    )
    assert str(errors.TrapError("greeter.wasm: unreachable")) == "greeter.wasm: unreachable"


@pytest.mark.parametrize(
    "kind", [errors.TrapError, errors.TimeLimitError, errors.MemoryLimitError, errors.FuelLimitError]
)
def test_after_a_crash_the_plugin_is_lost(kind: type[errors.TrapError]) -> None:
    error = kind("text", "stderr")

    assert isinstance(error, PluginLostError)
    assert error.code is Code.UNAVAILABLE


def test_too_long_is_a_timeout_to_everybody() -> None:
    assert issubclass(errors.TimeLimitError, TimeoutError)


@pytest.mark.parametrize(
    "error",
    [
        errors.GuestError("text"),
        errors.MemoryLimitError("text", "stderr"),
        errors.ExitError("text", 3, "stderr"),
        errors.VersionMismatchError("text", host=1, plugin=2),
        errors.MissingExportError("text", "malloc"),
        errors.HostFunctionError("text", "env.answer"),
    ],
)
def test_errors_can_be_pickled(error: PluginError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))
