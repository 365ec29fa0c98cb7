"""Score completions in a worker process that can hang, crash, exit or print, and be replaced."""

import time
from dataclasses import dataclass
from typing import Literal, Self

from reference_impl.check.battery import Probe
from reference_impl.check.cases import Case
from reference_impl.contract.error import InvalidRewardError, RewardError, describe_error
from reference_impl.contract.reward_fn import RewardFn
from reference_impl.runtime import (
    AsyncRewardWrapper,
    BlockingReward,
    RewardLoadError,
    RewardTimeoutError,
    WorkerCrashedError,
)

#: After as many workers were lost, nothing more is tried: each may cost the whole time limit.
MOST_LOST = 3


@dataclass(frozen=True)
class Scored:
    """What became of one completion.

    Attributes:
        probe: The completion.
        kind: "paid"; "unscored" if the reward raised a `RewardError`, which says that it cannot
            score; "raised" if it raised anything else; "no number"; "time limit"; "crash"; or
            "not tried" if too many workers were lost before.
        pay: The reward, if there is one.
        problem: What went wrong, in one line, if anything did.
        seconds: The time of the call, with the way to the worker and back.
    """

    probe: Probe
    kind: Literal["paid", "unscored", "raised", "no number", "time limit", "crash", "not tried"]
    pay: float | None = None
    problem: str = ""
    seconds: float = 0.0


class Scorer:
    """A worker process that scores one completion after another.

    Args:
        reward_fn: The reward function or its import path.
        cases: The rows.
        time_limit: The longest a call may take, in seconds.

    Attributes:
        lost: How many workers were lost.
    """

    def __init__(self, reward_fn: RewardFn | str, cases: list[Case], time_limit: float):
        self._wrapper = AsyncRewardWrapper(reward_fn, timeout_seconds=time_limit, max_workers=1)
        self._call = BlockingReward(self._wrapper)
        self._cases = cases
        self.lost = 0

    def score(self, probe: Probe) -> Scored:
        """Score one completion.

        Args:
            probe: The completion.

        Returns:
            What became of it.

        Raises:
            RewardLoadError: If no worker can load the reward.
        """
        if self.lost >= MOST_LOST:
            return Scored(probe, "not tried")
        case = self._cases[probe.row - 1]
        ids = case.prompt_ids or [1] * max(1, len(case.prompt) // 4)
        columns = {**case.columns, **dict(probe.columns)}
        start = time.perf_counter()
        kind, pay, problem = "paid", None, ""
        try:
            pay = self._call(
                case.prompt, probe.completion, ids, case.ids_of(probe.completion), **columns
            )
        except RewardLoadError:
            raise
        except RewardTimeoutError as error:
            kind, problem = "time limit", str(error)
        except WorkerCrashedError as error:
            kind, problem = "crash", str(error)
        except InvalidRewardError as error:
            kind, problem = "no number", str(error)
        except RewardError as error:
            # Where a worker's error cannot be rebuilt here, its reason still says what it was.
            kind = "raised" if error.reason.startswith("exception:") else "unscored"
            problem = describe_error(error)
        except Exception as error:  # whatever a reward raises is what the check is about
            kind, problem = "raised", describe_error(error)
        self.lost += kind in ("time limit", "crash")
        return Scored(probe, kind, pay, problem, time.perf_counter() - start)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._wrapper.close()
