from __future__ import annotations

from typing import Any

import pytest

from jsbridge.contract import ExportKind, ExportSpec, MethodSpec, ModuleManifest
from jsbridge.dochub import DocHub, Ref
from jsbridge.docsources import help_page, help_source, plugin_source
from jsbridge.registry import ModuleRegistry, RegisteredModule
from tests.support import requirement

KV = ModuleManifest(
    "plugin:kv",
    version="v1",
    doc="Remembers texts.\nIn memory.\n\nFor a while.",
    capabilities=("stateful",),
    exports=(
        ExportSpec("now", ExportKind.FUNCTION, "Tell the time\nof day"),
        ExportSpec(
            "store",
            ExportKind.OBJECT,
            "Keys",
            (
                MethodSpec("get", "Look up", "Look up a text.\n\nOr null.", ("kv", "Lookup")),
                MethodSpec("set", "", "Keep"),
            ),
        ),
    ),
)


def invoke(export: str, method: str, args: list[Any], timeout: float | None) -> None: ...


@pytest.fixture
def registry() -> ModuleRegistry:
    registry = ModuleRegistry()
    registry.add(RegisteredModule(KV, "/plugins/kv", invoke))
    return registry


@pytest.fixture
def hub(registry: ModuleRegistry) -> DocHub:
    return DocHub(plugin_source(lambda: registry))


@requirement("jm.docs-hub")
def test_the_source_of_plugins_is_that_of_go_go_goja(hub: DocHub) -> None:
    (source,) = hub.sources()

    assert source[:4] == ("plugin-manifests", "plugin", "Plugin Manifests", "Runtime-scoped plugin metadata")
    assert source.runtime_scoped


@requirement("jm.docs-hub")
def test_a_module_is_an_entry_that_leads_to_its_exports(hub: DocHub) -> None:
    entry = hub.by_id("plugin-manifests", "plugin-module", "plugin:kv")

    assert entry is not None
    assert entry._asdict() == {
        "ref": Ref("plugin-manifests", "plugin-module", "plugin:kv"),
        "title": "plugin:kv",
        "summary": "Remembers texts.\nIn memory.",
        "body": KV.doc,
        "topics": (),
        "tags": (),
        "path": "/plugins/kv",
        "kind_label": "Plugin Module",
        "related": (
            Ref("plugin-manifests", "plugin-export", "plugin:kv/now"),
            Ref("plugin-manifests", "plugin-export", "plugin:kv/store"),
        ),
        "metadata": {
            "moduleName": "plugin:kv",
            "version": "v1",
            "capabilities": ["stateful"],
            "exportCount": 2,
            "runtimeScoped": True,
        },
    }


@requirement("jm.docs-hub")
def test_an_export_is_an_entry_that_leads_to_its_module_and_methods(hub: DocHub) -> None:
    function = hub.by_id("plugin-manifests", "plugin-export", "plugin:kv/now")
    store = hub.by_id("plugin-manifests", "plugin-export", "plugin:kv/store")

    assert function is not None
    assert (function.title, function.summary, function.body) == ("now", "Tell the time", "Tell the time\nof day")
    assert function.metadata["kind"] == "EXPORT_KIND_FUNCTION"
    assert store is not None
    assert (store.kind_label, store.path) == ("Plugin Export", "/plugins/kv")
    assert store.metadata == {
        "moduleName": "plugin:kv", "exportName": "store", "kind": "EXPORT_KIND_OBJECT", "methodCount": 2,
    }
    assert [ref.id for ref in store.related] == ["plugin:kv", "plugin:kv/store.get", "plugin:kv/store.set"]


@requirement("jm.docs-hub")
def test_a_method_is_an_entry_with_its_tags(hub: DocHub) -> None:
    get = hub.by_id("plugin-manifests", "plugin-method", "plugin:kv/store.get")
    put = hub.by_id("plugin-manifests", "plugin-method", "plugin:kv/store.set")

    assert get is not None
    assert (get.title, get.summary, get.body) == ("store.get", "Look up", "Look up a text.\n\nOr null.")
    assert (get.tags, get.kind_label) == (("kv", "Lookup"), "Plugin Method")
    assert get.metadata == {"moduleName": "plugin:kv", "exportName": "store", "methodName": "get"}
    assert [ref.id for ref in get.related] == ["plugin:kv", "plugin:kv/store"]
    assert put is not None
    assert put.summary == "Keep"
    assert [entry.title for entry in hub.search(tags=["LOOKUP"])] == ["store.get"]


def test_a_module_that_is_registered_later_is_found(hub: DocHub, registry: ModuleRegistry) -> None:
    registry.add(RegisteredModule(ModuleManifest("plugin:later"), "/plugins/later", invoke))

    assert [entry.ref.id for entry in hub.search("later")] == ["plugin:later"]


def test_names_may_have_the_characters_that_an_id_is_made_with() -> None:
    manifest = ModuleManifest("plugin:a/b", exports=(ExportSpec("c.d/e", ExportKind.FUNCTION),))
    hub = DocHub(plugin_source(lambda: [RegisteredModule(manifest, "", invoke)]))

    entry = hub.by_id("plugin-manifests", "plugin-export", "plugin:a/b/c.d/e")

    assert entry is not None
    assert entry.title == "c.d/e"


@requirement("jm.docs-hub")
def test_help_pages_are_a_source_of_their_own() -> None:
    page = help_page("repl-usage", "# Using the REPL\n\nType.\nThen\n\nmore.\n", topics=["repl"])
    hub = DocHub(help_source(lambda: [page, help_page("x", "About x")]))

    assert hub.sources()[0][:3] == ("default-help", "help", "Default Help")
    assert hub.by_slug("default-help", "repl-usage") is page
    assert (page.title, page.summary, page.body[:7]) == ("Using the REPL", "Type.\nThen", "# Using")
    assert (page.topics, page.kind_label, page.metadata) == (("repl",), "Help Section", {"slug": "repl-usage"})
    assert [entry.ref.id for entry in hub.search("about X", kinds=["help-section"])] == ["x"]
