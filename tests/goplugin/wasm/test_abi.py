from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import ConfigError, RemoteProtocolError
from goplugin.wasm import abi
from goplugin.wasm.abi import (
    CALL_SIGNATURE,
    FREE_SIGNATURE,
    MALLOC_SIGNATURE,
    VERSION_SIGNATURE,
    ServiceSpec,
    Signature,
)
from goplugin.wasm.errors import MissingExportError, VersionMismatchError
from tests.support import requirement

GREETER = ServiceSpec("Greeter", 1, ("SayHello",))
EXPORTS = {
    "greeter_api_version": VERSION_SIGNATURE,
    "greeter_say_hello": CALL_SIGNATURE,
    "malloc": MALLOC_SIGNATURE,
    "free": FREE_SIGNATURE,
}
U32 = st.integers(0, 2**32 - 1)
SIZES = st.integers(0, 2**31 - 1)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)


def without(name: str) -> dict[str, Signature]:
    return {export: signature for export, signature in EXPORTS.items() if export != name}


# --- Results ---


@given(U32, SIZES, st.booleans())
def test_what_is_packed_is_what_is_unpacked(pointer: int, size: int, failed: bool) -> None:
    value = abi.pack(pointer, size, failed=failed)

    assert -(2**63) <= value < 2**63
    assert abi.unpack(value) == (pointer, size, failed)


@given(st.integers(-(2**63), 2**64 - 1))
def test_any_64_bits_are_a_result_signed_or_not(value: int) -> None:
    result = abi.unpack(value)

    assert abi.pack(*result[:2], failed=result.failed) & (2**64 - 1) == value & (2**64 - 1)
    assert abi.unpack(value & (2**64 - 1)) == result


def test_zero_is_an_empty_message() -> None:
    assert abi.unpack(0) == (0, 0, False)


def test_an_error_may_have_no_text() -> None:
    assert abi.unpack(1 << 31) == (0, 0, True)


def test_a_message_has_less_than_2_gib() -> None:
    abi.pack(0, 2**31 - 1)

    with pytest.raises(ConfigError, match="a message of 2147483648 bytes: the contract ends at 2 GiB"):
        abi.pack(0, 2**31)


@given(U32, SIZES, st.integers(0, 2**33))
def test_a_range_lies_in_memory_or_is_refused(pointer: int, size: int, memory_size: int) -> None:
    if pointer + size <= memory_size:
        abi.check_range("Read", pointer, size, memory_size)
    else:
        with pytest.raises(RemoteProtocolError) as caught:
            abi.check_range("Read", pointer, size, memory_size)
        assert str(caught.value) == f"Memory.Read({pointer}, {size}) out of range of memory size {memory_size}"


# --- Names ---


@pytest.mark.parametrize(
    ("service", "method", "export"),
    [
        ("Greeter", "SayHello", "greeter_say_hello"),
        ("FileCat", "Cat", "file_cat_cat"),
        ("HTTPProbeV2", "Exit0", "http_probe_v2_exit0"),
        ("A", "S", "as"),
        ("FieldTest", "TestEmptyInput", "field_test_test_empty_input"),
        ("greeter", "say_hello", "greeter_say_hello"),
        ("Foo", "BarBaz", "foo_bar_baz"),
        ("FooBar", "Baz", "foo_bar_baz"),
    ],
)
def test_a_method_is_exported_under_both_names_run_together(service: str, method: str, export: str) -> None:
    assert abi.export_name(service, method) == export


@pytest.mark.parametrize(
    ("service", "export"),
    [
        ("Greeter", "greeter_api_version"),
        ("HTTPProbeV2", "http_probe_v2_api_version"),
        ("my_svc2X", "my_svc2_x_api_version"),
    ],
)
def test_the_version_has_the_name_of_the_service(service: str, export: str) -> None:
    assert abi.version_export(service) == export


def test_a_function_of_the_host_has_the_name_of_the_method_alone() -> None:
    assert abi.host_import_name("HttpGet") == "http_get"
    assert abi.host_import_name("ParseJSON") == "parse_json"


@pytest.mark.parametrize(
    ("name", "go_name"),
    [
        ("lower_case_method", "LowerCaseMethod"),
        ("_x", "XX"),
        ("_", "X"),
        ("__x", "XX"),
        ("a_B", "A_B"),
        ("a_", "A_"),
        ("a_1b", "A_1B"),
        ("v2beta", "V2Beta"),
        ("fooBar", "FooBar"),
    ],
)
def test_go_has_names_of_its_own(name: str, go_name: str) -> None:
    assert abi.go_name(name) == go_name


def camel_case(name: str) -> str:
    """protogen's rule, letter by letter."""
    out = ""
    position = 0
    while position < len(name):
        letter, following = name[position], name[position + 1 : position + 2]
        if letter == "_" and position == 0:
            out += "X"
        elif letter == "_" and following.islower():
            pass
        elif letter.isdigit():
            out += letter
        else:
            out += letter.upper()
            while name[position + 1 : position + 2].islower():
                position += 1
                out += name[position]
        position += 1
    return out


@given(NAMES)
def test_go_names_follow_the_rule_for_any_identifier(name: str) -> None:
    assert abi.go_name(name) == camel_case(name)


@given(NAMES, NAMES)
def test_exports_follow_the_two_patterns_for_any_identifiers(service: str, method: str) -> None:
    text = camel_case(service) + camel_case(method)
    text = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", text)

    assert abi.export_name(service, method) == re.sub("([a-z0-9])([A-Z])", r"\1_\2", text).lower()


# --- Loading ---


@requirement("wa.version")
def test_another_version_is_refused_in_upstreams_words() -> None:
    abi.check_version(GREETER, 1)

    with pytest.raises(VersionMismatchError) as caught:
        abi.check_version(ServiceSpec("Greeter", 2), 1)
    assert str(caught.value) == "API version mismatch, host: 2, plugin: 1"
    assert (caught.value.host, caught.value.plugin) == (2, 1)


def test_versions_are_unsigned() -> None:
    with pytest.raises(VersionMismatchError, match=r"^API version mismatch, host: 1, plugin: 18446744073709551615$"):
        abi.check_version(GREETER, -1)


@requirement("wa.version")
def test_a_plugin_without_a_version_is_none() -> None:
    assert abi.check_version_export(GREETER, EXPORTS) == "greeter_api_version"

    with pytest.raises(MissingExportError, match=r"^greeter_api_version is not exported$") as caught:
        abi.check_version_export(GREETER, without("greeter_api_version"))
    assert caught.value.name == "greeter_api_version"


@pytest.mark.parametrize("signature", [Signature((), ()), Signature((), ("i64", "i64")), Signature((), ("i32",))])
def test_a_version_is_one_number(signature: Signature) -> None:
    with pytest.raises(MissingExportError, match=r"^invalid greeter_api_version signature"):
        abi.check_version_export(GREETER, EXPORTS | {"greeter_api_version": signature})


@pytest.mark.parametrize("name", ["greeter_say_hello", "malloc", "free"])
def test_methods_and_memory_have_to_be_there(name: str) -> None:
    abi.check_exports(GREETER, EXPORTS)

    with pytest.raises(MissingExportError, match=f"^{name} is not exported$"):
        abi.check_exports(GREETER, without(name))


@pytest.mark.parametrize("name", ["greeter_say_hello", "malloc", "free"])
@pytest.mark.parametrize("lazy", [False, True])
def test_methods_and_memory_have_their_types(name: str, lazy: bool) -> None:
    with pytest.raises(MissingExportError, match=rf"^invalid {name} signature: \(f64\) -> \(\), not \("):
        abi.check_exports(GREETER._replace(lazy=lazy), EXPORTS | {name: Signature(("f64",), ())})


def test_a_lazy_service_may_lack_methods() -> None:
    abi.check_exports(GREETER._replace(lazy=True), without("greeter_say_hello"))

    with pytest.raises(MissingExportError):
        abi.check_exports(GREETER._replace(lazy=True), without("malloc"))


@requirement("wa.old")
@pytest.mark.parametrize(
    ("exports", "start"),
    [
        (["malloc", "_initialize", "_start"], "_initialize"),
        (["_start", "malloc"], "_start"),
        (["malloc"], None),
    ],
)
def test_what_runs_first_depends_on_the_toolchain(exports: list[str], start: str | None) -> None:
    assert abi.start_function(exports) == start


@pytest.mark.parametrize(
    ("language", "owns"), [(("Go",), True), (("TinyGo",), True), (("C11", "Go"), True), (("Rust",), False), ((), False)]
)
def test_the_host_frees_its_responses_for_the_sdks_that_forget_them(language: tuple[str, ...], owns: bool) -> None:
    assert abi.owns_host_responses({"language": language, "processed-by": ("Go",)}) is owns
    assert abi.owns_host_responses({}) is False
