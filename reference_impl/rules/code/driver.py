"""What runs in the sandbox: give up all rights, then run the program once for each test.

This text is handed to a fresh interpreter with `-c`. The interpreter gets the program and one
input at a time through its socket, and answers with what came out. It runs no line of the program
itself: each test runs in a fork of it, which has no socket, and which cannot touch it.

There is nothing here to steal or to patch. The expected outputs stay with the caller, who compares.
"""

import atexit
import ctypes
import fcntl
import gc
import marshal
import os
import resource
import sys

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_CLONE_NEWUSER = 0x1000_0000
_NOBODY = 65534
_SIGKILL = 9
# What a program exits with after a MemoryError. Another program may exit so too, which gains it
# another word for its failure, and nothing else.
MEMORY_EXIT = 101


class _SeccompProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    result = function(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _prctl(option, *values):
    words = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return _call(_libc.prctl, option, *words)


def give_up_rights(drop_user, readable, listable):
    """Become nobody where asked to, keep no capability, and see no file but the readable ones.

    Returns how many threads the kernel counts already, when it limits those of a program.
    """
    if drop_user:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    # Where the kernel permits, a user namespace of its own: what it counts there, nobody else uses.
    tasks = 0 if _libc.unshare(_CLONE_NEWUSER) == 0 else _tasks_of_user()
    header, nothing = (ctypes.c_uint * 2)(0x2008_0522, 0), (ctypes.c_uint * 6)()
    _call(_libc.capset, header, nothing)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)  # nobody with the same user id may look into it
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    _restrict_files(readable, listable)
    return tasks


def _restrict_files(readable, listable):
    """Let Landlock hide all files but these, if the kernel has it."""
    all_rights, read_and_map, list_folder = 0x1FFF, 0b0101, 0b1000
    handled = ctypes.c_uint64(all_rights)
    rules = _libc.syscall(444, ctypes.byref(handled), ctypes.c_size_t(8), 0)
    if rules < 0:
        return
    for path in (*readable, listable):
        try:
            opened = os.open(path, os.O_PATH)
        except OSError:  # hidden already
            continue
        rights = 0 if path == listable else read_and_map
        if os.path.isdir(path):  # for a file, the kernel refuses the right to list it
            rights |= list_folder
        rule = rights.to_bytes(8, sys.byteorder) + opened.to_bytes(4, sys.byteorder)
        _call(_libc.syscall, 445, rules, 1, rule, 0)
        os.close(opened)
    _call(_libc.syscall, 446, rules, 0)
    os.close(rules)


def _tasks_of_user():
    """Count the threads of this user."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/status") as file:
                    fields = dict(line.split(":", 1) for line in file if ":" in line)
            except OSError:  # it has ended
                continue
            if int(fields["Uid"].split()[0]) == os.getuid():
                count += int(fields["Threads"])
    return count


def _limit(kind, soft, hard):
    allowed = resource.getrlimit(kind)[1]
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    resource.setrlimit(kind, (soft, hard))


def become_the_program(limits, instructions, files):
    """Turn this fork into a process that can only compute and write its output."""
    aside = [fcntl.fcntl(file, fcntl.F_DUPFD, 100) for file in files]
    for place, file in enumerate(aside):
        os.dup2(file, place)
    os.closerange(len(files), 256)
    _limit(resource.RLIMIT_CPU, limits["cpu_seconds"], limits["cpu_seconds"] + 1)
    _limit(resource.RLIMIT_AS, limits["memory_bytes"], limits["memory_bytes"])
    _limit(resource.RLIMIT_FSIZE, limits["output_bytes"], limits["output_bytes"])
    _limit(resource.RLIMIT_NPROC, limits["tasks"], limits["tasks"])
    _limit(resource.RLIMIT_NOFILE, 64, 64)
    _limit(resource.RLIMIT_CORE, 0, 0)
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    filter_ = _SeccompProgram(len(instructions) // 8, instructions)
    _prctl(_PR_SET_SECCOMP, 2, ctypes.addressof(filter_))


def _read_exactly(size):
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            os._exit(0)  # nobody asks any more
        data += piece
    return data


def receive():
    """Read one message of the caller."""
    return marshal.loads(_read_exactly(int.from_bytes(_read_exactly(8), "big")))


def send(data):
    """Write one message to the caller."""
    data = len(data).to_bytes(8, "big") + data
    while data:
        data = data[os.write(1, data) :]


def serve(set_up):
    """Answer for each test what came out of the program. Returns in forks alone, with a test."""
    nowhere = os.open("/dev/null", os.O_WRONLY)
    tasks = give_up_rights(set_up["drop_user"], set_up["readable"], set_up["listable"])
    limits = set_up["limits"]
    limits["tasks"] = tasks + limits["threads"] + 1
    send(b"")
    while True:
        test = receive()
        stdin, output = os.memfd_create("stdin"), os.memfd_create("output")
        with open(stdin, "wb", closefd=False) as file:
            file.write(test["input"])
        os.lseek(stdin, 0, os.SEEK_SET)
        reached, reaching = os.pipe()
        child = os.fork()
        if child == 0:
            # What a test is judged by: its standard output, or the value that its call returns.
            stdout, value = (nowhere, output) if test["call"] else (output, nowhere)
            files = (stdin, stdout, nowhere, value, reaching)
            become_the_program(limits, set_up["filter"], files)
            os.write(4, b"!")  # from here on, what happens is the program's doing
            os.close(4)
            return test
        os.close(reaching)
        status, usage = os.wait4(child, 0)[1:]
        has_begun = os.read(reached, 1)
        size = os.fstat(output).st_size
        data = os.pread(output, min(size, limits["output_bytes"]), 0)
        for file in (stdin, output, reached):
            os.close(file)
        cpu_ms = int((usage.ru_utime + usage.ru_stime) * 1000)
        words = (len(has_begun), status, cpu_ms)
        send(b"".join(word.to_bytes(8, "big") for word in words) + data)


def end(namespace, code):
    """End a program as an interpreter does, but leave its memory to the kernel to free.

    An interpreter that ends takes itself apart, which costs more than most programs.
    """
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()  # waits for its threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.__stdout__):
        if stream is not None and not stream.closed:
            stream.flush()
    namespace.clear()  # files that it left open are flushed
    gc.collect()
    os._exit(code)


if __name__ == "__main__":
    import json

    gc.freeze()  # no fork looks at, and thereby copies, what all of them share
    _set_up = receive()
    try:
        _test = serve(_set_up)
    except Exception as _error:
        sys.exit(f"{type(_error).__name__}: {_error}")

    # A fork, for one test.
    _write, _dumps, _end = os.write, json.dumps, end
    _this_module = sys.modules["__main__"]  # its functions are needed after it is replaced
    _name = "solution" if _test["call"] else "__main__"
    _module = sys.modules[_name] = type(sys)(_name)
    _module.exit = _module.quit = sys.exit  # an interpreter without `site` lacks them
    sys.argv = ["program.py"]
    try:
        exec(compile(_set_up["program"], "program.py", "exec", dont_inherit=True), _module.__dict__)
        if _test["call"]:
            _value = eval(_test["call"], _module.__dict__)
            _data = _dumps(_value).encode()
            while _data:
                _data = _data[_write(3, _data) :]
        _code = 0
    except SystemExit as _exit:
        _code = _exit.code if isinstance(_exit.code, int) else int(_exit.code is not None)
    except MemoryError:
        _code = MEMORY_EXIT
    except BaseException:  # it has failed, and what it printed until then is of no use
        _code = 1
    try:
        _end(_module.__dict__, _code & 0xFF)
    finally:
        os._exit(120)
