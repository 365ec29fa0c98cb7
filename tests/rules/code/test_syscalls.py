"""The filter says what the kernel's own headers say, and allows what it should."""

import re
import struct
from pathlib import Path

import pytest

from reference_impl.rules.code import SandboxError, syscalls

HEADERS = {
    0: (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), r"__NR_(\w+)\s+(\d+)"),
    1: (Path("/usr/include/asm-generic/unistd.h"), r"__NR(?:3264)?_(\w+)\s+(\d+)"),
}
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def answer(machine, number, *arguments, arch=None):
    """Run the filter, as the kernel does, on one call."""
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, arch or ARCH[machine], 0, *words)
    program = syscalls.seccomp_filter(machine)
    steps = [struct.unpack_from("HBBI", program, at) for at in range(0, len(program), 8)]
    place, accumulator = 0, 0
    while True:
        code, jump_true, jump_false, value = steps[place]
        place += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif code == 0x54:
            accumulator &= value
        elif code == 0x15:
            place += jump_true if accumulator == value else jump_false
        else:
            assert code == 0x06
            return value


@pytest.mark.parametrize("column", HEADERS)
def test_the_numbers_are_those_of_the_kernel(column):
    path, pattern = HEADERS[column]
    if not path.exists():
        pytest.skip(f"{path} is not installed (Debian: linux-libc-dev)")
    numbers = dict(re.findall(pattern, path.read_text()))
    # The generic header gives this one the name of its 32-bit form as well.
    numbers.setdefault("newfstatat", numbers.get("fstatat"))
    for name, both in syscalls._ALLOWED.items():
        if both[column] is not None:
            assert numbers[name] == str(both[column]), name


@pytest.mark.parametrize(
    ("machine", "number", "arguments", "expected"),
    [
        ("x86_64", 0, (), ALLOW),  # read
        ("x86_64", 257, (0, 0, 0o2000000), ALLOW),  # openat, to read
        ("x86_64", 257, (0, 0, 0o1), EPERM),  # to write
        ("x86_64", 257, (0, 0, 0o100), EPERM),  # to create
        ("x86_64", 257, (0, 0, 0o20200002), EPERM),  # a file without a name
        ("x86_64", 2, (0, 0o2), EPERM),  # open, to read and write
        ("x86_64", 56, (0x003D0F00,), ALLOW),  # clone, a thread
        ("x86_64", 56, (0x01200011,), EPERM),  # a process
        ("x86_64", 56, (0x10010000,), EPERM),  # a thread in a new user namespace
        ("x86_64", 57, (), EPERM),  # fork
        ("x86_64", 59, (), EPERM),  # execve
        ("x86_64", 435, (), ENOSYS),  # clone3
        ("x86_64", 41, (2, 1, 0), EPERM),  # socket
        ("x86_64", 53, (1, 0o2000001, 0), ALLOW),  # socketpair of streams
        ("x86_64", 53, (1, 2, 0), EPERM),  # of datagrams
        ("x86_64", 62, (), EPERM),  # kill
        ("x86_64", 302, (0, 7, 0, 1), ALLOW),  # prlimit64, to read
        ("x86_64", 302, (0, 0, 0x7F0000000000, 0), EPERM),  # to set, at an address of low zeros
        ("x86_64", 302, (0, 3, 0x7F0000000010, 0), ALLOW),  # its own stack
        ("x86_64", 302, (9, 3, 0x7F0000000010, 0), EPERM),  # another's stack
        ("x86_64", 72, (0, 8), EPERM),  # fcntl F_SETOWN
        ("x86_64", 16, (0, 0x5412), EPERM),  # ioctl TIOCSTI
        ("x86_64", 425, (), EPERM),  # io_uring_setup
        ("x86_64", 0x40000000, (), EPERM),  # x32
        ("aarch64", 63, (), ALLOW),  # read
        ("aarch64", 56, (0, 0, 0), ALLOW),  # openat, to read
        ("aarch64", 56, (0, 0, 1), EPERM),
        ("aarch64", 220, (0x003D0F00,), ALLOW),  # clone, a thread
        ("aarch64", 220, (17,), EPERM),
        ("aarch64", 221, (), EPERM),  # execve
        ("aarch64", 198, (), EPERM),  # socket
    ],
)
def test_the_filter_answers(machine, number, arguments, expected):
    assert answer(machine, number, *arguments) == expected


def test_another_architecture_is_killed():
    assert answer("x86_64", 0, arch=0x40000003) == KILL


def test_an_unknown_machine_is_refused():
    with pytest.raises(SandboxError, match="riscv64"):
        syscalls.seccomp_filter("riscv64")
