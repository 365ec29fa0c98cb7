"""The other end of a `SymbolicWorker`: the template, and the child that it forks.

See `reference_impl.rules.math.worker` for why there are two.
"""

import ctypes
import gc
import importlib
import json
import mmap
import os
import resource
import signal
import sys
from types import ModuleType

from reference_impl.rules.math.wire import Inbox, pack

# Far above what an honest answer takes, and low enough for many workers on one machine.
MEMORY_BYTES = 384 * 2**20

_ENDED, _SPENT = 0, 3
# How many requests a child serves between two looks at its own size.
_SERVED_BETWEEN_LOOKS = 512
_PR_SET_PDEATHSIG = 1
# The first comparison of each kind loads parts of sympy; done here, every child has them.
_WARM_UP = (
    ("(x+1)^2", "x^2+2x+1"),
    (r"\sqrt{5+2\sqrt6}", r"\sqrt2+\sqrt3"),
    (r"\sin(2x)", r"2\sin x\cos x"),
    (r"(-\infty, 2)\cup(3, \infty)", "x < 2 or x > 3"),
    (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\3\end{pmatrix}"),
)


def serve_forever() -> None:
    """Be the template: fork a child, wait for its end, fork the next, until the caller is gone.

    Explained in :ref:`math-clock`.
    """
    requests, answers = _take_pipes()
    # A signal that the caller ignores or blocks stays so across exec.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    try:
        symbolic = importlib.import_module("reference_impl.rules.math.symbolic")
        for gold, prediction in _WARM_UP:
            symbolic.equal(gold=gold, prediction=prediction)
    except Exception as error:
        os.write(answers, pack({"failed": f"{type(error).__name__}: {error}"[:500]}))
        return
    current = mmap.mmap(-1, 8)  # the number of the request in hand, shared with the child
    gc.freeze()  # so that collecting in a child does not copy the template's pages
    os.write(answers, pack({"ready": True}))
    while True:
        current[:] = bytes(8)
        template = os.getpid()
        child = os.fork()
        if not child:
            _serve(symbolic, requests, answers, current, template)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _ENDED:
            return
        number = int.from_bytes(current[:], "big")
        ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        try:
            os.write(answers, pack({"id": number, "signal": ended_by}))
        except BrokenPipeError:
            return


def _take_pipes() -> tuple[int, int]:
    """Keep the pipes for messages alone: what sympy prints must not end up among them."""
    pipes = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    return pipes


def _serve(
    symbolic: ModuleType, requests: int, answers: int, current: mmap.mmap, template: int
) -> None:
    """Be the child. It never returns."""
    code = _SPENT
    try:
        _die_with(template)
        limit = _limit_memory()
        code = _answer_requests(symbolic, requests, answers, current, limit)
    finally:
        os._exit(code)


def _answer_requests(
    symbolic: ModuleType, requests: int, answers: int, current: mmap.mmap, limit: int | None
) -> int:
    served = 0
    while True:
        request = _read_request(requests)
        if request is None:
            return _ENDED
        current[:] = request["id"].to_bytes(8, "big")
        signal.setitimer(signal.ITIMER_REAL, request["seconds"])
        try:
            answer = {"value": _value(symbolic, request)}
        except MemoryError:
            answer = {"error": "memory"}
        # First the timer, then the mark, then the answer: once that is out, the request is over.
        signal.setitimer(signal.ITIMER_REAL, 0)
        current[:] = bytes(8)
        os.write(answers, pack({"id": request["id"], **answer}))
        served += 1
        if "error" in answer or (served % _SERVED_BETWEEN_LOOKS == 0 and _is_large(limit)):
            return _SPENT


def _value(symbolic: ModuleType, request: dict) -> bool:
    if "text" in request:
        return symbolic.read(request["text"]) is not None
    return symbolic.equal(
        gold=request["gold"],
        prediction=request["prediction"],
        ignore_percent=request["ignore_percent"],
    )


def _read_request(requests: int) -> dict | None:
    # One byte too many would be the next child's, if this one ends; so it reads message by message.
    inbox = Inbox()
    while (message := inbox.next()) is None:
        read = os.read(requests, inbox.missing())
        if not read:
            return None
        inbox.add(read)
    return json.loads(message)


def _die_with(template: int) -> None:
    """Let the kernel end this process when the template ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != template:
        os._exit(_ENDED)


def _limit_memory() -> int | None:
    """Limit this process to its size so far and `MEMORY_BYTES`. A system may know no such limit."""
    size = _size()
    if size is None:
        return None
    limit = size + MEMORY_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    return limit


def _is_large(limit: int | None) -> bool:
    """Whether so much is kept in caches that the next request would have less than half."""
    size = _size()
    return limit is not None and size is not None and limit - size < MEMORY_BYTES // 2


def _size() -> int | None:
    """The address space of this process in bytes, where the system tells."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        return None
