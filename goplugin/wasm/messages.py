"""The messages of generated code: descriptors and classes outside of protobuf's default pool.

That pool is one for the whole process and knows a name once, so two plugins that both call a message
`greeting.GreetRequest`, as upstream's own examples do, could not be used by one host.

Rule 1: files share one pool of ours, so that one file's messages fit into the fields of another.
Rule 2: a file that does not fit in there, because another one has taken its name or a name in it, gets a pool of its
own, with copies of what it imports. The classes of those copies are not those of the imported modules: there a field
takes a mapping instead of a message.
"""
from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.message import Message

__all__ = ["define_file", "enum_type", "message_type"]

# Like the modules of generated code themselves, of which there is one each in a process.
_SHARED: Final = descriptor_pool.DescriptorPool()


def define_file(content: bytes, *imports: FileDescriptor) -> FileDescriptor:
    """The file whose serialized descriptor is `content`; `imports` are those of the files it imports.

    Raises TypeError for a descriptor that is not valid, or lacks an import.
    """
    pools = {file.pool for file in imports} - {descriptor_pool.Default()}
    if len(pools) <= 1:
        with contextlib.suppress(TypeError):
            return _define(pools.pop() if pools else _SHARED, content, imports)
    return _define(descriptor_pool.DescriptorPool(), content, imports)


def message_type(file: FileDescriptor, name: str) -> type[Message]:
    """The class of the message that is `name` in `file`."""
    return message_factory.GetMessageClass(file.message_types_by_name[name])


def enum_type(file: FileDescriptor, name: str) -> EnumTypeWrapper:
    """The enum that is `name` in `file`."""
    return EnumTypeWrapper(file.enum_types_by_name[name])


def _define(
    pool: descriptor_pool.DescriptorPool, content: bytes, imports: tuple[FileDescriptor, ...]
) -> FileDescriptor:
    for file in imports:
        _copy(pool, file)
    return pool.AddSerializedFile(content)


def _copy(pool: descriptor_pool.DescriptorPool, file: FileDescriptor) -> None:
    """See to it that `pool` has `file`. Raises TypeError if it has another one of that name."""
    if file.pool is pool:
        return
    for each in file.dependencies:
        _copy(pool, each)
    pool.AddSerializedFile(file.serialized_pb)
