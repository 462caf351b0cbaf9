from __future__ import annotations

from pathlib import Path

import pytest

from jsbridge.contract import ExportKind, ExportSpec, MethodSpec, ModuleManifest
from jsbridge.module import module_shape, read_source


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
