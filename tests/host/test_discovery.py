from __future__ import annotations

import os
from pathlib import Path

import pytest

from host.discovery import Discovery, Skipped, discover, plugin_directories
from host.errors import PolicyError
from tests.support import requirement


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def root(home: Path) -> Path:
    """The default tree's root."""
    directory = home / ".go-go-goja" / "plugins"
    directory.mkdir(parents=True)
    return directory


def add(directory: Path, name: str, mode: int = 0o755) -> str:
    """An empty file; returns its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.touch()
    path.chmod(mode)
    return str(path)


# --- directories -----------------------------------------------------------------------------------------------------


@requirement("jm.discovery.default")
def test_the_default_is_the_whole_tree_below_the_root_in_order(root: Path) -> None:
    for name in ("b", "a/deeper", "a"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "file").touch()

    assert plugin_directories() == tuple(str(root / name) for name in ("", "a", "a/deeper", "b"))


@requirement("jm.discovery.default")
def test_links_to_directories_are_not_followed_by_default(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "below").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path / "elsewhere")

    assert plugin_directories() == (str(root),)


def test_a_default_root_that_is_itself_a_link_has_no_directories(home: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (home / ".go-go-goja").mkdir()
    (home / ".go-go-goja" / "plugins").symlink_to(tmp_path / "elsewhere")

    assert plugin_directories() == ()


@pytest.mark.parametrize("is_file", [True, False])
def test_a_default_root_that_is_no_directory_has_no_directories(home: Path, is_file: bool) -> None:
    if is_file:
        add(home / ".go-go-goja", "plugins")

    assert plugin_directories() == ()


@requirement("jm.discovery.flags")
def test_explicit_directories_replace_the_default_tree(root: Path) -> None:
    assert plugin_directories(["/some/where"]) == ("/some/where",)


@requirement("jm.discovery.flags")
def test_explicit_directories_are_trimmed_cleaned_unique_and_sorted(home: Path) -> None:
    assert plugin_directories(["/b/", " /a/x/.. ", "", "/b"]) == ("/a", "/b")


def test_blank_directories_count_as_none(root: Path) -> None:
    assert plugin_directories(["", "  "]) == (str(root),)


@requirement("jm.discovery.flags")
@pytest.mark.parametrize(("text", "expanded"), [("~", ""), ("~/plugins", "plugins"), ("~/a/../b", "b")])
def test_a_tilde_is_the_home_directory(home: Path, text: str, expanded: str) -> None:
    assert plugin_directories([text]) == (str(home / expanded),)


def test_other_peoples_homes_are_not_expanded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)

    assert plugin_directories(["~root/x"]) == (str(home / "~root" / "x"),)


def test_relative_directories_become_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)

    assert plugin_directories(["plugins"]) == (str(home / "plugins"),)


# --- candidates ------------------------------------------------------------------------------------------------------


@requirement("jm.discovery.pattern")
def test_candidates_are_the_files_that_match_the_pattern_in_order(tmp_path: Path) -> None:
    for name in ("goja-plugin", "plugin-x", ".goja-plugin-hidden", "Goja-plugin-x", "x-goja-plugin-x"):
        add(tmp_path / "a", name)
    expected = [
        add(tmp_path / "a", "goja-plugin-"),
        add(tmp_path / "a", "goja-plugin-x"),
        add(tmp_path / "b", "goja-plugin-a"),
    ]

    found = discover([str(tmp_path / "b"), str(tmp_path / "a")])

    assert found.candidates == tuple(expected)
    assert found.skipped == ()


@requirement("jm.discovery.pattern")
@pytest.mark.parametrize("name", ["goja-plugin-x~", "goja-plugin-x.bak", "goja-plugin-x.orig", "#goja-plugin-x#"])
def test_what_an_editor_keeps_is_skipped_and_said(tmp_path: Path, name: str) -> None:
    path = add(tmp_path, name)
    reason = f'plugin candidate "{path}" is an editor\'s backup'

    assert discover([str(tmp_path)]) == Discovery((str(tmp_path),), (), (Skipped(path, reason),))
    with pytest.raises(PolicyError, match="editor's backup"):
        discover([str(tmp_path)], strict=True)


def test_explicit_directories_are_not_searched_below(tmp_path: Path) -> None:
    add(tmp_path / "below", "goja-plugin-x")

    assert discover([str(tmp_path)]).candidates == ()


@pytest.mark.parametrize("name", ["glob[1]", "a*b", "what?", "{a,b}", "new\nline"])
def test_a_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = add(tmp_path / name, "goja-plugin-x")

    assert discover([str(tmp_path / name)]).candidates == (path,)


def test_a_directory_that_is_missing_or_a_file_has_no_candidates(tmp_path: Path) -> None:
    path = add(tmp_path, "file")

    found = discover([path, str(tmp_path / "missing")])

    assert (found.candidates, found.skipped) == ((), ())


def test_two_links_to_one_file_are_two_candidates(tmp_path: Path) -> None:
    target = add(tmp_path, "program")
    for name in ("goja-plugin-a", "goja-plugin-b"):
        (tmp_path / name).symlink_to(target)

    assert discover([str(tmp_path)]).candidates == (str(tmp_path / "goja-plugin-a"), str(tmp_path / "goja-plugin-b"))


def test_one_executable_bit_is_enough(tmp_path: Path) -> None:
    path = add(tmp_path, "goja-plugin-x", mode=0o641)

    assert discover([str(tmp_path)]).candidates == (path,)


def unusable(directory: Path, kind: str) -> Skipped:
    """Something that matches the pattern and cannot be a plugin, with the reason to expect."""
    path = directory / "goja-plugin-bad"
    if kind == "file":
        add(directory, path.name, mode=0o644)
        return Skipped(str(path), f'plugin candidate "{path}" is not executable')
    if kind == "link":
        path.symlink_to(directory / "nowhere")
        return Skipped(str(path), f'stat plugin candidate "{path}": stat {path}: no such file or directory')
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    return Skipped(str(path), f'plugin candidate "{path}" is not a regular file')


@requirement("jm.discovery.pattern")
@pytest.mark.parametrize("kind", ["file", "link", "fifo", "directory"])
def test_what_cannot_run_is_skipped_with_the_reason(tmp_path: Path, kind: str) -> None:
    skipped = unusable(tmp_path, kind)
    good = add(tmp_path, "goja-plugin-good")

    found = discover([str(tmp_path)])

    assert (found.candidates, found.skipped) == ((good,), (skipped,))


@pytest.mark.parametrize("kind", ["file", "link", "fifo", "directory"])
def test_strictly_what_cannot_run_is_an_error(tmp_path: Path, kind: str) -> None:
    skipped = unusable(tmp_path, kind)
    add(tmp_path, "goja-plugin-good")

    with pytest.raises(PolicyError) as caught:
        discover([str(tmp_path)], strict=True)

    assert str(caught.value) == skipped.reason


def test_the_reason_quotes_the_path_as_go_does(tmp_path: Path) -> None:
    path = add(tmp_path, 'goja-plugin-"x"\n', mode=0o600)
    quoted = path.replace('"', '\\"').replace("\n", "\\n")

    assert discover([str(tmp_path)]).skipped == (Skipped(path, f'plugin candidate "{quoted}" is not executable'),)
