from __future__ import annotations

from pathlib import Path

import pytest

from jsbridge.contract import ExportKind, ExportSpec, MethodSpec, ModuleManifest
from jsbridge.module import find_file, is_path, module_shape, read_source


def test_the_shape_of_a_module_is_its_manifest_in_its_order() -> None:
    manifest = ModuleManifest(
        exports=(
            ExportSpec("zeta", ExportKind.FUNCTION),
            ExportSpec("store", ExportKind.OBJECT, method_specs=(MethodSpec("set"), MethodSpec("get"))),
            ExportSpec("alpha", ExportKind.FUNCTION),
        )
    )

    shape = module_shape(manifest, lambda export, method: f"{export}/{method}")

    assert shape == [
        ("zeta", "zeta/"),
        ("store", [("set", "store/set"), ("get", "store/get")]),
        ("alpha", "alpha/"),
    ]


@pytest.mark.parametrize("name", ["./x", "../x", "/x", ".", "..", "./", "../../x.js"])
def test_a_name_that_starts_like_a_path_is_a_file(name: str) -> None:
    assert is_path(name)


@pytest.mark.parametrize("name", ["x", "x/y", "plugin:x", "plugin:./x", ".x", "...", "", "x/../y"])
def test_any_other_name_is_no_file(name: str) -> None:
    assert not is_path(name)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["x", "x.js"], "x"),
        (["x.js", "x.json"], "x.js"),
        (["x.json", "x/index.js"], "x.json"),
        (["x/index.js", "x/index.json"], "x/index.js"),
        (["x/index.json", "y.js"], "x/index.json"),
    ],
)
def test_the_first_file_in_nodes_order_is_found(tmp_path: Path, files: list[str], found: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert find_file("./x", str(tmp_path)) == str(tmp_path.resolve() / found)


def test_a_file_is_known_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "real.js").touch()
    (tmp_path / "link.js").symlink_to("real.js")

    assert find_file("./link", str(tmp_path)) == str(tmp_path.resolve() / "real.js")


def test_a_directory_without_an_index_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()

    assert find_file("./x", str(tmp_path)) is None


def test_an_absolute_path_needs_no_directory(tmp_path: Path) -> None:
    (tmp_path / "x.js").touch()

    assert find_file(str(tmp_path / "x"), "/nowhere") == str(tmp_path.resolve() / "x.js")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"1\n", "1\n"),
        (b"\xef\xbb\xbf1", "1"),
        (b"#!/usr/bin/env node\n1", "//#!/usr/bin/env node\n1"),
        ("'straße'".encode(), "'straße'"),
        (b"", ""),
    ],
)
def test_a_source_is_utf_8_and_its_interpreter_line_a_comment(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "x.js"
    path.write_bytes(content)

    assert read_source(str(path)) == text


def test_a_source_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.js"
    path.write_bytes(b"\xff")

    with pytest.raises(UnicodeDecodeError):
        read_source(str(path))
