"""The go-plugin protocol without I/O: bytes, text and mappings in, events and bytes out.

Nothing below this package opens a socket, starts a process, reads a clock or looks at the environment; the caller
passes all of these in. It imports the standard library only.
"""
