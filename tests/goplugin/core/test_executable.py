from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.executable import HEAD_SIZE, Binary, Script, recognize


def elf(machine: int, *, order: str = "<") -> bytes:
    identity = b"\x7fELF\x02" + (b"\x01" if order == "<" else b"\x02") + bytes(10)
    return identity + struct.pack(f"{order}HH", 2, machine)


def macho(cpu: int, *, order: str = "<", bits: int = 64) -> bytes:
    return struct.pack(f"{order}II", 0xFEEDFACF if bits == 64 else 0xFEEDFACE, cpu)


def universal(*cpus: int) -> bytes:
    return struct.pack(">II", 0xCAFEBABE, len(cpus)) + b"".join(struct.pack(">I16x", cpu) for cpu in cpus)


def pe(machine: int, *, start: int = 0x80, signature: bytes = b"PE\0\0") -> bytes:
    stub = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", start)
    return stub.ljust(start, b"\0") + signature + struct.pack("<H", machine)


@pytest.mark.parametrize(
    ("head", "binary"),
    [
        (elf(62), Binary("ELF", "EM_X86_64")),
        (elf(183), Binary("ELF", "EM_AARCH64")),
        (elf(22, order=">"), Binary("ELF", "EM_S390")),
        (elf(4711), Binary("ELF", "4711")),
        (macho(0x0100_000C), Binary("MachO", "CpuArm64")),
        (macho(0x0100_0007), Binary("MachO", "CpuAmd64")),
        (macho(18, order=">", bits=32), Binary("MachO", "CpuPpc")),
        (macho(99, bits=32), Binary("MachO", "99")),
        (universal(0x0100_0007, 0x0100_000C), Binary("MachO", "CpuAmd64 CpuArm64")),
        (pe(0x8664), Binary("PE", "amd64")),
        (pe(0xAA64, start=0x100), Binary("PE", "arm64")),
        (pe(0x1234), Binary("PE", "unknown")),
    ],
)
def test_machine_code_is_named_as_go_names_it(head: bytes, binary: Binary) -> None:
    assert recognize(head.ljust(HEAD_SIZE, b"\0")) == binary


@pytest.mark.parametrize(
    ("head", "script"),
    [
        (b"#!/bin/sh\n", Script("/bin/sh", "")),
        (b"#!/bin/sh", Script("/bin/sh", "")),
        (b"#! \t/usr/bin/env  -S python3 -u \nimport sys\n", Script("/usr/bin/env", "-S python3 -u")),
        (b"#!/bin/sh\t-e\n", Script("/bin/sh", "-e")),
        (b"#!/bin/sh\r\n", Script("/bin/sh\r", "")),
        (b"#!/\xff\n", Script("/\udcff", "")),
    ],
)
def test_a_script_names_its_interpreter_and_one_argument(head: bytes, script: Script) -> None:
    assert recognize(head) == script


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"#!",
        b"#! \n/bin/sh\n",
        b"print('hello')\n",
        b"\x7fELF",
        elf(62)[:19],
        elf(62).replace(b"\x02\x01", b"\x02\x03", 1),
        macho(7)[:6],
        universal(7, 7)[:29],
        universal(),
        struct.pack(">II", 0xCAFEBABE, 65),         # a Java class
        b"MZ",
        pe(0x8664)[:-1],
        pe(0x8664, signature=b"NE\0\0"),
        pe(0x8664).replace(struct.pack("<I", 0x80), struct.pack("<I", 0xFFFF_FFFF)),
    ],
)
def test_what_is_nothing_of_the_kind_or_cut_off_is_not_guessed_at(head: bytes) -> None:
    assert recognize(head) is None


@given(
    start=st.sampled_from([b"", b"#!", b"\x7fELF\x02\x01", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe\0\0\0", b"MZ"]),
    rest=st.binary(max_size=200),
)
def test_any_bytes_have_an_answer(start: bytes, rest: bytes) -> None:
    answer = recognize(start + rest)

    assert answer is None or all(isinstance(part, str) for part in answer)
