from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsbridge.contract import ExportKind, ExportSpec, MethodSpec, ModuleManifest
from jsbridge.manifest import ManifestError, validate_manifest
from tests.support import requirement

FUNCTION = ExportSpec("greet", ExportKind.FUNCTION)
OBJECT = ExportSpec("math", ExportKind.OBJECT, method_specs=(MethodSpec("add"),))
GOOD = ModuleManifest("plugin:echo", "v1", (FUNCTION, OBJECT))


def manifest(*exports: ExportSpec, name: str = "plugin:m") -> ModuleManifest:
    return ModuleManifest(name, exports=exports)


def test_functions_and_objects_are_fine() -> None:
    validate_manifest(GOOD)
    validate_manifest(GOOD, namespace="plugin:", allow=["plugin:other", " plugin:echo "])


@pytest.mark.parametrize(
    "accepted",
    [
        manifest(),
        manifest(name="plugin:"),
        manifest(name=" plugin:padded "),
        manifest(name="plugin:a//b"),
        manifest(ExportSpec("__proto__", ExportKind.FUNCTION), ExportSpec("weird name-1", ExportKind.FUNCTION)),
        manifest(ExportSpec("A", ExportKind.FUNCTION), ExportSpec("a", ExportKind.FUNCTION)),
        manifest(OBJECT, OBJECT._replace(name="other")),
    ],
)
def test_names_are_otherwise_free(accepted: ModuleManifest) -> None:
    validate_manifest(accepted)


@requirement("jm.manifest.validate")
@pytest.mark.parametrize(
    ("rejected", "text"),
    [
        (None, "plugin manifest is nil"),
        (manifest(name=""), "plugin manifest module name is empty"),
        (manifest(name=" \n"), "plugin manifest module name is empty"),
        (manifest(name="echo"), 'plugin module "echo" must use namespace "plugin:"'),
        (manifest(name="Plugin:echo"), 'plugin module "Plugin:echo" must use namespace "plugin:"'),
        (manifest(name="plugin:other"), 'plugin module "plugin:other" is not in the allowlist'),
        (manifest(ExportSpec("", 1)), 'plugin module "plugin:m" has an export with empty name'),
        (manifest(ExportSpec(" ", 1)), 'plugin module "plugin:m" has an export with empty name'),
        (manifest(FUNCTION, OBJECT, FUNCTION), 'plugin module "plugin:m" has duplicate export "greet"'),
        (manifest(FUNCTION, ExportSpec(" greet ", 1)), 'plugin module "plugin:m" has duplicate export "greet"'),
        (manifest(ExportSpec("x")), 'plugin module "plugin:m" export "x" has unspecified kind'),
        (manifest(ExportSpec("x", 3)), 'plugin module "plugin:m" export "x" has unsupported kind "3"'),
        (manifest(ExportSpec("x", -1)), 'plugin module "plugin:m" export "x" has unsupported kind "-1"'),
        (manifest(OBJECT._replace(kind=1)), 'function export "math" in module "plugin:m" must not define methods'),
        (manifest(FUNCTION._replace(kind=2)), 'object export "greet" in module "plugin:m" must define methods'),
        (
            manifest(OBJECT._replace(method_specs=(MethodSpec("\t"),))),
            'object export "math" in module "plugin:m" has an empty method name',
        ),
        (
            manifest(OBJECT._replace(method_specs=(MethodSpec("add"), MethodSpec("add ")))),
            'object export "math" in module "plugin:m" has duplicate method "add"',
        ),
        (manifest(name='echo "é"\n\x01'), r'plugin module "echo \"é\"\n\x01" must use namespace "plugin:"'),
    ],
)
def test_every_fault_has_its_text(rejected: ModuleManifest | None, text: str) -> None:
    with pytest.raises(ManifestError) as caught:
        validate_manifest(rejected, allow=["plugin:m"])

    assert str(caught.value) == text


@requirement("jm.manifest.validate")
def test_the_first_fault_is_the_one_reported() -> None:
    faulty = ModuleManifest("", exports=(ExportSpec("", 9), ExportSpec("x"), ExportSpec("x", 1, "", (MethodSpec(""),))))
    repairs = [
        ("module name is empty", faulty._replace(module_name="echo")),
        ("must use namespace", faulty._replace(module_name="plugin:echo")),
        ("is not in the allowlist", faulty._replace(module_name="plugin:m")),
        ("an export with empty name", manifest(ExportSpec("x", 9), *faulty.exports[1:])),
        ('export "x" has unsupported kind "9"', manifest(ExportSpec("x", 1), *faulty.exports[1:])),
        ('duplicate export "x"', manifest(*faulty.exports[1:2], ExportSpec("y", 1, "", (MethodSpec(""),)))),
        ('export "x" has unspecified kind', manifest(ExportSpec("y", 1, "", (MethodSpec(""),)))),
        ("must not define methods", manifest(ExportSpec("y", 2, "", (MethodSpec(""),)))),
        ("has an empty method name", manifest(ExportSpec("y", 2, "", (MethodSpec("m"),)))),
    ]
    for text, repaired in repairs:
        with pytest.raises(ManifestError, match=text):
            validate_manifest(faulty, allow=["plugin:m"])
        faulty = repaired
    validate_manifest(faulty, allow=["plugin:m"])


@requirement("jm.namespace")
def test_the_namespace_is_a_prefix_of_the_trimmed_name() -> None:
    validate_manifest(manifest(name=" tools:x"), namespace="tools:")
    with pytest.raises(ManifestError, match='must use namespace "tools:"'):
        validate_manifest(manifest(), namespace="tools:")


def test_an_empty_allowlist_allows_everything() -> None:
    validate_manifest(GOOD, allow=())
    with pytest.raises(ManifestError, match="not in the allowlist"):
        validate_manifest(GOOD, allow=["plugin:ech", "plugin:echo2"])


NAMES = st.sampled_from(["", " ", "a", "b", " a"]) | st.text(max_size=3)
EXPORTS = st.builds(
    ExportSpec, NAMES, st.integers(-1, 3), st.just(""), st.lists(st.builds(MethodSpec, NAMES), max_size=3).map(tuple)
)


@given(st.lists(EXPORTS, max_size=3))
def test_what_passes_can_be_registered(exports: list[ExportSpec]) -> None:
    try:
        validate_manifest(manifest(*exports))
    except ManifestError:
        return
    names = [export.name.strip() for export in exports]
    assert all(names)
    assert len(names) == len(set(names))
    for export in exports:
        methods = [method.name.strip() for method in export.method_specs]
        assert bool(methods) == (export.kind == ExportKind.OBJECT)
        assert all(methods)
        assert len(methods) == len(set(methods))
