"""SGLangCritic: ask an SGLang server for the score of a completion."""

from dataclasses import dataclass
from typing import Any, Literal

from reference_impl.critic.endpoints.answer import check_settings, pick_score, the_only
from reference_impl.critic.endpoints.conversation import Messages, as_text
from reference_impl.critic.endpoints.transport import check_url, post_json


@dataclass(frozen=True)
class SGLangCritic:
    """A reward model that SGLang serves, as a reward function.

    Start the server with `python -m sglang.launch_server --model-path MODEL --is-embedding`. This
    asks its native `/classify`, which gives the raw output of the model. `/v1/classify` will not
    do: it applies a softmax, and the softmax of one score is always 1.

    `/classify` takes text only. So the chat template is applied here, with the model's tokenizer,
    which needs transformers and Jinja, but not torch.

    The object holds nothing but its settings. It pickles, and threads and processes may share it.
    SGLang batches what it is asked at the same time, so have many calls under way.

    Args:
        url: The address of the server. It is never taken from a column.
        model: The name under which the server knows the model.
        tokenizer: The folder or hub id of the model's tokenizer, with its chat template.
        prompt_format: `"text"` if a prompt is what the user wrote. `"templated"` if it has been
            through the model's chat template already, as AReaL's workflows do.
        label: Which output is the score, by index, if the model has several.
        timeout_seconds: The time for a call, attempts and waits included, in seconds.

    Raises:
        CriticConfigError: If a setting is out of range.

    Source:
        SGLang, "SGLang Native APIs", section "Classify (reward model)",
        https://docs.sglang.io/basic_usage/native_api.html.

    Example:
        >>> SGLangCritic("http://127.0.0.1:30000/", "my-critic", "models/critic").url
        'http://127.0.0.1:30000'

    Explained in :ref:`critic-endpoints`.
    """

    url: str
    model: str
    tokenizer: str
    prompt_format: Literal["text", "templated"] = "text"
    label: int | None = None
    timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", check_url(self.url))
        check_settings(self.label, self.timeout_seconds, self.prompt_format)

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
            CriticConfigError: If the tokenizer does not load or has no chat template.
            CriticOverloadedError: If the server was overloaded until the time was over.
            CriticUnavailableError: If it gave no useful answer in time.
        """
        text = as_text(self.tokenizer, prompt, completions, self.prompt_format)
        request = {"model": self.model, "text": [text]}
        answer = post_json(f"{self.url}/classify", request, self.timeout_seconds)
        outputs = the_only(answer, self.url).get("embedding")
        return pick_score(outputs, self.label, self.url)
