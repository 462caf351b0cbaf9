"""What the command line is set to, and by what: flags, environment, `goplugin.toml`.

Rule 1: a row of SETTINGS is a flag `--NAME`, a variable `GOPLUGIN_NAME` and a key `NAME`, which read values alike.
Rule 2: the nearer source wins as a whole: flags, then the environment, then the `goplugin.toml` of the working
directory or the next one above it, then that of the user. Lists are not joined.
Rule 3: what is not a setting is an error that names its place, in the environment as in a file.
Rule 4: a file that another user may have put there is not read, for a setting can name programs to run: one that is
not the user's or root's, or that others may write or replace. GOPLUGIN_CONFIG names a file to trust instead of both,
or, empty, none.
"""
from __future__ import annotations

import math
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, cast

from goplugin.core.errors import ConfigError

__all__ = ["DEFAULT", "FILE_NAME", "SETTINGS", "Configuration", "Setting", "Settings", "configure", "user_file"]

FILE_NAME = "goplugin.toml"
DEFAULT = "default"
_PREFIX = "GOPLUGIN_"
_CONFIG = _PREFIX + "CONFIG"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class Settings(NamedTuple):
    """The value of every setting, under its name in SETTINGS with underscores; times in seconds, memory in bytes."""

    json: bool = False
    plugin_dir: tuple[str, ...] = ()
    allow_plugin_module: tuple[str, ...] = ()
    strict: bool = False
    plugin_logs: bool = False
    timeout: float | None = None
    memory: int | None = None
    call_timeout: float = 5.0
    start_timeout: float = 10.0


class Setting(NamedTuple):
    """One setting. `read` takes a text, or a value of TOML, and raises ValueError with what is wrong about it."""

    name: str
    read: Callable[[object], object]
    about: str
    metavar: str = ""

    @property
    def attribute(self) -> str:
        """Its name in `Settings`."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return _PREFIX + self.attribute.upper()

    @property
    def is_switch(self) -> bool:
        return self.read is _read_switch

    @property
    def is_list(self) -> bool:
        return self.read in (_read_list, _read_paths)


class Configuration(NamedTuple):
    """All settings, and for each, by its name, where its value comes from."""

    settings: Settings
    origins: Mapping[str, str]


def configure(flags: Mapping[str, object], *, environ: Mapping[str, str], directory: str) -> Configuration:
    """The settings of a run in `directory` with these `flags`, which are keyed by attribute and read already.

    Raises ConfigError for a file that cannot be used, and for what is in it or in `environ` and makes no sense.
    """
    values: dict[str, object] = {}
    origins = {setting.name: DEFAULT for setting in SETTINGS}
    for source in (*map(_read_file, _files(environ, directory)), _read_environment(environ)):
        for setting, value, origin in source:
            values[setting.attribute] = value
            origins[setting.name] = origin
    for setting in SETTINGS:
        if setting.attribute in flags:
            flag = flags[setting.attribute]
            values[setting.attribute] = tuple(cast("list[str]", flag)) if setting.is_list else flag
            origins[setting.name] = f"--{setting.name}"
    return Configuration(Settings()._replace(**values), origins)


def user_file(environ: Mapping[str, str]) -> str:
    """Where the user's own file is, if there is one."""
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(base, "goplugin", FILE_NAME)


# --- sources ---------------------------------------------------------------------------------------------------------

_Values = Iterator[tuple[Setting, object, str]]


def _files(environ: Mapping[str, str], directory: str) -> list[str]:
    """The files to read, the nearest last."""
    if _CONFIG in environ:
        return [environ[_CONFIG]] if environ[_CONFIG] else []
    found = [file for file in (_nearest(directory), user_file(environ)) if file and os.path.isfile(file)]
    for file in found:
        _check_writers(file)
    return found[::-1]


def _check_writers(file: str) -> None:
    """Raise ConfigError unless only this user and root may write the file, or put another in its place."""
    about, parent = os.stat(file), os.path.dirname(os.path.realpath(file))
    above = os.stat(parent)
    if about.st_uid not in (os.getuid(), 0):
        text, fix = f"{file} belongs to another user (number {about.st_uid})", ""
    elif about.st_mode & _OTHERS_WRITE:
        text, fix = f"{file} may be written by other users", f"chmod go-w {shlex.quote(file)}; or "
    elif above.st_mode & _OTHERS_WRITE and not above.st_mode & stat.S_ISVTX:
        text, fix = f"{file} is in a directory that other users may write", f"chmod go-w {shlex.quote(parent)}; or "
    else:
        return
    error = ConfigError(text)
    error.add_note(f"hint: {fix}name it if you trust it ({_CONFIG}={file}), or go on without it ({_CONFIG}=)")
    raise error


def _nearest(directory: str) -> str | None:
    while True:
        file = os.path.join(directory, FILE_NAME)
        if os.path.isfile(file):
            return file
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above


def _read_file(file: str) -> _Values:
    import tomllib

    try:
        with open(file, encoding="utf-8") as stream:
            text = stream.read()
        content = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigError(f"{file}: {error}") from error
    for key, value in content.items():
        place = f"{file}:{_line_of(key, text)}"
        setting = _BY_NAME.get(key)
        if setting is None:
            raise _unknown(f"{place}: unknown key {key!r}", key, _BY_NAME)
        read = _read(setting, value, f"{place}: {key}")
        if setting.read is _read_paths:
            read = tuple(_beside(file, path) for path in cast("tuple[str, ...]", read))
        yield setting, read, place


def _line_of(key: str, text: str) -> int:
    """The line on which `key` is set, or its table begins."""
    name = re.escape(key)
    match = re.search(rf"""^\s*\[*\s*["']?{name}["']?\s*[=.\]]""", text, re.MULTILINE)
    return text.count("\n", 0, match.end()) + 1 if match else 1


def _beside(file: str, path: str) -> str:
    """`path`, seen from the directory of `file`."""
    return path if path.startswith("~") else os.path.join(os.path.dirname(os.path.abspath(file)), path)


def _read_environment(environ: Mapping[str, str]) -> _Values:
    known = {setting.variable: setting for setting in SETTINGS}
    for variable in sorted(name for name in environ if name.startswith(_PREFIX) and name != _CONFIG):
        setting = known.get(variable)
        if setting is None:
            raise _unknown(f"unknown environment variable {variable}", variable, known)
        yield setting, _read(setting, environ[variable], variable), variable


def _read(setting: Setting, value: object, place: str) -> object:
    try:
        return setting.read(value)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from None


def _unknown(text: str, name: str, known: Mapping[str, object]) -> ConfigError:
    from difflib import get_close_matches

    error = ConfigError(text)
    near = get_close_matches(name, known, 1, cutoff=0.8)
    error.add_note(f"hint: is it {near[0]}?" if near else f"hint: there are {', '.join(known)}")
    return error


# --- kinds of values -------------------------------------------------------------------------------------------------


def _read_switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in (*_TRUE, *_FALSE):
        raise ValueError(f"{value!r} is neither true nor false")
    return word in _TRUE


def _read_list(value: object) -> tuple[str, ...]:
    """In a text, the entries have commas between; one that contains a comma stands in double quotes, as in CSV."""
    if isinstance(value, str):
        import csv  # for few command lines

        try:
            rows = list(csv.reader([value], skipinitialspace=True))
        except csv.Error as error:
            raise ValueError(f"{value!r} is no list of texts: {error}") from None
        return tuple(entry.strip() for row in rows for entry in row if entry.strip())
    entries = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(isinstance(entry, str) for entry in entries):
        raise ValueError(f"{value!r} is no list of texts")
    return tuple(cast("list[str]", entries))


def _read_paths(value: object) -> tuple[str, ...]:
    return _read_list(value)


def _read_seconds(value: object) -> float:
    try:
        seconds = math.nan if isinstance(value, bool) else float(cast("str", value))
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"{value!r} is not a positive number of seconds")
    return seconds


def _read_size(value: object) -> int:
    """A number of bytes, maybe with a unit of 1024: K, KiB, M, MiB, G, GiB."""
    match = re.fullmatch(r"(\d+)\s*(?:([KMG])(?:i?B)?)?", str(value).strip(), re.IGNORECASE)
    if match is None or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a size, such as 64M")
    number, unit = match.groups(default="")
    return int(number) << 10 * " KMG".index(unit.upper() or " ")


SETTINGS = (
    Setting("json", _read_switch, "print data, and errors, as JSON"),
    Setting(
        "plugin-dir",
        _read_paths,
        "look for plugins here, and not below, instead of everywhere under ~/.go-go-goja/plugins; "
        "repeatable, and comma-separated",
        "DIR",
    ),
    Setting(
        "allow-plugin-module", _read_list, "register only this module; repeatable, and comma-separated", "NAME"
    ),
    Setting("strict", _read_switch, "fail on what would be left out: plugins that do not load, other modules"),
    Setting("plugin-logs", _read_switch, "show what plugins log and print, on stderr, behind the module's name"),
    Setting("timeout", _read_seconds, "end the whole run after this time", "SECONDS"),
    Setting("memory", _read_size, "limit of what scripts hold in memory: bytes, or 64K, 64M, 1G", "SIZE"),
    Setting("call-timeout", _read_seconds, "limit of one call of a plugin (default 5)", "SECONDS"),
    Setting("start-timeout", _read_seconds, "limit of a plugin's start (default 10)", "SECONDS"),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}
