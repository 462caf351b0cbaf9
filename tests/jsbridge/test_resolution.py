from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jsbridge.resolution import RequireError, find_module, is_path, lookup_paths


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def add(tree: Path, *names: str, **packages: Any) -> None:
    """Make empty files, and the package.json of `node_modules/NAME` for each of `packages`."""
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    for name, package in packages.items():
        directory = tree / "node_modules" / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "package.json").write_text(package if isinstance(package, str) else json.dumps(package))


def found(name: str, directory: Path) -> str | None:
    path = find_module(name, str(directory))
    return None if path is None else path.partition("/node_modules/")[2] or path.removeprefix(f"{directory}/")


@pytest.mark.parametrize("name", ["./x", "../x", "/x", ".", "..", "./", "../../x.js"])
def test_a_name_that_starts_like_a_path_is_one(name: str) -> None:
    assert is_path(name)


@pytest.mark.parametrize("name", ["x", "x/y", "plugin:x", "plugin:./x", ".x", "...", "", "x/../y", "@x/y"])
def test_any_other_name_is_none(name: str) -> None:
    assert not is_path(name)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["x", "x.js"], "x"),
        (["x.js", "x.json"], "x.js"),
        (["x.json", "x/index.js"], "x.json"),
        (["x/index.js", "x/index.json"], "x/index.js"),
        (["x/index.json", "y.js"], "x/index.json"),
    ],
)
def test_the_first_file_in_nodes_order_is_found(tree: Path, files: list[str], expected: str) -> None:
    add(tree, *files)

    assert found("./x", tree) == expected


def test_a_file_is_known_by_its_real_path(tree: Path) -> None:
    add(tree, "real.js")
    (tree / "link.js").symlink_to("real.js")

    assert found("./link", tree) == "real.js"


def test_a_directory_without_an_index_is_not_found(tree: Path) -> None:
    (tree / "x").mkdir()

    assert found("./x", tree) is None


@pytest.mark.parametrize("name", [".", "./", "./.", "../a/", ".."])
def test_a_path_that_ends_like_a_directory_is_one(tree: Path, name: str) -> None:
    add(tree, "a.js", "a/index.js", "a/.js", "index.js")

    assert find_module(name, str(tree / "a")) == str(tree / ("index.js" if name == ".." else "a/index.js"))


def test_an_absolute_path_needs_no_directory(tree: Path) -> None:
    add(tree, "x.js")

    assert find_module(str(tree / "x"), "/nowhere") == str(tree / "x.js")


@pytest.mark.parametrize("name", ["./x\0", "x\0", "\ud800", "", "x" * 300])
def test_a_name_that_no_file_can_have_is_not_found(tree: Path, name: str) -> None:
    (tree / "node_modules").mkdir()

    assert find_module(name, str(tree)) is None


# node_modules


def test_packages_are_looked_for_beside_the_file_and_in_the_directories_above() -> None:
    assert lookup_paths("/a/b") == ["/a/b/node_modules", "/a/node_modules", "/node_modules"]
    assert lookup_paths("/a/node_modules/b") == ["/a/node_modules/b/node_modules", "/a/node_modules", "/node_modules"]


def test_the_nearest_package_is_found(tree: Path) -> None:
    add(tree, "node_modules/x/index.js", "node_modules/y.js", "a/b/main.js", "a/node_modules/x/index.js")

    assert find_module("x", str(tree / "a/b")) == str(tree / "a/node_modules/x/index.js")
    assert find_module("y", str(tree / "a/b")) == str(tree / "node_modules/y.js")
    assert find_module("x", str(tree / "node_modules/z")) == str(tree / "node_modules/x/index.js")


@pytest.mark.parametrize("name", ["x/lib/a", "x/lib/a.js", "@scope/x/a", "x/package.json"])
def test_a_file_of_a_package_is_found_by_its_path(tree: Path, name: str) -> None:
    add(tree, "node_modules/x/lib/a.js", "node_modules/@scope/x/a.js", x={})

    assert found(name, tree) in {"x/lib/a.js", "@scope/x/a.js", "x/package.json"}


@pytest.mark.parametrize(
    ("main", "files", "expected"),
    [
        ("lib/x.js", ["lib/x.js", "index.js"], "lib/x.js"),
        ("./lib/x", ["lib/x.js"], "lib/x.js"),
        ("lib", ["lib/index.js"], "lib/index.js"),
        ("gone.js", ["index.js"], "index.js"),
        ("", ["index.js"], "index.js"),
        (5, ["index.json"], "index.json"),
        (None, ["index.js"], "index.js"),
    ],
)
def test_the_main_file_of_a_package_is_what_it_says(tree: Path, main: Any, files: list[str], expected: str) -> None:
    add(tree, *(f"node_modules/x/{file}" for file in files), x={"main": main})

    assert found("x", tree) == f"x/{expected}"
    assert found("./node_modules/x", tree) == f"x/{expected}"


def test_a_main_file_that_is_not_there_is_an_error(tree: Path) -> None:
    add(tree, x={"main": "gone.js"})

    with pytest.raises(RequireError, match='has a valid "main" entry') as caught:
        find_module("x", str(tree))

    assert caught.value.code == "MODULE_NOT_FOUND"


@pytest.mark.parametrize("text", ["{", "[]", "null", '"x"'])
def test_a_package_json_that_is_none_is_an_error(tree: Path, text: str) -> None:
    add(tree, x=text)

    with pytest.raises(RequireError, match=r"Invalid package config .*/x/package\.json") as caught:
        find_module("x", str(tree))

    assert caught.value.code == "ERR_INVALID_PACKAGE_CONFIG"


# exports


@pytest.mark.parametrize(
    ("exports", "name", "expected"),
    [
        ("./a.js", "x", "a.js"),
        ({".": "./a.js"}, "x", "a.js"),
        ({".": "./b.js", "./a": "./a.js"}, "x/a", "a.js"),
        ({"require": "./a.js", "default": "./b.js"}, "x", "a.js"),
        ({"import": "./b.js", "default": "./a.js"}, "x", "a.js"),
        ({"default": "./a.js", "require": "./b.js"}, "x", "a.js"),
        ({".": {"import": "./b.js", "require": {"types": "./b.js", "default": "./a.js"}}}, "x", "a.js"),
        ({".": [{"import": "./b.js"}, "./a.js"]}, "x", "a.js"),
        ({"./lib/*": "./*.js"}, "x/lib/a", "a.js"),
        ({"./*": "./b.js", "./lib/*.js": "./*.js"}, "x/lib/a.js", "a.js"),
        ({"./*": "./b.js", "./a": "./a.js"}, "x/a", "a.js"),
    ],
)
def test_exports_say_which_file_a_name_means(tree: Path, exports: Any, name: str, expected: str) -> None:
    add(tree, "node_modules/x/a.js", "node_modules/x/b.js", x={"main": "b.js", "exports": exports})

    assert found(name, tree) == f"x/{expected}"


@pytest.mark.parametrize(
    ("exports", "name", "text"),
    [
        ({"./a": "./a.js"}, "x", 'No "exports" main defined in '),
        ({"import": "./a.js"}, "x", 'No "exports" main defined in '),
        ({".": None}, "x", 'No "exports" main defined in '),
        (5, "x", 'No "exports" main defined in '),
        ("./a.js", "x/a.js", "Package subpath './a.js' is not defined by \"exports\" in "),
        ({"./*": "./a.js"}, "x/*", "Cannot find module "),
        ({"./lib/*": None}, "x/lib/a", "Package subpath './lib/a' is not defined"),
    ],
)
def test_what_exports_do_not_name_is_not_offered(tree: Path, exports: Any, name: str, text: str) -> None:
    add(tree, "node_modules/x/index.js", x={"exports": exports})

    with pytest.raises(RequireError, match=text) as caught:
        find_module(name, str(tree))

    assert caught.value.code in {"ERR_PACKAGE_PATH_NOT_EXPORTED", "MODULE_NOT_FOUND"}


@pytest.mark.parametrize("target", ["../y.js", "./../y.js", "/etc/passwd", "y.js", "./node_modules/y.js"])
def test_exports_lead_nowhere_else(tree: Path, target: str) -> None:
    add(tree, "node_modules/y.js", x={"exports": target})

    with pytest.raises(RequireError, match="target") as caught:
        find_module("x", str(tree))

    assert caught.value.code == "ERR_INVALID_PACKAGE_TARGET"


def test_a_star_does_not_lead_out_of_the_package(tree: Path) -> None:
    add(tree, "node_modules/y.js", x={"exports": {"./*": "./lib/*.js"}})

    with pytest.raises(RequireError, match="target"):
        find_module("x/../../y", str(tree))
