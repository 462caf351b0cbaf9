from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import ConfigError
from goplugin.discovery import discover
from tests.support import requirement

NAMES = ["plugin-a", "plugin-b", "plugin-", ".plugin-c", "other", "plugin-é", "[x]", "a\nb"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).touch()
    for version in "2", "1":
        (tmp_path / "linux" / version).mkdir(parents=True)
        (tmp_path / "linux" / version / "plugin-d").touch()
    return tmp_path


@requirement("gp.discover")
def test_matches_are_absolute_and_sorted(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(directory)

    names = ["plugin-", "plugin-a", "plugin-b", "plugin-é"]
    assert discover("plugin-*", ".") == [str(directory / name) for name in names]


@requirement("gp.discover")
@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("plugin-?", ["plugin-a", "plugin-b", "plugin-é"]),
        ("plugin-[a-b]", ["plugin-a", "plugin-b"]),
        ("plugin-[^a]", ["plugin-b", "plugin-é"]),
        ("plugin-[!a]", ["plugin-a"]),
        ("plugin-[b-a]", []),
        ("plugin-[^b-a]", ["plugin-a", "plugin-b", "plugin-é"]),
        ("*plugin-[ac]", [".plugin-c", "plugin-a"]),
        ("[\\[]x]", ["[x]"]),
        ("\\[x\\]", ["[x]"]),
        ("a?b", ["a\nb"]),
        ("other", ["other"]),
        ("./other", ["other"]),
        ("nothing", []),
        ("", []),
        ("linux/*/plugin-d", ["linux/1/plugin-d", "linux/2/plugin-d"]),
        ("*/2/plugin-*", ["linux/2/plugin-d"]),
        ("linux/../oth*", ["other"]),
        ("**/plugin-d", []),
        ("other/*", []),
    ],
)
def test_patterns_are_those_of_go(directory: Path, pattern: str, names: list[str]) -> None:
    assert discover(pattern, str(directory)) == [str(directory / name) for name in names]


@requirement("gp.discover")
@pytest.mark.parametrize("pattern", ["[", "[]", "[]a]", "[a-]", "[-a]", "[a", "[^]", "a\\", "[\\", "x/[", "*["])
def test_what_is_no_pattern_is_refused(directory: Path, pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"^syntax error in pattern$"):
        discover(pattern, str(directory))


def test_a_directory_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert discover("*", str(tmp_path / "nowhere")) == []


def test_only_the_pattern_is_one_and_not_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "a[b]"
    directory.mkdir()
    (directory / "plugin").touch()

    assert discover("*", str(directory)) == [os.path.join(directory, "plugin")]


@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8))
def test_a_backslash_before_every_character_means_the_name_itself(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    directory = tmp_path_factory.mktemp("found")
    path = directory / (name if name not in (".", "..") else "dots")
    path.touch()

    assert discover("".join(f"\\{char}" for char in path.name), str(directory)) == [str(path)]
