"""What the author of a JavaScript module writes against.

    module = Module("plugin:demo", version="v1", doc="What the module is for")
    text = module.object("text", doc="Helpers for text")

    @module.function
    def add(a: float, b: float) -> float:
        "Add two numbers."
        return a + b

    @text.method(tags=["text"])
    def repeat(call: Call) -> str:
        "Repeat a text, once if no number is given."
        return call.string(0) * int(call.number(1) if len(call) > 1 else 1)

    if __name__ == "__main__":
        serve_module(module)

Rule 1: a handler is a plain function, of the arguments or of the Call; signature.py has the rules. It returns what
values.py can send, or bytes if its annotation says so (binary.py); what it raises is an error in JavaScript: a
RemoteError with its own code, anything else UNKNOWN.
Rule 2: an export is named after its function, and documented by its docstring, unless told otherwise.
Rule 3: a definition that no host would take is a ConfigError, at the latest when the manifest is asked for.
Rule 4: this module and all it imports is what a plugin loads before its handshake: the standard library, lightly.
Source: go-go-goja pkg/hashiplugin/sdk, for behaviour and texts.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from goplugin.core.environ import go_quote
from goplugin.core.errors import ConfigError, LocalProtocolError, RemoteError
from goplugin.core.status import Code

from .binary import bytes_capability
from .call import ArgumentError, Call, format_number
from .contract import (
    DISPENSE_NAME,
    HANDSHAKE,
    ExportKind,
    ExportSpec,
    InvokeRequest,
    InvokeResponse,
    MethodSpec,
    ModuleManifest,
)
from .manifest import ManifestError, validate_manifest
from .signature import Handler

if TYPE_CHECKING:
    from goplugin.context import CallContext

__all__ = ["ArgumentError", "Call", "Module", "ModuleObject", "format_number", "serve_module"]

_Function = TypeVar("_Function", bound=Callable[..., object])


class Module:
    """A JavaScript module: its definition while the plugin's file is read, its dispatcher from then on.

    `name` is what JavaScript requires and begins with "plugin:". `capabilities` are free words for people and tools.
    Raises ConfigError for a name that no host takes.
    """

    def __init__(self, name: str, *, version: str = "", doc: str = "", capabilities: Iterable[str] = ()) -> None:
        self.name = name.strip()
        self._version = version.strip()
        self._doc = doc.strip()
        self._capabilities = _words(capabilities)
        self._exports: list[ExportSpec | ModuleObject] = []
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._validated(())

    @overload
    def function(self, handler: _Function, /) -> _Function: ...
    @overload
    def function(
        self, /, *, name: str | None = None, doc: str | None = None, returns: type[bytes] | None = None
    ) -> Callable[[_Function], _Function]: ...
    def function(
        self, handler: Any = None, /, *, name: str | None = None, doc: str | None = None, returns: Any = None
    ) -> Any:
        """Export the decorated function.

        `name` is its name in JavaScript, if that is another than in Python; `doc` stands in for the docstring, and
        `returns=bytes` for the annotation `-> bytes`.
        Raises ConfigError for a name that is taken, and for a function that cannot be a handler.
        """

        def define(function: _Function) -> _Function:
            export = _name_of(function, name)
            label = f"sdk function export {go_quote(export)} in module {go_quote(self.name)}"
            self._handlers[export, ""] = Handler(function, label, returns)
            self._add(ExportSpec(export, ExportKind.FUNCTION, _doc_of(function, doc)))
            return function

        return define if handler is None else define(handler)

    def object(self, name: str, *, doc: str = "") -> ModuleObject:
        """Export an object, which must then get methods. Raises ConfigError for a name that is taken."""
        export = ModuleObject(name.strip(), doc.strip(), self.name, self._handlers)
        self._add(export)
        return export

    def manifest(self) -> ModuleManifest:
        """What a host is told about this module: which functions return bytes, too, among the capabilities.

        Raises ConfigError if no host would take it: an object has no methods, for example.
        """
        return self._validated(
            tuple(export.spec() if isinstance(export, ModuleObject) else export for export in self._exports)
        )

    def invoke(self, request: InvokeRequest, context: CallContext | None = None) -> InvokeResponse:
        """Run the handler that `request` names; `context` is for those that ask their Call for it.

        Raises RemoteError, and nothing else: with the code of the RemoteError that the handler raised, or UNKNOWN.
        Calls may come from several threads at a time; how they share the author's data is the author's business.
        """
        export, method = request.export_name.strip(), request.method_name.strip()
        handler = self._handlers.get((export, method))
        if handler is None:
            raise _unknown(f"sdk invoke: unsupported export {go_quote(export)} method {go_quote(method)}")
        try:
            return _answer(handler, Call(export, method, request.args, context))
        except RemoteError:
            raise
        except Exception as error:  # the border to the author's code, where anything may come
            import logging  # not before something has failed: a plugin's start is on the clock

            logging.getLogger(self.name).debug("%s failed", f"{export}.{method}".rstrip("."), exc_info=True)
            raise _unknown(str(error) or type(error).__name__) from error

    def _add(self, export: ExportSpec | ModuleObject) -> None:
        """Take `export`, and check the names so far; methods are checked when all are there."""
        self._exports.append(export)
        self._validated(tuple(ExportSpec(export.name, ExportKind.FUNCTION) for export in self._exports))

    def _validated(self, exports: tuple[ExportSpec, ...]) -> ModuleManifest:
        binary = [bytes_capability(*names) for names, handler in self._handlers.items() if handler.returns_bytes]
        capabilities = (*self._capabilities, *binary)
        manifest = ModuleManifest(self.name, self._version, exports, capabilities, self._doc)
        try:
            validate_manifest(manifest)
        except ManifestError as error:
            raise ConfigError(f"sdk module definition invalid: {error}") from error
        return manifest


class ModuleObject:
    """An exported object; made by `Module.object`."""

    def __init__(self, name: str, doc: str, module_name: str, handlers: dict[tuple[str, str], Handler]) -> None:
        self.name = name
        self._doc = doc
        self._module_name = module_name
        self._handlers = handlers
        self._methods: dict[str, MethodSpec] = {}

    @overload
    def method(self, handler: _Function, /) -> _Function: ...
    @overload
    def method(
        self,
        /,
        *,
        name: str | None = None,
        summary: str | None = None,
        doc: str | None = None,
        tags: Iterable[str] = (),
        returns: type[bytes] | None = None,
    ) -> Callable[[_Function], _Function]: ...
    def method(
        self,
        handler: Any = None,
        /,
        *,
        name: str | None = None,
        summary: str | None = None,
        doc: str | None = None,
        tags: Iterable[str] = (),
        returns: Any = None,
    ) -> Any:
        """Make the decorated function a method of this object.

        `name` is its name in JavaScript, if that is another than in Python; `doc` stands in for the docstring, and
        `summary` for the first paragraph of that. `tags` are free words to find it by. `returns=bytes` stands in for
        the annotation `-> bytes`.
        Raises ConfigError for a name that is taken, and for a function that cannot be a handler.
        """

        def define(function: _Function) -> _Function:
            method = _name_of(function, name)
            if method in self._methods:
                raise ConfigError(f"sdk object method {go_quote(method)} is duplicated")
            owner = f"export {go_quote(self.name)} module {go_quote(self._module_name)}"
            label = f"sdk method {go_quote(method)} in {owner}"
            self._handlers[self.name, method] = Handler(function, label, returns)
            text = _doc_of(function, doc)
            short = " ".join(text.partition("\n\n")[0].split()) if summary is None else summary.strip()
            self._methods[method] = MethodSpec(method, short, text, _words(tags))
            return function

        return define if handler is None else define(handler)

    def spec(self) -> ExportSpec:
        """This object as a part of the manifest."""
        return ExportSpec(self.name, ExportKind.OBJECT, self._doc, tuple(self._methods.values()))


def serve_module(module: Module) -> None:
    """Serve `module` to the host that launched this process; returns when the host is done with it.

    Raises ConfigError for a module that no host would take, and exits with a message if no host launched the process.
    """
    from goplugin.server import ServeConfig, serve

    from .plugin import JSModulePlugin

    module.manifest()
    plugins = {DISPENSE_NAME: JSModulePlugin(module)}
    serve(ServeConfig(handshake=HANDSHAKE, versioned_plugins={HANDSHAKE.protocol_version: plugins}))


class _Answer(InvokeResponse):
    """A response that is encoded when its handler returns: what is wrong with the result shows in `invoke`, and what
    another call changes in it afterwards does not travel."""

    __slots__ = ("encoded",)

    encoded: bytes

    def SerializeToString(self) -> bytes:
        return self.encoded


def _answer(handler: Handler, call: Call) -> InvokeResponse:
    answer = _Answer(handler(call))
    try:
        answer.encoded = InvokeResponse.SerializeToString(answer)
    except LocalProtocolError as error:
        names = f"{go_quote(call.export_name)}/{go_quote(call.method_name)}"
        raise _unknown(f"sdk invoke {names}: sdk encode result: {error}") from error
    return answer


def _unknown(text: str) -> RemoteError:
    return RemoteError(Code.UNKNOWN, text)


def _name_of(function: Callable[..., object], name: str | None) -> str:
    return str(getattr(function, "__name__", "")).strip() if name is None else name.strip()


def _doc_of(function: Callable[..., object], doc: str | None) -> str:
    """`doc`, or else the docstring without the indentation it has in the source."""
    if doc is not None:
        return doc.strip()
    first, *others = (function.__doc__ or "").strip().expandtabs().splitlines() or [""]
    margin = min((len(line) - len(line.lstrip()) for line in others if line.strip()), default=0)
    return "\n".join([first, *(line[margin:].rstrip() for line in others)])


def _words(words: Iterable[str]) -> tuple[str, ...]:
    """`words` trimmed, each once, blank ones dropped; a lone text is one word."""
    listed = [words] if isinstance(words, str) else words
    return tuple(dict.fromkeys(word.strip() for word in listed if word.strip()))
