from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.wasm.codegen.annotations import HOST, PLUGIN, Annotation, documentation, read_annotation
from goplugin.wasm.codegen.errors import CodegenError


@pytest.mark.parametrize(
    ("comment", "annotation"),
    [
        (" go:plugin type=plugin version=2\n", Annotation(PLUGIN, 2)),
        (" go:plugin type=plugin\n", Annotation(PLUGIN, 1)),
        ("go:plugin type=plugin version=0", Annotation(PLUGIN, 0)),
        (" Says hello.\n\n  go:plugin type=plugin version=3\n more\n", Annotation(PLUGIN, 3)),
        (" go:plugin type=plugin\n go:plugin version=7\n", Annotation(PLUGIN, 7)),
        (" go:plugin type=plugin version=1 version=4\n", Annotation(PLUGIN, 4)),
        (" go:plugin type=host\n", Annotation(HOST, module="env")),
        (" go:plugin type=host module=json-parser\n", Annotation(HOST, module="json-parser")),
        (" go:plugin module=x type=host\n", Annotation(HOST, module="env", ignored=("module=x",))),
        (" go:plugin type=plugin modul=x loose\n", Annotation(PLUGIN, ignored=("modul=x", "loose"))),
        (" go:pluginx type=plugin\n", Annotation(PLUGIN)),
    ],
)
def test_a_comment_says_what_a_service_is(comment: str, annotation: Annotation) -> None:
    assert read_annotation(comment) == annotation


@pytest.mark.parametrize(
    "comment", ["", " A service.\n", " see go:plugin type=plugin\n", " go:plugin\n", " go:plugin version=1\n"]
)
def test_any_other_comment_says_nothing(comment: str) -> None:
    assert read_annotation(comment) is None


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        ("go:plugin type=guest", 'unknown go-plugin type "guest"'),
        ("go:plugin type=", 'unknown go-plugin type ""'),
        ("go:plugin type=plugin version=two", "invalid version: 'two'"),
        ("go:plugin type=plugin version=-1", "invalid version: '-1'"),
        ("go:plugin type=plugin version=1.5", "invalid version: '1.5'"),
        ("go:plugin type=plugin version=٣", "invalid version"),
        ("go:plugin type=plugin version=9223372036854775808", "invalid version"),
    ],
)
def test_what_cannot_be_meant_is_refused(comment: str, text: str) -> None:
    with pytest.raises(CodegenError, match=text):
        read_annotation(comment)


@given(st.text())
def test_any_comment_is_an_annotation_or_nothing_or_refused(comment: str) -> None:
    try:
        annotation = read_annotation("go:plugin " + comment)
    except CodegenError:
        return
    assert annotation is None or annotation.kind in (PLUGIN, HOST)


def test_what_is_for_the_generator_is_not_for_readers() -> None:
    comment = " Greets people.\n\n   Kindly.\n go:plugin type=plugin version=1\n"

    assert documentation(comment) == "Greets people.\n\n  Kindly."
