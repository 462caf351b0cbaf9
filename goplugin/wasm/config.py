"""What a plugin in a sandbox is allowed and given: nothing, unless it says so here."""
from __future__ import annotations

import enum
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TYPE_CHECKING

import attrs

from ..core.errors import ConfigError

if TYPE_CHECKING:
    import wasmtime

__all__ = ["INHERIT", "Inherit", "Output", "Preopen", "WasmConfig"]

MIB = 1 << 20


class Inherit(enum.Enum):
    """What a plugin reads or writes is this process's own."""

    INHERIT = "inherit"


INHERIT = Inherit.INHERIT

Output = IO[bytes] | str | os.PathLike[str] | Callable[[bytes], object] | logging.Logger | Inherit
"""Where a plugin's output goes: a binary file; a path, whose file every instance begins anew; a function, which gets it
in pieces as it comes, on a thread of the engine's; a logger, which gets it by lines, as it does a plugin process's
stderr; this process's own descriptor."""


@attrs.frozen
class Preopen:
    """A directory that the plugin sees as `guest`, with everything below it and nothing else."""

    host: str
    guest: str = "/"
    writable: bool = False


@attrs.frozen(kw_only=True)
class WasmConfig:
    """The sandbox of a plugin; without arguments one in which it can compute, and nothing else.

    `stdout`, `stderr`: see Output; None drops it. The end of stderr is kept in any case, for errors.
    `stdin`: what the plugin reads there; nothing by default. `env` and `args` are all that it sees of either; a Go
    program takes the first of `args` for its own name. `dirs` are directories that it may read, or read and write.
    The clock and random numbers are real: upstream's host has a clock that stands still in 2022.

    `time_limit`: seconds that a call may take, and starting the module as well. Functions of the host count, but are
    not interrupted: the call ends when they return; the same is true of a read from an inherited stdin.
    `memory_limit`: bytes of linear memory. `fuel`: roughly the number of instructions that a call may take, the same on
    every machine; counting them costs time.

    `free_host_responses`: whether to free what functions of the host return, once the plugin's own call has returned;
    None: for modules that Go or TinyGo made, see `abi.owns_host_responses`.
    `free_responses`: whether to free what the plugin returns, for modules of TinyGo with upstream's SDK 0.8, which
    leak it otherwise. Those of SDK 0.7 and older crash when they are asked to.
    `cache_dir`: where compiled modules are kept; None for the user's cache directory, "" for nowhere.
    `engine` may change the configuration of the engine before it is made. Such an engine is not shared with other
    modules, and nothing of it is kept in the cache.
    """

    stdout: Output | None = None
    stderr: Output | None = None
    stdin: bytes | str | os.PathLike[str] | Inherit | None = None
    env: Mapping[str, str] = attrs.field(factory=dict[str, str])
    args: Sequence[str] = ()
    dirs: Sequence[Preopen] = ()
    time_limit: float | None = None
    memory_limit: int | None = 512 * MIB
    fuel: int | None = None
    free_host_responses: bool | None = None
    free_responses: bool = False
    cache_dir: str | None = None
    engine: Callable[[wasmtime.Config], object] | None = None

    def __attrs_post_init__(self) -> None:
        if isinstance(self.args, str):
            raise ConfigError(f"args is a text: give the arguments as a list, [{self.args!r}]")
        for name, limit in (("time_limit", self.time_limit), ("memory_limit", self.memory_limit), ("fuel", self.fuel)):
            if limit is not None and limit <= 0:
                raise ConfigError(f"{name} is {limit}: nothing could run at all; None means no limit")
        for text in (*self.args, *self.env, *self.env.values()):
            if "\0" in text:
                raise ConfigError(f"args and env cannot hold a zero byte: {text!r}")
