"""AReaL: a reward function in its pool of processes, awaited in its workflow, or in an agent.

`ArealReward` is for rules. `ArealWorkflow` awaits what waits itself, such as a judge or a critic's
client. It derives from AReaL's own workflow and is made when it is first named, so that this module
can be imported where AReaL is not installed. `ArealAgent` is for AReaL's agents.
"""

import asyncio
import functools
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from reference_impl.adapters.batch import (
    MissingColumnError,
    Sample,
    check_columns,
    score_batch,
    score_batch_async,
)
from reference_impl.adapters.guard import Policy, guard
from reference_impl.adapters.messages import read_messages
from reference_impl.adapters.versions import check_version
from reference_impl.contract.failure import AsyncGuardedReward, GuardedReward
from reference_impl.contract.parameters import is_async
from reference_impl.contract.reward_fn import FIELDS, RewardFn, load_reward_fn

#: How many synchronous calls of a process may wait at a time, such as for a critic.
THREADS = 64


class ArealReward:
    """A synchronous reward function for AReaL's pool of processes.

    Make it at module level, and name it in the workflow's arguments::

        reward = ArealReward(gsm8k_reward_fn)  # in my_rewards.py

        trainer.train(
            workflow="areal.workflow.rlvr.RLVRWorkflow",
            workflow_kwargs={"reward_fn": "my_rewards.reward", ...},
        )

    A number or `"raise"` is allowed. The default, 0.0, is AReaL's own convention, and of its
    adapters alone. What AReaL 1.0 does:

    - An exception is tried three times more. Then the rollout is rejected with its group, and
      another prompt takes its place. So `"raise"` trains on the prompts that do not fail, and if
      all fail, `prepare_batch` never returns. That holds for a `MissingColumnError`, too: call
      `check_areal_row` before training.
    - None is a TypeError, and rejects the group. `"skip"` is therefore refused.
    - NaN would go into the batch, and into its gradient. It does not get there: the guard makes a
      failure of it.
    - A call that takes 15 s is tried three times more, and then paid 0, whatever the policy says.
      Nobody ends it, and it keeps its process from all other calls.

    Each call gets a copy of this object, so that `guarded.counts` in the trainer stays at zero. The
    logger `reference_impl.failure` has each failure.

    Args:
        reward_fn: The bare reward function. AReaL does not await it: see `ArealWorkflow`.
        on_failure: The number that a failure is worth, or `"raise"`.

    Attributes:
        guarded: The reward with its policy.

    Raises:
        TypeError: If the reward is asynchronous or guarded already, or its signature is not the
            contract's.
        ValueError: If the policy is none that AReaL can take.
        UnprovenVersionError: If AReaL is installed in a version that was not proven.

    Source:
        AReaL 1.0.4, `RLVRWorkflow` in `areal/workflow/rlvr.py`, and `AsyncRewardWrapper` in
        `areal/api/reward_api.py`.

    Example:
        >>> from reference_impl import exact_match_reward_fn
        >>> reward = ArealReward(exact_match_reward_fn)
        >>> reward("2 + 2?", "#### 4", [], [], answer="4")
        1.0
        >>> reward("2 + 2?", "#### 4", [], [], answer="")
        0.0
        >>> reward.guarded.counts.failures
        {'invalid_gold': 1}

    Explained in :ref:`trainers`.
    """

    def __init__(self, reward_fn: RewardFn, on_failure: Policy = 0.0):
        self.guarded = _guard(reward_fn, on_failure)
        self.__name__ = self.guarded.__name__
        if is_async(reward_fn):
            raise TypeError(
                f"`{self.__name__}` is asynchronous, and AReaL's pool does not await. Use "
                "'reference_impl.adapters.areal.ArealWorkflow' as the workflow, which does."
            )

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one sample.

        Args:
            prompt: The prompt in the policy's template, as text.
            completions: The completion with its special tokens, as text.
            prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
            completion_ids: The tokens of the completion, shape (completion_tokens,).
            **columns: The whole row of the data set, `messages` included.

        Returns:
            The reward, or what the policy says that a failure is worth.

        Raises:
            MissingColumnError: If the row lacks a column that the reward function needs.
            Exception: The reward function's own error, if the policy is `"raise"`.
        """
        sample = Sample(prompt, completions, prompt_ids, completion_ids, columns)
        return score_batch(self.guarded, [sample])[0]


class ArealAgent:
    """An agent of one turn for AReaL's agents: it asks the policy, and pays what it says.

    AReaL makes it anew for each row, from its path and its arguments. Its configuration must have
    `rollout.agent.agent_cls_path` set, to whatever text::

        trainer.train(
            workflow="reference_impl.adapters.areal.ArealAgent",
            workflow_kwargs={"reward_fn": "reference_impl.gsm8k_reward_fn", "temperature": 1.0},
        )

    For more turns, derive from it, write a `run` of your own, and pay each completion with `score`:
    `return {completion.id: await self.score(data, text)}`. AReaL adds to the reward of a turn those
    of the turns after it, times `rollout.agent.turn_discount`, which is 1.0 by default.

    A number or `"raise"` is allowed, and 0.0 is the default. What AReaL 1.0 does:

    - An exception rejects the episode with its group, at once.
    - None and an int are a ValueError, and do the same. This agent pays floats.
    - NaN is None when it comes back from AReaL's server, and rejects the group, too. It does not
      get there: the guard makes a failure of it.
    - A reward for an id that there is not is logged as an error, and otherwise lost.
    - A slow call is waited for. It is given no time limit.

    Asynchronous rewards are awaited, synchronous ones run in threads. The reward function gets no
    tokens, since the agent's side of the protocol has none.

    Args:
        reward_fn: The bare reward function, or its import path.
        on_failure: The number that a failure is worth, or `"raise"`.
        **sampling: What to pass with each request for a completion, such as `temperature`.

    Attributes:
        guarded: The reward with its policy. If it was given as a path, all agents of a process
            share it, and `guarded.counts` has its failures by reason.

    Raises:
        TypeError: If the reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none that AReaL can take.
        UnprovenVersionError: If AReaL is installed in a version that was not proven.

    Source:
        AReaL 1.0.4, `OpenAIProxyWorkflow` in `areal/experimental/openai/proxy/workflow.py`.

    Example:
        >>> agent = ArealAgent("reference_impl.exact_match_reward_fn", temperature=1.0)
        >>> row = {"messages": [{"role": "user", "content": "2 + 2?"}], "answer": "4"}
        >>> asyncio.run(agent.score(row, "#### 4"))
        1.0

    Explained in :ref:`trainers`.
    """

    def __init__(self, reward_fn: RewardFn | str, on_failure: Policy = 0.0, **sampling: Any):
        self.guarded = _guard_messages(reward_fn, on_failure)
        self.sampling = sampling

    async def run(self, data: dict[str, Any], **connection: Any) -> dict[str, float]:
        """Ask for one completion, and score it.

        Args:
            data: The row of the data set. Its `messages` are the prompt.
            **connection: `base_url`, `api_key` and `http_client` of the policy. What AReaL does not
                pass is read from the environment, where it is if the agent has its own process.

        Returns:
            The reward by the id of the completion.

        Raises:
            MissingColumnError: If the row lacks a column that the reward function needs.
            Exception: The reward function's own error, if the policy is `"raise"`, or the
                server's.
        """
        from openai import AsyncOpenAI

        known = {name: connection.get(name) for name in ("base_url", "api_key", "http_client")}
        client = AsyncOpenAI(max_retries=0, **known)
        try:
            completion = await client.chat.completions.create(
                model="default", messages=data["messages"], **self.sampling
            )
        finally:
            if known["http_client"] is None:  # else it is AReaL's, and all agents share it
                await client.close()
        return {completion.id: await self.score(data, completion.choices[0].message.content)}

    async def score(self, data: dict[str, Any], completion: str) -> float:
        """Score what the policy said.

        Args:
            data: The row of the data set.
            completion: What was said, as text or as messages.

        Returns:
            The reward, or what the policy says that a failure is worth.

        Raises:
            MissingColumnError: If the row lacks a column that the reward function needs.
            Exception: The reward function's own error, if the policy is `"raise"`.
        """
        return await _score(self.guarded, Sample(data["messages"], completion, [], [], data))


def check_areal_row(reward: RewardFn | str, row: Mapping[str, Any]) -> None:
    """Refuse a data set with whose rows the reward cannot be called.

    Call it with the first row before training: AReaL would reject row after row without an end.

    Args:
        reward: The reward function, its import path, or an `ArealReward`.
        row: A row of the data set.

    Returns:
        Nothing, if the row fits.

    Raises:
        MissingColumnError: If it lacks a column that the reward needs, or has one of a name that
            AReaL passes itself.

    Example:
        >>> check_areal_row("reference_impl.gsm8k_reward_fn", {"messages": [], "gold": "#### 4"})
        Traceback (most recent call last):
            ...
        reference_impl.adapters.batch.MissingColumnError: `gsm8k_reward_fn`: it needs the column \
`answer`, which the sample lacks: add it to the sample, or give the argument a default.

    Explained in :ref:`trainers-failure`.
    """
    if isinstance(reward, str):
        reward = load_reward_fn(reward)
    if isinstance(reward, ArealReward):
        reward = reward.guarded.reward_fn
    taken = [f"`{name}`" for name in FIELDS if name in row]
    if taken:
        raise MissingColumnError(
            f"The row has the column {' and '.join(taken)}, which AReaL passes itself: rename it."
        )
    if "messages" not in row:
        raise MissingColumnError(
            "The row has no column `messages`, of which AReaL makes the prompt: add it, such as "
            '[{"role": "user", "content": question}].'
        )
    check_columns(GuardedReward(reward), row)


def __getattr__(name: str) -> Any:
    # AReaL imports a workflow by its path, which needs the class to be found here.
    if name == "ArealWorkflow":
        return _workflow_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _workflow_class() -> type:
    from areal.workflow.rlvr import RLVRWorkflow

    class ArealWorkflow(RLVRWorkflow):
        """AReaL's workflow for one completion, with a reward that is awaited in the event loop.

        For a judge, a critic's client and whatever else waits: all rollouts wait at the same time,
        so that a server can make batches of them, and nothing is paid 0 for its slowness. A
        synchronous reward waits in one of 64 threads. For one that computes, use `ArealReward`, or
        hand over a `reference_impl.AsyncRewardWrapper`, whose processes end at their deadline.

            trainer.train(
                workflow="reference_impl.adapters.areal.ArealWorkflow",
                workflow_kwargs={"reward_fn": "my_rewards.judge", "on_failure": "raise", ...},
            )

        Give the path, not an object: AReaL passes on the name of an object's class, and none of
        its arguments. The policies are those of `ArealReward`, and so is the default, 0.0. For a
        server that may be down choose `"raise"`, and see to it that the run stops then
        (`examples/areal_gsm8k_critic.py`): AReaL itself rejects and draws another row, for ever.

        The reward function gets what the user said last as the prompt, and not the policy's
        template around it.

        Args:
            reward_fn: The bare reward function, or its import path.
            gconfig: How completions are sampled.
            tokenizer: The policy's tokenizer, or its path.
            on_failure: The number that a failure is worth, or `"raise"`.
            **options: Further arguments of AReaL's `RLVRWorkflow`.

        Source:
            AReaL 1.0.4, `RLVRWorkflow` in `areal/workflow/rlvr.py`.
        """

        def __init__(
            self,
            reward_fn: RewardFn | str,
            gconfig: Any,
            tokenizer: Any,
            on_failure: Policy = 0.0,
            **options: Any,
        ):
            self.guarded = _guard_messages(reward_fn, on_failure)
            super().__init__(self.guarded, gconfig, tokenizer, **options)

        async def _compute_rewards(
            self, resp: Any, prompt_str: str, task_data: dict[str, Any]
        ) -> float:
            """Await the reward."""
            prompt = self.data_extract_prompt_fn(task_data)
            completion = self.tokenizer.decode(resp.output_tokens)
            ids = (resp.input_tokens, resp.output_tokens)
            return await _score(self.guarded, Sample(prompt, completion, *ids, task_data))

    ArealWorkflow.__qualname__ = "ArealWorkflow"  # where it is found, also by pickle
    return ArealWorkflow


def _guard(reward_fn: RewardFn, on_failure: Policy) -> GuardedReward:
    check_version("areal")
    if isinstance(reward_fn, ArealReward):
        raise TypeError("The reward is an `ArealReward`: give the bare function in it.")
    return guard(reward_fn, on_failure, "AReaL", allows=("raise", "number"))


def _guard_messages(reward_fn: RewardFn | str, on_failure: Policy) -> GuardedReward:
    if isinstance(reward_fn, str):
        return _guard_path(reward_fn, on_failure)
    return read_messages(_guard(reward_fn, on_failure))


# AReaL makes a new workflow for each row. The counts must outlast it.
@functools.lru_cache(maxsize=None, typed=True)
def _guard_path(path: str, on_failure: Policy) -> GuardedReward:
    return _guard_messages(load_reward_fn(path), on_failure)


async def _score(guarded: GuardedReward, sample: Sample) -> float:
    """Score one sample without holding up the event loop."""
    if isinstance(guarded, AsyncGuardedReward):
        [reward] = await score_batch_async(guarded, [sample])
    else:
        loop = asyncio.get_running_loop()
        [reward] = await loop.run_in_executor(_threads(), score_batch, guarded, [sample])
    return reward


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="rewards")


# A forked process has none of its parent's threads, and would wait for them for ever. AReaL forks
# the processes of its agents.
if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_threads.cache_clear)
