"""verifiers: one reward function for the tasks of 0.4, and for the rubrics of 0.3."""

from collections.abc import Mapping, Sequence
from typing import Any

from reference_impl.adapters.awaited import score_awaited
from reference_impl.adapters.batch import Sample
from reference_impl.adapters.components import component_names, keep_components, split_outcome
from reference_impl.adapters.guard import Policy, guard
from reference_impl.adapters.messages import read_messages
from reference_impl.adapters.rows import row_columns
from reference_impl.adapters.text import Text
from reference_impl.adapters.versions import check_version
from reference_impl.contract.reward_fn import FIELDS, RewardFn

#: What a rubric passes beside the columns of the data set.
NOT_COLUMNS = ("state", "task", "parser")


class VerifiersReward:
    """A reward function in the shape that a task of verifiers 0.4 awaits.

    Make it one of the rewards of a task: `correct = vf.reward(VerifiersReward(reward_fn))`, with
    `weight=` if it has one. Or name it in the configuration of a run, as
    `--env.taskset.task.rewards.correct.fn my_rewards.py:reward`.

    `"raise"` is the default, and a number is allowed. What verifiers does with each outcome:

    - An exception is recorded as a `TaskError` of the trace and stops nothing: `trace.ok` is False
      and the reward is there as None. But `trace.reward`, the sum, is then 0.0. Look at `trace.ok`
      before you use it.
    - None is a `TaskError` too, so that `"skip"` would be one more word for `"raise"`: refused.
    - NaN would be recorded as a reward. It does not get there.
    - A slow call is waited for, up to the task's `timeout.scoring` if it has one. A call that times
      out leaves the reward as None and `trace.ok` True. A synchronous reward runs in a thread,
      which goes on in the background then.

    The components of a `Composite` become metrics of the trace, as `NAME/COMPONENT`. One that was
    not scored is left out.

    The reward function gets as columns the fields of the task's data; the prompt as
    `task.prompt_text` has it; and the model's last reply, without the spaces around it. The tokens
    are those before the model's first one, and those that the model sampled, of the last branch.
    Where verifiers keeps no tokens, as in an evaluation, both are empty.

    Args:
        reward_fn: The bare reward function, synchronous or asynchronous.
        on_failure: `"raise"`, or the number that a failure is worth.

    Attributes:
        guarded: The reward with its policy. `guarded.counts` has the failures by reason.

    Raises:
        TypeError: If the reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none, or one that verifiers cannot take.
        UnprovenVersionError: If verifiers is installed in a version that was not proven.

    Source:
        verifiers 0.4, `Task.score` in `verifiers/v1/task.py`.

    Example:
        >>> import asyncio
        >>> from types import SimpleNamespace
        >>> from pydantic import BaseModel
        >>> from reference_impl import exact_match_reward_fn
        >>> class QuestionData(BaseModel):
        ...     prompt_text: str
        ...     answer: str
        >>> task = QuestionData(prompt_text="What is 2 + 2?", answer="4")
        >>> trace = SimpleNamespace(last_reply="#### 4", branches=[])
        >>> asyncio.run(VerifiersReward(exact_match_reward_fn)(task, trace))
        1.0

    Explained in :ref:`trainers`.
    """

    # It pickles by its attributes: `vf.reward` marks a reward by attributes that must not get lost.

    def __init__(self, reward_fn: RewardFn, on_failure: Policy = "raise"):
        check_version("verifiers")
        bare = guard(reward_fn, on_failure, "verifiers", allows=("raise", "number"))
        self.guarded = keep_components(bare)
        self._names = component_names(reward_fn)
        self.__name__ = self.guarded.__name__

    async def __call__(self, task: Any, trace: Any) -> float:
        """Score a trace. verifiers passes what the names of the arguments say.

        Args:
            task: The data of the task.
            trace: The trace of the rollout.

        Returns:
            The reward.

        Raises:
            MissingColumnError: If the task's data lacks what the reward function needs.
            Exception: The reward function's own error, if the policy is `"raise"`.
        """
        columns = {name: value for name, value in dict(task).items() if name not in FIELDS}
        sample = Sample(task.prompt_text, trace.last_reply, *_tokens(trace), columns)
        outcome = (await score_awaited(self.guarded, [sample]))[0]
        value, components = split_outcome(outcome, self._names)
        for name, component in components.items():
            if component is not None:
                trace.record_metric(f"{self.__name__}/{name}", component)
        return value


class VerifiersRubricReward:
    """A reward function in the shape that a rubric of verifiers 0.3 calls.

    `vf.Rubric(funcs=[VerifiersRubricReward(reward_fn)])`. The environments of 0.4 have no rubrics.

    A number is the only policy: a rubric of 0.3 turns each exception into a reward of 0.0, and the
    trainer cannot tell it from a wrong answer. The default says the same, and counts it. What a
    rubric does with each outcome:

    - An exception is logged as an error of the logger `verifiers` and paid 0.0. A missing column
      is one, under this policy too: look at the log of the first rollouts.
    - None is an exception.
    - NaN would be the reward of its rollout. It does not get there.
    - A slow call is waited for without a limit. A synchronous reward runs in a thread.

    The reward function gets as columns the data set's row, and `answer` as `answer_column`. Of
    messages it gets the text of the user's last one, and what the assistant says. It gets no
    tokens.

    Args:
        reward_fn: The bare reward function, synchronous or asynchronous.
        on_failure: The number that a failure is worth.
        answer_column: The column as which the reward function gets `answer`.

    Attributes:
        guarded: The reward with its policy. `guarded.counts` has the failures by reason.

    Raises:
        TypeError: If the reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none, or one that a rubric cannot take.
        UnprovenVersionError: If verifiers is installed in a version that was not proven.

    Source:
        verifiers 0.3, `Rubric._call_individual_reward_func` in
        `verifiers/legacy/rubrics/rubric.py`.

    Example:
        >>> import asyncio
        >>> from reference_impl import exact_match_reward_fn
        >>> reward = VerifiersRubricReward(exact_match_reward_fn)
        >>> asked = [{"role": "user", "content": "What is 2 + 2?"}]
        >>> said = [{"role": "assistant", "content": "#### 4"}]
        >>> asyncio.run(reward(prompt=asked, completion=said, answer="4", state={}))
        1.0

    Explained in :ref:`trainers`.
    """

    def __init__(self, reward_fn: RewardFn, on_failure: float = 0.0, answer_column: str = "answer"):
        check_version("verifiers")
        bare = guard(reward_fn, on_failure, "a rubric of verifiers", allows=("number",))
        self.guarded = read_messages(bare)
        self.answer_column = answer_column
        self.__name__ = self.guarded.__name__
        self._made_with = (reward_fn, on_failure, answer_column)

    async def __call__(self, prompt: Text, completion: Text, answer: Any, **others: Any) -> float:
        """Score a rollout.

        Args:
            prompt: The prompt, as text or messages.
            completion: The completion, as text or messages.
            answer: The gold answer.
            **others: The other columns of the row, and what else a rubric passes.

        Returns:
            The reward.

        Raises:
            MissingColumnError: If the row lacks a column that the reward function needs.
            ValueError: If there are two gold answers.
        """
        row = {name: value for name, value in others.items() if name not in NOT_COLUMNS}
        columns = row_columns(row, answer, self.answer_column)
        sample = Sample(_plain(prompt), _plain(completion), [], [], columns)
        return (await score_awaited(self.guarded, [sample]))[0]

    def __reduce__(self):
        return (type(self), self._made_with)


def _tokens(trace: Any) -> tuple[list[int], list[int]]:
    """Return the tokens before the model's first one, and those that the model sampled."""
    branches = trace.branches
    if not branches:
        return [], []
    tokens, sampled = branches[-1].token_ids, branches[-1].sampled_mask
    first = sampled.index(True) if True in sampled else len(tokens)
    return tokens[:first], [token for token, own in zip(tokens, sampled, strict=True) if own]


def _plain(messages: Text) -> Text:
    """Return messages as dicts: verifiers passes them as objects."""
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        return messages
    return [m if isinstance(m, Mapping) else m.model_dump() for m in messages]
