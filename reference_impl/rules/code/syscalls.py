"""Which system calls a program may make, as a seccomp filter.

The list says what is allowed; the kernel answers anything else with EPERM, a call that does not
exist yet included. A program may compute, read files, write to what it has open, and start threads.
It may not start a process, open a file for writing, make a socket, or send a signal: there is
nothing to track, to delete or to kill afterwards.

Source:
    The kernel's `Documentation/userspace-api/seccomp_filter.rst`; numbers from `asm/unistd.h`.
"""

import errno
import platform
import struct
from collections.abc import Sequence

from reference_impl.rules.code.error import SandboxError

# One test of an argument: its position, a mask, and what must be left under the mask.
Test = tuple[int, int, int]

_OPEN_TO_WRITE = 0o1103  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
_CLONE_THREAD = 0x0001_0000
_CLONE_NEW_NAMESPACE = 0x7E02_0000
_STACK = 3  # RLIMIT_STACK
_ALL = 0xFFFF_FFFF_FFFF_FFFF

# Name to the numbers on x86_64 and on aarch64, which lacks the older calls.
_ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # files and pipes
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "stat": (4, None),
    "fstat": (5, 80),
    "lstat": (6, None),
    "lseek": (8, 62),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "readv": (19, 65),
    "writev": (20, 66),
    "access": (21, None),
    "pipe": (22, None),
    "dup": (32, 23),
    "dup2": (33, None),
    "getcwd": (79, 17),
    "chdir": (80, 49),
    "readlink": (89, None),
    "getdents64": (217, 61),
    "fadvise64": (221, 223),
    "newfstatat": (262, 79),
    "readlinkat": (267, 78),
    "faccessat": (269, 48),
    "dup3": (292, 24),
    "pipe2": (293, 59),
    "statx": (332, 291),
    "close_range": (436, 436),
    "faccessat2": (439, 439),
    # waiting for several of them, as asyncio does
    "poll": (7, None),
    "select": (23, None),
    "epoll_wait": (232, None),
    "epoll_ctl": (233, 21),
    "pselect6": (270, 72),
    "ppoll": (271, 73),
    "epoll_pwait": (281, 22),
    "eventfd2": (290, 19),
    "epoll_create1": (291, 20),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "shutdown": (48, 210),
    "setsockopt": (54, 208),
    "getsockopt": (55, 209),
    # memory
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "mremap": (25, 216),
    "madvise": (28, 233),
    # threads
    "sched_yield": (24, 124),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "set_tid_address": (218, 96),
    "set_robust_list": (273, 99),
    "membarrier": (324, 283),
    "rseq": (334, 293),
    # signals and timers of its own
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pause": (34, None),
    "getitimer": (36, 102),
    "alarm": (37, None),
    "setitimer": (38, 103),
    "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    # time
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "times": (100, 153),
    "time": (201, None),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    # what it is
    "getpid": (39, 172),
    "uname": (63, 160),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "getuid": (102, 174),
    "getgid": (104, 176),
    "geteuid": (107, 175),
    "getegid": (108, 177),
    "getppid": (110, 173),
    "getpgrp": (111, None),
    "getgroups": (115, 158),
    "getpgid": (121, 155),
    "getsid": (124, 156),
    "gettid": (186, 178),
    "getrandom": (318, 278),
    # the end
    "exit": (60, 93),
    "exit_group": (231, 94),
}

# Allowed if all tests of one alternative hold.
_CONDITIONAL: dict[tuple[int | None, int | None], Sequence[Sequence[Test]]] = {
    (2, None): [[(1, _OPEN_TO_WRITE, 0)]],  # open
    (257, 56): [[(2, _OPEN_TO_WRITE, 0)]],  # openat
    (56, 220): [[(0, _CLONE_THREAD | _CLONE_NEW_NAMESPACE, _CLONE_THREAD)]],  # clone
    # ioctl: whether it is a terminal and how wide, blocking or not, what is there to read
    (16, 29): [
        [(1, 0xFFFF_FFFF, request)] for request in (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
    ],
    # fcntl: copies, flags, the size of a pipe; not F_SETOWN, which lets the kernel send signals
    (72, 25): [[(1, 0xFFFF_FFFF, command)] for command in (0, 1, 2, 3, 4, 1030, 1032)],
    # socketpair: of streams; one of datagrams could send to any socket of the machine
    (53, 199): [[(0, 0xFFFF_FFFF, 1), (1, 0xF, 1)]],
    # prlimit64: read limits, and set the one of its own stack, as deep recursion does
    (302, 261): [[(2, _ALL, 0)], [(0, 0xFFFF_FFFF, 0), (1, 0xFFFF_FFFF, _STACK)]],
}

_CLONE3 = 435  # its flags lie in memory, where no filter sees them; without it, libc uses clone

_LOAD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_ALLOW, _ERROR, _KILL = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
# Machine to its column above and its AUDIT_ARCH constant.
_MACHINES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}


def seccomp_filter(machine: str | None = None) -> bytes:
    """Return the filter as the instructions that the kernel takes.

    Args:
        machine: The processor, as `platform.machine` names it. By default this one.

    Returns:
        The instructions, 8 bytes each.

    Raises:
        SandboxError: If the numbers of that processor's calls are not known here.

    Example:
        >>> len(seccomp_filter("x86_64")) % 8
        0

    Explained in :ref:`code-execution`.
    """
    machine = machine or platform.machine()
    if machine not in _MACHINES:
        raise SandboxError(
            f"there is no list of system calls for {machine}, only for {', '.join(_MACHINES)}"
        )
    column, audit_arch = _MACHINES[machine]
    code = [(_LOAD, 0, 0, 4), (_JUMP_IF_EQUAL, 1, 0, audit_arch), (_RETURN, 0, 0, _KILL)]
    code.append((_LOAD, 0, 0, 0))  # the number of the call
    answers = {numbers[column]: _ALLOW for numbers in _ALLOWED.values()}
    answers[_CLONE3] = _ERROR | errno.ENOSYS
    for number, answer in answers.items():
        if number is not None:
            code += [(_JUMP_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer)]
    for numbers, alternatives in _CONDITIONAL.items():
        if numbers[column] is not None:
            body = [step for tests in alternatives for step in _allow_if(tests)]
            body.append((_RETURN, 0, 0, _ERROR | errno.EPERM))
            code += [(_JUMP_IF_EQUAL, 0, len(body), numbers[column]), *body]
    code.append((_RETURN, 0, 0, _ERROR | errno.EPERM))
    return b"".join(struct.pack("HBBI", *step) for step in code)


def _allow_if(tests: Sequence[Test]) -> list[tuple[int, int, int, int]]:
    """Return steps that allow the call if all tests hold, and else go on behind themselves."""
    halves = []  # the kernel compares 32 bits at a time
    for argument, mask, value in tests:
        place = 16 + 8 * argument
        for offset, shift in ((place, 0), (place + 4, 32)):  # both machines are little-endian
            if mask >> shift & 0xFFFF_FFFF:
                halves.append((offset, mask >> shift & 0xFFFF_FFFF, value >> shift & 0xFFFF_FFFF))
    steps = []
    for index, (offset, mask, value) in enumerate(halves):
        steps_left = 3 * (len(halves) - index - 1) + 1
        steps += [
            (_LOAD, 0, 0, offset),
            (_AND, 0, 0, mask),
            (_JUMP_IF_EQUAL, 0, steps_left, value),
        ]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]
