"""What runs in a worker: load the reward function once, then score what comes through a socket.

A request is a pickle behind its length. An answer is one line of JSON.
"""

import json
import multiprocessing.spawn
import os
import pickle
import socket
import struct
from typing import Any, BinaryIO

from reference_impl.contract import lifeline
from reference_impl.contract.reward_fn import RewardFn, check_reward, load_reward_fn
from reference_impl.runtime.error import report_error

LENGTH = struct.Struct("!Q")

#: Whether this process is a worker that loads its reward function. It must not start workers.
is_loading = False


def main(channel_fd: int, lifeline_fd: int, parent: int) -> None:
    """Serve until the other end of the socket closes.

    Args:
        channel_fd: The file descriptor of the socket.
        lifeline_fd: That of a pipe, whose other end closes when the trainer ends.
        parent: The process id of the trainer.
    """
    _die_with(parent, lifeline_fd)
    channel = socket.socket(fileno=channel_fd)
    requests = channel.makefile("rb")
    try:
        reward_fn = _load(_receive(requests))
    except BaseException as error:  # a module may do anything while it is imported, even exit
        _send(channel, {"error": report_error(error)})
        return
    _send(channel, {"loaded": True})
    while request := _receive(requests):
        _send(channel, _score(reward_fn, request))


def _die_with(parent: int, lifeline_fd: int) -> None:
    """Let the kernel kill this worker, and what the reward starts, when the trainer is gone."""
    lifeline.hold(lifeline_fd)
    if os.getppid() != parent:  # it ended before it was asked
        os._exit(1)


def _load(request: bytes) -> RewardFn:
    global is_loading
    is_loading = True
    preparation, source = pickle.loads(request)
    if preparation:
        multiprocessing.spawn.prepare(preparation)
    reward_fn = load_reward_fn(source) if isinstance(source, str) else pickle.loads(source)
    warm_up = getattr(reward_fn, "warm_up", None)
    if callable(warm_up):
        warm_up()
    is_loading = False
    return reward_fn


def _score(reward_fn: RewardFn, request: bytes) -> dict[str, Any]:
    try:
        sample, columns = pickle.loads(request)
        return {"reward": check_reward(reward_fn(*sample, **columns))}
    except Exception as error:  # whatever a reward raises is the caller's to judge
        return {"error": report_error(error)}


def _receive(requests: BinaryIO) -> bytes:
    header = requests.read(LENGTH.size)
    return requests.read(LENGTH.unpack(header)[0]) if len(header) == LENGTH.size else b""


def _send(channel: socket.socket, answer: dict[str, Any]) -> None:
    channel.sendall(json.dumps(answer).encode() + b"\n")
