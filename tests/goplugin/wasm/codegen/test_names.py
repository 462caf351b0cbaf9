from __future__ import annotations

import ast

import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given
from hypothesis import strategies as st

from goplugin.wasm.codegen.errors import CodegenError
from goplugin.wasm.codegen.names import Names, docstring, file_stem, module_name, python_name


def test_modules_are_named_as_protoc_names_them() -> None:
    assert file_stem("acme/my-plugins/greet.proto") == "acme/my_plugins/greet"
    assert module_name("acme/my-plugins/greet.proto") == "acme.my_plugins.greet_pb2"
    assert file_stem("acme/greet.v1.proto") == "acme/greet/v1"
    assert module_name("acme/greet.v1.proto") == "acme.greet.v1_pb2"


def test_a_name_that_is_taken_gets_an_underscore() -> None:
    assert python_name("SayHello") == "SayHello"
    assert python_name("import") == "import_"
    assert python_name("close", ("close", "load")) == "close_"


@given(st.text(alphabet=st.sampled_from('abc "\\\n\'é')).filter(str.strip))
def test_a_docstring_holds_its_text_whatever_that_is(text: str) -> None:
    text = text.strip()
    module = ast.parse(f"class Doc:\n{docstring(text, '    ')}\n")

    found = ast.get_docstring(module.body[0])
    assert found is not None
    assert [line.strip() for line in found.splitlines()] == [line.strip() for line in text.splitlines()]


def test_types_are_found_where_they_are() -> None:
    names = Names([_file()])

    assert names.reference("acme.Outer.Inner") == "acme.types_pb2.Outer.Inner"
    assert names.reference("acme.Outer.Kind", "acme/types.proto") == "Outer.Kind"
    assert names.reference("acme.Mood", "other.proto") == "acme.types_pb2.Mood"
    with pytest.raises(CodegenError, match=r"acme\.Missing is in none of the files"):
        names.home("acme.Missing")


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="acme/types.proto", package="acme")
    file.enum_type.add(name="Mood")
    outer = file.message_type.add(name="Outer")
    outer.nested_type.add(name="Inner")
    outer.enum_type.add(name="Kind")
    return file
