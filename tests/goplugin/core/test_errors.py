from __future__ import annotations

import inspect
import pickle
import re
import traceback

import pytest

from goplugin.core import errors
from goplugin.core.errors import (
    BrokerTimeout,
    ConfigError,
    LaunchError,
    PluginError,
    PluginLostError,
    RemoteError,
)
from goplugin.core.status import Code

CLASSES = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}


def drawn_tree() -> dict[str, str]:
    """Each class that the module's docstring draws, with the one it hangs from."""
    parents: dict[str, str] = {}
    path: dict[int, str] = {}
    drawing = (errors.__doc__ or "").split("\n\n")[1]
    for match in re.finditer(r"^ {4}([| ]*)(?:\+-- )?(\w+)", drawing, re.MULTILINE):
        depth = (match.start(2) - match.start(1)) // 4
        path[depth] = match[2]
        if depth:
            parents[match[2]] = path[depth - 1]
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    real = {
        name: next(base.__name__ for base in kind.__bases__ if issubclass(base, PluginError))
        for name, kind in CLASSES.items()
        if kind is not PluginError
    }

    assert drawn_tree() == real


def test_every_error_is_exported() -> None:
    assert sorted(CLASSES) == errors.__all__


@pytest.mark.parametrize(("ours", "builtin"), [(ConfigError, ValueError), (BrokerTimeout, TimeoutError)])
def test_an_error_is_also_the_builtin_one_that_it_specialises(ours: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(ours, builtin)


def test_a_launch_error_carries_exit_code_and_stderr() -> None:
    error = LaunchError("plugin exited before we could connect", exit_code=-9, stderr="out of memory")

    assert (str(error), error.exit_code, error.stderr) == (
        "plugin exited before we could connect", -9, "out of memory",
    )  # fmt: skip


def test_a_traceback_of_a_launch_error_has_the_plugins_last_words_once() -> None:
    error = pickle.loads(pickle.dumps(LaunchError("plugin exited", stderr="one\ntwo")))

    assert traceback.format_exception(error) == [
        "goplugin.core.errors.LaunchError: plugin exited\n", "plugin stderr: one\n", "two\n",
    ]  # fmt: skip


def test_a_launch_error_of_a_running_plugin_has_no_exit_code() -> None:
    error = LaunchError("timeout while waiting for plugin to start")

    assert (error.exit_code, error.stderr) == (None, "")


def test_a_remote_error_reads_like_one_of_grpc_go() -> None:
    assert str(RemoteError(Code.NOT_FOUND, "no such key")) == "rpc error: code = NotFound desc = no such key"


def test_a_lost_plugin_is_a_remote_error_with_code_unavailable() -> None:
    error = PluginLostError("error reading from server: EOF")

    assert str(error) == "rpc error: code = Unavailable desc = error reading from server: EOF"
    assert (error.code, error.message, error.details) == (Code.UNAVAILABLE, "error reading from server: EOF", ())


@pytest.mark.parametrize(
    "error",
    [
        LaunchError("no", exit_code=2, stderr="why"),
        RemoteError(Code.INTERNAL, "broken", ("detail",)),
        PluginLostError("gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_with_attributes_survives_pickling(error: PluginError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
