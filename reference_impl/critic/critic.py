"""The critic: a reward model in this process, loaded once, that scores many samples at a time.

Importing this module costs no torch. Scoring does.
"""

import gc
import logging
import math
import multiprocessing
import os
import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from reference_impl.contract.error import RewardError
from reference_impl.contract.failure import check_policy
from reference_impl.critic.config import CriticConfig
from reference_impl.critic.counts import CriticCounter, CriticCounts
from reference_impl.critic.error import InvalidScoreError
from reference_impl.critic.steps import parse_steps

if TYPE_CHECKING:
    import torch

    from reference_impl.critic.loaded import LoadedCritic

logger = logging.getLogger("reference_impl.critic")

_LARGEST_SCORE = (2 - 2**-23) * 2.0**127  # of float32


class Critic:
    """A reward model that scores completions, in this process.

    The model is loaded with the first call, once, whichever thread comes first, and tried again
    after a failed load. Threads take turns. Hand over many samples at a time: those of one prompt
    are computed together.

    The object is a reward function too, for one sample at a time. It pickles; a copy loads a model
    of its own, and so does the child of a fork. So do not put it into a pool of processes: that is
    what `critic_reward_fn` is for.

    Args:
        config: The configuration, or just the model's folder or hub id.

    Attributes:
        config: The configuration.

    Raises:
        CriticConfigError: If a setting is wrong.

    Explained in :ref:`critic-recipe`.
    """

    def __init__(self, config: CriticConfig | str):
        self.config = config if isinstance(config, CriticConfig) else CriticConfig(config)
        self._counter = CriticCounter()
        self._start_unloaded()
        _living_critics.add(self)
        self.__name__ = "critic"  # trainers log a reward under its name

    def _start_unloaded(self) -> None:
        self._loading = threading.Lock()
        self._scoring = threading.Lock()
        self._loaded: LoadedCritic | None = None
        self._steps = parse_steps(self.config.steps)

    @property
    def counts(self) -> CriticCounts:
        """What happened to the samples of this process so far."""
        return self._counter.counts()

    @property
    def strategy(self) -> str:
        """How samples are batched, after the check at load; loads the model."""
        return self._load().forward.strategy

    def load(self) -> None:
        """Load the model, unless it is loaded.

        Raises:
            CriticLoadError: If it cannot be loaded, or must not be. The next call tries again.
            CriticConfigError: If the configuration does not fit the model.
        """
        self._load()

    # AsyncRewardWrapper calls this before the first sample.
    warm_up = load

    def _load(self) -> "LoadedCritic":
        loaded = self._loaded
        if loaded is None:  # the common case takes no lock
            with self._loading:
                loaded = self._loaded
                if loaded is None:
                    # Here, so that naming this class costs no torch.
                    from reference_impl.critic.loaded import LoadedCritic, use_one_thread

                    if _is_a_fork():
                        use_one_thread()
                        logger.warning("this process is a fork: its critic uses one thread")
                    loaded = self._loaded = LoadedCritic(self.config)
        return loaded

    def release(self) -> None:
        """Give the model's memory back. The next call loads it again."""
        with self._loading, self._scoring:
            if self._loaded is None:
                return
            self._loaded = None
        from reference_impl.critic.loaded import give_memory_back

        gc.collect()
        give_memory_back()

    def score(
        self,
        samples: Sequence[tuple[str | list[dict[str, str]], str]],
        token_ids: Sequence[tuple[list[int], list[int]] | None] | None = None,
        *,
        on_failure: Literal["raise", "skip"] | float = "raise",
    ) -> "torch.Tensor":
        """Score many samples.

        Args:
            samples: Prompt and completion of each. A prompt is a text or a list of messages.
            token_ids: The trainer's ids of each prompt and completion. They are used if
                `policy_tokenizer` is the critic's own.
            on_failure: What becomes of a sample that has no score: `"raise"`, `"skip"` (NaN), or
                the number that a failure is worth.

        Returns:
            The scores on the CPU, float32, shape (samples,).

        Raises:
            RewardError: The first sample's that failed, if `on_failure` is `"raise"`.
            CriticLoadError: If the model cannot be loaded, whatever `on_failure` is.
            CriticConfigError: If the configuration does not fit the model.
            ValueError: If there are ids, but not for every sample.
        """
        check_policy(on_failure)
        worth = math.nan if isinstance(on_failure, str) else float(on_failure)
        scores = []
        for outcome in self.score_each(samples, token_ids):
            if isinstance(outcome, RewardError):
                if on_failure == "raise":
                    raise outcome
                outcome = worth
            scores.append(outcome)
        import torch

        return torch.tensor(scores, dtype=torch.float32)

    def score_each(
        self,
        samples: Sequence[tuple[str | list[dict[str, str]], str]],
        token_ids: Sequence[tuple[list[int], list[int]] | None] | None = None,
    ) -> list[float | RewardError]:
        """Score many samples, and say of each that fails why.

        Args:
            samples: As for `score`.
            token_ids: As for `score`.

        Returns:
            For each sample its score, or what went wrong with it.

        Raises:
            CriticLoadError: If the model cannot be loaded.
            CriticConfigError: If the configuration does not fit the model.
            ValueError: If there are ids, but not for every sample.
        """
        if token_ids is not None and len(token_ids) != len(samples):
            raise ValueError(
                f"There are {len(samples)} samples and ids of {len(token_ids)}: pass None for a "
                "sample without ids."
            )
        loaded = self._load()
        with self._scoring:
            built = loaded.inputs.build(samples, token_ids)
            fine = [i for i, item in enumerate(built) if not isinstance(item, RewardError)]
            raw = loaded.raw_scores([built[index] for index in fine])
            outcomes: list[float | RewardError] = list(built)  # errors, and inputs to replace
            for index, score in zip(fine, raw, strict=True):
                outcomes[index] = self._after_steps(score)
        self._counter.add(built, outcomes)
        return outcomes

    def preview(self, prompt: str | list[dict[str, str]], completion: str) -> str:
        """Show what the model reads of a sample: look at it once before you train.

        Args:
            prompt: The prompt as text, or as a list of messages.
            completion: The completion as text.

        Returns:
            The input as text, with the template's special tokens, after truncation.

        Raises:
            InvalidSampleError: If the sample cannot be scored.
            CriticLoadError: If the model cannot be loaded.
        """
        inputs = self._load().inputs
        with self._scoring:
            [built] = inputs.build([(prompt, completion)])
        if isinstance(built, RewardError):
            raise built
        return inputs.decode(built.ids)

    def _after_steps(self, score: float) -> float | InvalidScoreError:
        if not math.isfinite(score):
            return InvalidScoreError(f"The model gave {score} as a score.")
        for step in self._steps:
            score = step(score)
        if not abs(score) <= _LARGEST_SCORE:  # NaN is not, either
            return InvalidScoreError(f"The steps {self.config.steps!r} gave {score} as a score.")
        return score

    def __call__(
        self,
        prompt: str | list[dict[str, str]],
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one sample.

        Args:
            prompt: The prompt as text, or as a list of messages.
            completions: The one completion to score, as text.
            prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
            completion_ids: The tokens of the completion, shape (completion_tokens,).
            **columns: Not read. One that is named like a setting is counted and logged.

        Returns:
            The score.

        Raises:
            RewardError: If there is none.
        """
        self._counter.ignored_columns.add(columns)
        ids = (prompt_ids, completion_ids) if self.config.policy_tokenizer else None
        [outcome] = self.score_each([(prompt, completions)], [ids])
        if isinstance(outcome, RewardError):
            raise outcome
        return outcome

    def __reduce__(self):
        return (type(self), (self.config,))

    def __repr__(self) -> str:
        return f"Critic({self.config.model!r})"


_living_critics: weakref.WeakSet[Critic] = weakref.WeakSet()
_was_forked = False


def _is_a_fork() -> bool:
    """Tell whether this process was forked, with or without this module."""
    fork_process = getattr(multiprocessing.context, "ForkProcess", ())
    return _was_forked or isinstance(multiprocessing.current_process(), fork_process)


def _start_unloaded_after_fork() -> None:
    global _was_forked
    _was_forked = True
    # The parent's threads may have held the locks, or been in the middle of a forward pass.
    for critic in _living_critics:
        critic._start_unloaded()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_start_unloaded_after_fork)
