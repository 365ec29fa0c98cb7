"""The critic's batching and its service, side by side with what people use.

Run: python -m benchmarks.critic [--json [FILE]] [--save] [--device cuda]

On a CPU, one thread computes and CPU time counts, all ways in turn, so that a busy machine meets
them alike. On a GPU the wall clock counts. The callers' part always goes by the wall clock, with
all cores: what it measures is waiting.
"""

import argparse
import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks._critic_baselines import Locked, PerSample, Pipeline, SentenceTransformers
from benchmarks._critic_models import save_model
from benchmarks._run import add_output_options, report
from benchmarks.rollouts import Workload
from reference_impl.critic.config import CriticConfig
from reference_impl.critic.critic import Critic
from reference_impl.critic.prefix_tree import pack_sequences
from reference_impl.critic.service.client import CriticClient

Samples = list[tuple[str, str]]

CALLERS = 64
MALLOC_MMAP_THRESHOLD, MALLOC_TRIM_THRESHOLD = -3, -1  # glibc's numbers for mallopt


def tune_malloc() -> None:
    """Keep big blocks, so that padded batches need not ask the kernel for theirs each time."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:  # glibc
        mallopt(MALLOC_MMAP_THRESHOLD, 2**30)
        mallopt(MALLOC_TRIM_THRESHOLD, 2**31 - 1)


def seconds_of(work: Callable[[], object], device: str) -> tuple[float, object]:
    """Time one run: CPU time of this process, or the wall clock where a GPU computes."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    if device != "cpu":
        torch.cuda.synchronize()
    start = clock()
    result = work()
    if device != "cpu":
        torch.cuda.synchronize()
    return clock() - start, result


def floor_seconds(critic: Critic, samples: Samples, device: str) -> float:
    """How long the matrix products of the distinct tokens alone take, at this machine's rate.

    Each linear layer of the model is timed on 2,048 rows. A distinct token is one in the prefix
    tree of all samples together. Attention, norms and activations are not counted, so no way of
    computing all layers for every distinct token gets below 1.
    """
    loaded = critic._load()  # the benchmark looks inside: what is timed are the model's own layers
    packs = pack_sequences([item.ids for item in loaded.inputs.build(samples)], 10**9)
    distinct = sum(len(pack.tokens) for pack in packs)
    model = loaded.forward._model
    layers = [
        layer
        for layer in model.modules()
        if isinstance(layer, torch.nn.Linear) and layer.out_features > 1
    ]
    rows = {
        width: torch.randn(2048, width, device=model.device, dtype=model.dtype)
        for width in {layer.in_features for layer in layers}
    }

    def products() -> None:
        for layer in layers:
            layer(rows[layer.in_features])

    with torch.inference_mode():
        products()
        seconds = statistics.median(seconds_of(products, device)[0] for _ in range(5))
    return seconds * distinct / 2048


def compare(
    folder: str,
    samples: Samples,
    ways: dict[str, type],
    repeats: int,
    device: str,
    strategies: tuple[str, ...] = ("packed",),
) -> dict[str, float]:
    """Time ways to score the same samples, in turn.

    Args:
        folder: The model.
        samples: The samples.
        ways: By name, what is made with the folder and called with the samples.
        repeats: How often each is timed.
        device: Where the model runs.
        strategies: The critic's own ways.

    Returns:
        The median seconds by name. `floor` is what the matrix products take, and `max_abs_diff`
        how far any score is from the first way's.
    """
    scorers = {name: way(folder, device) for name, way in ways.items()}
    scorers |= {
        name: Critic(CriticConfig(folder, device=device, strategy=name)).score
        for name in strategies
    }
    floor_critic = Critic(CriticConfig(folder, device=device))
    seconds: dict[str, list[float]] = {name: [] for name in (*scorers, "floor")}
    difference, reference = 0.0, None
    for scorer in scorers.values():
        scorer(samples[:2])  # loads and warms up
    for _ in range(repeats):
        for name, scorer in scorers.items():
            spent, scores = seconds_of(lambda scorer=scorer: scorer(samples), device)
            seconds[name].append(spent)
            scores = torch.as_tensor(scores)
            reference = scores if reference is None else reference
            difference = max(difference, (scores - reference).abs().max().item())
        seconds["floor"].append(floor_seconds(floor_critic, samples, device))
    return {name: statistics.median(times) for name, times in seconds.items()} | {
        "max_abs_diff": difference
    }


def curve(folder: str, device: str) -> list[dict[str, float]]:
    """Measure packed against one by one, over lengths of prompts and sizes of groups."""
    points = []
    for prompt_tokens in (32, 128, 512, 2048):
        for completions in (1, 2, 4, 8, 16):
            samples = Workload(2, completions, prompt_tokens).samples()
            times = compare(folder, samples, {"naive": PerSample}, 1, device)
            points.append(
                {
                    "prompt_tokens": prompt_tokens,
                    "completions": completions,
                    "x_naive": rounded(times["naive"] / times["packed"]),
                }
            )
    return points


def many_callers(folder: str, calls: int, device: str) -> dict[str, float]:
    """Compare 64 threads that share a locked model with 64 that call the service.

    The callers of a prompt's completions call at about the same time, as in a rollout.

    Args:
        folder: The model.
        calls: How many calls each thread makes.
        device: Where the model runs.

    Returns:
        `callers_x_lock`, the service's throughput over the lock's, and `callers_p99_x_lock`, the
        99th percentile of its times of a call over the lock's.
    """
    samples = Workload(prompts=CALLERS // 8 * calls, completions=8).samples()
    by_caller = [
        [samples[turn * CALLERS + caller] for turn in range(calls)] for caller in range(CALLERS)
    ]
    locked = Locked(folder, device)
    locked(*samples[0])
    lock_seconds, lock_times = _call_from_threads(by_caller, locked)
    with tempfile.TemporaryDirectory() as temporary:
        socket = f"{temporary}/critic.sock"
        config = CriticConfig(folder, device=device).to_json()
        command = [sys.executable, "-m", "reference_impl.critic.serve"]
        server = subprocess.Popen(
            [*command, "--socket", socket, "--config", config], stderr=subprocess.DEVNULL
        )
        try:
            client = CriticClient(f"unix:{socket}", timeout_seconds=600)
            client.warm_up()
            seconds, times = _call_from_threads(
                by_caller, lambda prompt, completion: client(prompt, completion, [], [])
            )
        finally:
            server.terminate()
            server.wait()
    return {
        "callers_x_lock": rounded(lock_seconds / seconds),
        "callers_p99_x_lock": rounded(_p99(times) / _p99(lock_times)),
    }


def _call_from_threads(
    by_caller: list[Samples], call: Callable[[str, str], float]
) -> tuple[float, list[float]]:
    """Return the seconds from first call to last answer, and those of each call."""
    times: list[float] = []
    together = threading.Barrier(len(by_caller) + 1)

    def run(samples: Samples) -> None:
        together.wait()
        for sample in samples:
            start = time.perf_counter()
            call(*sample)
            times.append(time.perf_counter() - start)

    threads = [threading.Thread(target=run, args=(samples,)) for samples in by_caller]
    for thread in threads:
        thread.start()
    together.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start, times


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


def rounded(ratio: float) -> float:
    """Keep three digits: the clock gives no more."""
    return float(f"{ratio:.3g}")


def measure(device: str, repeats: int, small: bool) -> dict[str, object]:
    """Measure everything.

    Args:
        device: Where the models run.
        repeats: How often each way is timed.
        small: Whether to use a toy size, to try the benchmark out. Its figures mean nothing.

    Returns:
        `ratios`, `strategies` (times per-sample time, by way) and `curve`.
    """
    size, medium, large = ("tiny",) * 3 if small else ("14M", "29M", "109M")
    groups = Workload(prompts=2) if small else Workload()
    few = Workload(prompts=2 if small else 6)
    long_prompts = Workload(prompts=1 if small else 4, prompt_tokens=2000)
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as temporary:
        folder = {
            name: str(save_model(Path(temporary, name), name)) for name in {size, medium, large}
        }
        if device == "cpu":
            torch.set_num_threads(1)
        naive = {"naive": PerSample}
        ways = naive | {"pipeline": Pipeline, "crossencoder": SentenceTransformers}
        own = ("padded", "packed")
        times = compare(folder[size], groups.samples(), ways, repeats, device, own)
        at_medium = compare(folder[medium], few.samples(), naive, repeats, device)
        at_large = compare(folder[large], few.samples(), {}, repeats, device)
        at_long = compare(folder[size], long_prompts.samples(), naive, repeats, device)
        points = curve(folder[size], device)
        torch.set_num_threads(threads)
        callers = many_callers(folder[size], 2 if small else 6, device)
    parts = (times, at_medium, at_long)
    return {
        "ratios": {
            **{f"x_{name}": rounded(times[name] / times["packed"]) for name in ways},
            "x_floor": rounded(at_medium["packed"] / at_medium["floor"]),
            "x_floor_109M": rounded(at_large["packed"] / at_large["floor"]),
            "x_naive_29M": rounded(at_medium["naive"] / at_medium["packed"]),
            "long_prompt_x_naive": rounded(at_long["naive"] / at_long["packed"]),
            "max_abs_diff": rounded(max(part["max_abs_diff"] for part in parts)),
            **callers,
        },
        "strategies": {
            name: rounded(times["naive"] / times[name]) for name in (*ways, "padded", "packed")
        },
        "curve": points,
        "device": device,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.critic", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--device", default="cpu", help="cpu, or cuda")
    parser.add_argument("--repeats", type=int, default=1, help="timings; the median counts")
    parser.add_argument("--small", action="store_true", help="a toy size, to try it out")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    if options.device != "cpu" and not torch.cuda.is_available():
        parser.error(f"--device {options.device}: there is no such device here")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread for every way
    tune_malloc()
    result = measure(options.device, options.repeats, options.small)
    report(options, "critic", **result)


if __name__ == "__main__":
    main()
