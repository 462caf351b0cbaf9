"""What kind of executable a file is, from its first bytes.

Rule 1: everything that is recognised has its machine in the words of Go's debug/elf, debug/macho and debug/pe.
Rule 2: a file that is cut off, or none of these, is None: this is for explanations, and a guess explains nothing.
Source: the ELF and PE specifications, Apple's mach-o/loader.h and fat.h, execve(2); go-plugin's notes about a command
for the names of PE machines.
"""
from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = ["HEAD_SIZE", "Binary", "Script", "recognize"]

HEAD_SIZE = 4096
"""Bytes at the start of a file that are enough for any answer."""

_ELF_MACHINES = {
    2: "EM_SPARC", 3: "EM_386", 8: "EM_MIPS", 20: "EM_PPC", 21: "EM_PPC64", 22: "EM_S390", 40: "EM_ARM",
    43: "EM_SPARCV9", 50: "EM_IA_64", 62: "EM_X86_64", 183: "EM_AARCH64", 243: "EM_RISCV", 258: "EM_LOONGARCH",
}
_MACHO_CPUS = {
    7: "Cpu386", 12: "CpuArm", 18: "CpuPpc",
    0x0100_0007: "CpuAmd64", 0x0100_000C: "CpuArm64", 0x0100_0012: "CpuPpc64",
}
_PE_MACHINES = {0x14C: "386", 0x1C0: "arm", 0x6264: "loong64", 0x8664: "amd64", 0xAA64: "arm64"}
_MACHO_ORDERS = {
    b"\xfe\xed\xfa\xce": ">", b"\xfe\xed\xfa\xcf": ">", b"\xce\xfa\xed\xfe": "<", b"\xcf\xfa\xed\xfe": "<",
}
# Java's class files begin with the same four bytes as a universal binary, and have their version, 45 at the least,
# where that has the number of its architectures.
_MOST_ARCHITECTURES = 44


class Binary(NamedTuple):
    """Machine code. `kind` is ELF, MachO or PE; `machine` such as EM_X86_64, of a universal binary several."""

    kind: str
    machine: str


class Script(NamedTuple):
    """Text for an interpreter. `argument` is what the system gives it before the file's name; "" for nothing."""

    interpreter: str
    argument: str


def recognize(head: bytes) -> Binary | Script | None:
    """What a file is that begins with `head`, its first HEAD_SIZE bytes."""
    if head.startswith(b"#!"):
        return _script(head)
    try:
        return _elf(head) or _macho(head) or _universal(head) or _pe(head)
    except struct.error:
        return None


def _script(head: bytes) -> Script | None:
    # The kernel ends the interpreter's name at a blank or a tab, and at nothing else: a carriage return belongs to it.
    line = head[2:].partition(b"\n")[0].decode("utf-8", "surrogateescape").strip(" \t").replace("\t", " ")
    interpreter, _, argument = line.partition(" ")
    return Script(interpreter, argument.lstrip(" ")) if interpreter else None


def _elf(head: bytes) -> Binary | None:
    order = {1: "<", 2: ">"}.get(head[5] if len(head) > 5 else 0)
    if not head.startswith(b"\x7fELF") or order is None:
        return None
    [machine] = struct.unpack_from(f"{order}H", head, 18)
    return Binary("ELF", _ELF_MACHINES.get(machine, str(machine)))


def _macho(head: bytes) -> Binary | None:
    order = _MACHO_ORDERS.get(head[:4])
    if order is None:
        return None
    [cpu] = struct.unpack_from(f"{order}I", head, 4)
    return Binary("MachO", _cpu_name(cpu))


def _universal(head: bytes) -> Binary | None:
    magic, count = struct.unpack_from(">II", head)
    if magic != 0xCAFE_BABE or not 0 < count <= _MOST_ARCHITECTURES:
        return None
    cpus = [struct.unpack_from(">I", head, 8 + 20 * index)[0] for index in range(count)]
    return Binary("MachO", " ".join(map(_cpu_name, cpus)))


def _cpu_name(cpu: int) -> str:
    return _MACHO_CPUS.get(cpu, str(cpu))


def _pe(head: bytes) -> Binary | None:
    if not head.startswith(b"MZ"):
        return None
    [start] = struct.unpack_from("<I", head, 0x3C)
    signature, machine = struct.unpack_from("<4sH", head, start)
    return Binary("PE", _PE_MACHINES.get(machine, "unknown")) if signature == b"PE\0\0" else None
