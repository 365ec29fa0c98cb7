"""VLLMCritic: ask a vLLM server for the score of a completion."""

from dataclasses import dataclass
from typing import Any, Literal

from reference_impl.critic.endpoints.answer import check_settings, pick_score, the_only
from reference_impl.critic.endpoints.conversation import Messages, as_messages, as_text
from reference_impl.critic.endpoints.transport import check_url, post_json
from reference_impl.critic.error import CriticConfigError, CriticUnavailableError


@dataclass(frozen=True)
class VLLMCritic:
    """A reward model that vLLM serves, as a reward function.

    Start the server with `vllm serve MODEL --runner pooling`, vLLM 0.13 or later. The score is the
    raw output of the model: by default vLLM would apply a sigmoid or softmax, and this asks it not
    to. (Older servers ignore that wish, or know it by another name.) The server applies its own
    chat template. It refuses a sample that is longer than the model takes.

    The object holds nothing but its settings. It pickles, and threads and processes may share it.
    vLLM batches what it is asked at the same time, so have many calls under way.

    Args:
        url: The address of the server. It is never taken from a column.
        model: The name under which the server knows the model.
        prompt_format: `"text"` if a prompt is what the user wrote. `"templated"` if it has been
            through the model's chat template already, as AReaL's workflows do.
        tokenizer: The folder or hub id of the model's tokenizer, for `"templated"` alone. This
            needs transformers and Jinja, but not torch.
        label: Which output is the score, by index, if the model has several.
        timeout_seconds: The time for a call, attempts and waits included, in seconds.

    Raises:
        CriticConfigError: If a setting is out of range.

    Source:
        vLLM, "Classification Usages",
        https://docs.vllm.ai/en/stable/models/pooling_models/classify/.

    Example:
        >>> VLLMCritic("http://127.0.0.1:8000/", "my-critic").url
        'http://127.0.0.1:8000'

    Explained in :ref:`critic-endpoints`.
    """

    url: str
    model: str
    prompt_format: Literal["text", "templated"] = "text"
    tokenizer: str | None = None
    label: int | None = None
    timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", check_url(self.url))
        check_settings(self.label, self.timeout_seconds, self.prompt_format)
        if self.prompt_format == "templated" and not self.tokenizer:
            raise CriticConfigError(
                "`prompt_format='templated'` needs a `tokenizer`, to know how a message ends."
            )

    def __call__(
        self,
        prompt: str | Messages,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one sample.

        Args:
            prompt: The prompt as text, or the messages before the completion.
            completions: The one completion to score, as text.
            prompt_ids: Not used.
            completion_ids: Not used.
            **columns: Not used.

        Returns:
            The score, a finite float.

        Raises:
            InvalidSampleError: If the sample cannot be scored, or the server refuses it.
            InvalidScoreError: If the answer holds no finite score.
            CriticOverloadedError: If the server was overloaded until the time was over.
            CriticUnavailableError: If it gave no useful answer in time.
        """
        request: dict[str, Any] = {"model": self.model, "use_activation": False}
        if self.prompt_format == "templated" and isinstance(prompt, str):
            request["input"] = as_text(self.tokenizer, prompt, completions, "templated")
        else:
            request["messages"] = as_messages(prompt, completions)
        answer = post_json(f"{self.url}/classify", request, self.timeout_seconds)
        if not isinstance(answer, dict):
            raise CriticUnavailableError(f"{self.url} is no vLLM server: its answer is no object.")
        return pick_score(the_only(answer.get("data"), self.url).get("probs"), self.label, self.url)
