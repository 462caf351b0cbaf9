"""A program over generated code, for pyright to read; the tests run it as well."""
from __future__ import annotations

import kinds_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from kinds import mood_pb2
from kinds_plugin import Helpers, Kinds, KindsPlugin, KindsPluginAPIVersion

__all__ = ["Doubler", "everything", "load"]


class Doubler(Helpers):
    def Double(self, request: kinds_pb2.All) -> kinds_pb2.All:
        return kinds_pb2.All(int=request.int * 2)

    def Nothing(self) -> None:
        pass


def everything() -> kinds_pb2.All:
    message = kinds_pb2.All(str="x", moods=["HAPPY", mood_pb2.HAPPY], message={"kind": "None"}, b={"names": {1: "one"}})
    message.mood = mood_pb2.Mood.HAPPY
    message.messages["k"].more.add(kind=kinds_pb2.All.Message.KIND_UNSPECIFIED)
    message.when.FromSeconds(60)
    message.extra.update({"a": [1, None, "x"]})
    message.mask.paths.append("int")
    message.api.methods.add(name="Echo", request_streaming=True)
    message.method.CopyFrom(message.api.methods[0])
    message.mixin.root = "/v1"
    message.explicit = 0
    getattr(message, "from").append(0.5)
    return message


def load(source: bytes) -> tuple[kinds_pb2.All, Timestamp, int]:
    with KindsPlugin.load(source, Doubler()) as plugin:
        kinds: Kinds = plugin
        kinds.Reset()
        plugin.import_(kinds_pb2.All())
        return kinds.Echo(everything()), plugin.Now(Timestamp(seconds=1), timeout=10.0), KindsPluginAPIVersion
