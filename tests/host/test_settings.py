from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin import ConfigError
from host.settings import SETTINGS, Configuration, Settings, configure, user_file


def settings_of(directory: Path, flags: Mapping[str, object] | None = None, **environ: str) -> Configuration:
    """Of a run in `directory`, whose parent has the user's configuration in `config`."""
    environ = {"XDG_CONFIG_HOME": str(directory.parent / "config"), **environ}
    return configure(flags or {}, environ=environ, directory=str(directory))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    directory.mkdir()
    return directory


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_without_any_source_there_are_defaults(project: Path) -> None:
    found = settings_of(project)

    assert found.settings == Settings()
    assert set(found.origins.values()) == {"default"}


def test_every_setting_has_a_row() -> None:
    assert [setting.attribute for setting in SETTINGS] == list(Settings._fields)


def test_the_nearer_source_wins_and_is_the_origin(project: Path) -> None:
    user = write(project.parent / "config/goplugin/goplugin.toml", "call-timeout = 1\nstrict = true\n")
    own = write(project / "goplugin.toml", "# mine\ncall-timeout = 2\nstart-timeout = 2\ntimeout = 2\n")

    found = settings_of(project, {"timeout": 4.0}, GOPLUGIN_START_TIMEOUT="3", GOPLUGIN_TIMEOUT="3")

    settings, origins = found
    assert (settings.strict, origins["strict"]) == (True, f"{user}:2")
    assert (settings.call_timeout, origins["call-timeout"]) == (2, f"{own}:2")
    assert (settings.start_timeout, origins["start-timeout"]) == (3, "GOPLUGIN_START_TIMEOUT")
    assert (settings.timeout, origins["timeout"]) == (4, "--timeout")


def test_the_file_is_that_of_the_next_directory_above(project: Path) -> None:
    write(project / "goplugin.toml", "strict = true")
    below = project / "a" / "b"
    below.mkdir(parents=True)

    assert settings_of(below).settings.strict
    write(below / "goplugin.toml", "")
    assert not settings_of(below).settings.strict


def test_directories_of_a_file_are_seen_from_the_file(project: Path) -> None:
    write(project / "goplugin.toml", 'plugin-dir = ["plugins", "/abs", "~/own"]')
    below = project / "a"
    below.mkdir()

    assert settings_of(below).settings.plugin_dir == (f"{project}/plugins", "/abs", "~/own")


def test_a_named_file_is_read_instead_of_both_and_an_empty_name_is_none(project: Path) -> None:
    write(project / "goplugin.toml", "strict = true")
    other = write(project / "other.toml", "plugin-logs = true")

    assert settings_of(project, GOPLUGIN_CONFIG=other).settings == Settings(plugin_logs=True)
    assert settings_of(project, GOPLUGIN_CONFIG="").settings == Settings()
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        settings_of(project, GOPLUGIN_CONFIG=str(project / "none.toml"))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("PLUGIN_DIR", 'a, "b,c",,', ("a", "b,c")),
        ("ALLOW_PLUGIN_MODULE", "plugin:a", ("plugin:a",)),
        ("STRICT", "Yes", True),
        ("PLUGIN_LOGS", "0", False),
        ("JSON", "", False),
        ("TIMEOUT", "1.5", 1.5),
        ("MEMORY", "33554432", 32 << 20),
        ("MEMORY", "64M", 64 << 20),
        ("MEMORY", "512 kib", 512 << 10),
        ("MEMORY", "1GB", 1 << 30),
    ],
)
def test_a_variable_reads_its_text_as_the_flag_does(project: Path, name: str, text: str, value: object) -> None:
    settings = settings_of(project, **{f"GOPLUGIN_{name}": text}).settings

    assert getattr(settings, name.lower()) == value


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("plugin-dirs = []", "{file}:1: unknown key 'plugin-dirs'"),
        ("\n[tool]\nx = 1", "{file}:2: unknown key 'tool'"),
        ("strict = 1", "{file}:1: strict: 1 is neither true nor false"),
        ("plugin-dir = [1]", "{file}:1: plugin-dir: [1] is no list of texts"),
        ("plugin-dir = true", "{file}:1: plugin-dir: True is no list of texts"),
        ("\ntimeout = -1", "{file}:2: timeout: -1 is not a positive number of seconds"),
        ("timeout = true", "{file}:1: timeout: True is not a positive number of seconds"),
        ("timeout = []", "{file}:1: timeout: [] is not a positive number of seconds"),
        ("memory = '64 megabytes'", "{file}:1: memory: '64 megabytes' is not a size, such as 64M"),
        ("memory = true", "{file}:1: memory: True is not a size, such as 64M"),
        ("timeout =", "{file}: Invalid value (at end of document)"),
    ],
)
def test_what_makes_no_sense_in_a_file_is_an_error_with_its_place(project: Path, text: str, complaint: str) -> None:
    file = write(project / "goplugin.toml", text)

    with pytest.raises(ConfigError) as caught:
        settings_of(project)

    assert str(caught.value) == complaint.format(file=file)


def test_an_unknown_name_is_an_error_that_proposes_the_right_one(project: Path) -> None:
    with pytest.raises(ConfigError, match="unknown environment variable GOPLUGIN_PLUGIN_DIRS") as caught:
        settings_of(project, GOPLUGIN_PLUGIN_DIRS="x")
    assert caught.value.__notes__ == ["hint: is it GOPLUGIN_PLUGIN_DIR?"]

    with pytest.raises(ConfigError) as caught:
        settings_of(project, GOPLUGIN_XYZZY="x")
    assert caught.value.__notes__[0].startswith("hint: there are GOPLUGIN_JSON, GOPLUGIN_PLUGIN_DIR")


def test_a_variable_that_makes_no_sense_is_an_error_that_names_it(project: Path) -> None:
    with pytest.raises(ConfigError, match="GOPLUGIN_TIMEOUT: 'x' is not a positive number"):
        settings_of(project, GOPLUGIN_TIMEOUT="x")


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_not_read_unless_it_is_named(project: Path) -> None:
    file = write(project / "goplugin.toml", "strict = true")
    os.chown(file, 4711, -1)

    with pytest.raises(ConfigError, match="belongs to another user"):
        settings_of(project)
    assert settings_of(project, GOPLUGIN_CONFIG=file).settings.strict


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_may_write_is_not_read_unless_it_is_named(project: Path, mode: int) -> None:
    file = write(project / "goplugin.toml", "strict = true")
    os.chmod(file, mode)

    with pytest.raises(ConfigError, match="may be written by other users") as caught:
        settings_of(project)
    assert caught.value.__notes__[0].startswith(f"hint: chmod go-w {file}; or ")
    assert settings_of(project, GOPLUGIN_CONFIG=file).settings.strict


def test_a_file_that_others_may_replace_is_not_read(project: Path) -> None:
    write(project / "goplugin.toml", "strict = true")
    (project / "below").mkdir()
    project.chmod(0o775)

    with pytest.raises(ConfigError, match="in a directory that other users may write") as caught:
        settings_of(project / "below")
    assert caught.value.__notes__[0].startswith(f"hint: chmod go-w {project}; or ")
    project.chmod(0o1777)
    assert settings_of(project).settings.strict


def test_the_users_file_is_in_the_configuration_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home")

    assert user_file({}) == "/home/.config/goplugin/goplugin.toml"
    assert user_file({"XDG_CONFIG_HOME": "/x"}) == "/x/goplugin/goplugin.toml"


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5
)


@given(json_values)
def test_every_setting_reads_any_value_or_says_what_is_wrong(value: object) -> None:
    for setting in SETTINGS:
        try:
            setting.read(value)
        except ValueError as error:
            assert repr(value) in str(error) or isinstance(value, str)  # noqa: PT017 - one of two outcomes
