"""What the generator refuses."""
from __future__ import annotations

from ...core.errors import ConfigError

__all__ = ["CodegenError"]


class CodegenError(ConfigError):
    """A .proto file, or an option, from which no code can be made; protoc shows the text."""
