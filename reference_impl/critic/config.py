"""Every setting of a critic: from arguments or the environment, never from a data set."""

import dataclasses
import json
import math
import os
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from reference_impl.critic.error import CriticConfigError
from reference_impl.critic.steps import parse_steps

_PREFIX = "REWARD_MODEL_"
# The environment variables are named after the fields, but for the one that everybody expects.
_VARIABLE_OF = {"model": "REWARD_MODEL_PATH"}


@dataclass(frozen=True)
class CriticConfig:
    """What a critic is and how it reads, scores and batches.

    The fields are plain values, so that a configuration can be written as JSON, compared, hashed
    and sent to another process. No field is ever read from a data set's columns.

    Attributes:
        model: A folder with a model, or a hub id such as `"Skywork/Skywork-Reward-V2-Qwen3-0.6B"`.
        revision: Branch, tag or commit of a hub id. Name a commit, and the weights cannot change.
        device: `"cuda"`, `"cuda:1"`, `"mps"` or `"cpu"`. None takes the first of these there is.
        dtype: `"float32"`, `"bfloat16"` or `"float16"`. None is bfloat16 on a GPU, else float32.
        max_length: The longest input, in tokens. None is what the model was built for.
        truncation_side: Which end of a completion that is too long is cut off: `"left"` keeps its
            end, where the answer stands, `"right"` its beginning.
        template: How prompt and completion become one text. `"chat"` uses the tokenizer's chat
            template, `"pair"` its own way to join two texts (encoders such as DeBERTa), and
            `"plain"` puts one behind the other.
        chat_template: A Jinja chat template in place of the tokenizer's own.
        prompt_format: `"text"` if prompts are what the user wrote. `"templated"` if they have been
            through this model's chat template already, up to where the completion begins.
        append_eos: Whether to end the input with the tokenizer's end-of-sequence token, if the
            template has not. Some models were trained so.
        policy_tokenizer: The folder or hub id of the policy's tokenizer. If it is the critic's
            own, the token ids that the trainer passes are used in place of the texts.
        label: Which output to read, by index or by name, if the model has several.
        label_weights: The weight of each output, in place of `label`. The score is their sum.
        readout: What is read: the `"logit"`, or the `"probability"` (softmax over the outputs).
        steps: What is done to a score, in order, such as `"affine(0.5, -1), sigmoid"`. See
            `parse_steps`.
        strategy: How samples are batched. `"auto"` packs if that is exact for this model, and pads
            otherwise. `"packed"`, `"padded"` and `"per_sample"` name one.
        token_budget: How many tokens go through the model at a time, padding included.

    Raises:
        CriticConfigError: If a value is not one of those.

    Example:
        >>> config = CriticConfig("models/critic", steps="sigmoid")
        >>> config == CriticConfig.from_json(config.to_json())
        True

    Explained in :ref:`critic-settings`.
    """

    model: str
    revision: str | None = None
    device: str | None = None
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    max_length: int | None = None
    truncation_side: Literal["left", "right"] = "left"
    template: Literal["chat", "pair", "plain"] = "chat"
    chat_template: str | None = None
    prompt_format: Literal["text", "templated"] = "text"
    append_eos: bool = False
    policy_tokenizer: str | None = None
    label: int | str | None = None
    label_weights: tuple[float, ...] | None = None
    readout: Literal["logit", "probability"] = "logit"
    steps: str = ""
    strategy: Literal["auto", "packed", "padded", "per_sample"] = "auto"
    token_budget: int = 4096

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check_field(field.name, _TYPES[field.name], getattr(self, field.name))
        if not self.model:
            raise CriticConfigError("`model` is empty. Name a folder or a hub id.")
        for name in ("max_length", "token_budget"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise CriticConfigError(f"`{name}` is {value}. Give a number of tokens above 0.")
        if self.label is not None and self.label_weights is not None:
            raise CriticConfigError("Give `label` or `label_weights`, not both.")
        if self.label_weights is not None and not all(map(_is_finite, self.label_weights)):
            raise CriticConfigError("`label_weights` holds a number that is not finite.")
        if self.template != "chat" and (self.chat_template or self.prompt_format == "templated"):
            raise CriticConfigError(
                "`chat_template` and `prompt_format='templated'` go with `template='chat'` only."
            )
        parse_steps(self.steps)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the configuration from environment variables.

        `REWARD_MODEL_PATH` is the model. Each other field has the variable `REWARD_MODEL_` and its
        name in capitals, such as `REWARD_MODEL_DTYPE`. Lists are written as JSON.

        Args:
            environment: The variables by name.

        Returns:
            The configuration.

        Raises:
            CriticConfigError: If `REWARD_MODEL_PATH` is not set, a value has the wrong form, or a
                variable that begins with `REWARD_MODEL_` names no field.

        Example:
            >>> CriticConfig.from_environment({"REWARD_MODEL_PATH": "m"}).model
            'm'
        """
        field_of = {
            _VARIABLE_OF.get(field.name, _PREFIX + field.name.upper()): field.name
            for field in dataclasses.fields(cls)
        }
        given = {name: value for name, value in environment.items() if name.startswith(_PREFIX)}
        unknown = sorted(set(given) - set(field_of))
        if unknown:
            raise CriticConfigError(
                f"{', '.join(unknown)}: no such setting. There are {', '.join(field_of)}."
            )
        if not given.get("REWARD_MODEL_PATH"):
            raise CriticConfigError(
                "REWARD_MODEL_PATH is not set. Set it to the folder or hub id of a reward model."
            )
        return cls(
            **{field_of[name]: _parsed(field_of[name], text) for name, text in given.items()}
        )

    def to_json(self) -> str:
        """Write the configuration as JSON.

        Returns:
            A JSON object with every field.
        """
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a configuration that `to_json` wrote.

        Args:
            text: A JSON object.

        Returns:
            The configuration.

        Raises:
            CriticConfigError: If it is no JSON object, or holds an unknown field or a bad value.
        """
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CriticConfigError(f"The configuration is not JSON: {error}") from error
        if not isinstance(fields, dict) or not set(fields) <= set(_TYPES) or "model" not in fields:
            raise CriticConfigError(
                f"The configuration must be a JSON object with `model` and, if you like, any of "
                f"{', '.join(_TYPES)}."
            )
        if isinstance(fields.get("label_weights"), list):
            fields["label_weights"] = tuple(fields["label_weights"])
        return cls(**fields)


_TYPES: dict[str, Any] = typing.get_type_hints(CriticConfig)


def _check_field(name: str, expected: Any, value: object) -> None:
    if not _fits(expected, value):
        raise CriticConfigError(f"`{name}` is {value!r}. It must be {_words(expected)}.")


def _fits(expected: Any, value: object) -> bool:
    origin = typing.get_origin(expected)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(choice, value) for choice in typing.get_args(expected))
    if origin is Literal:
        return value in typing.get_args(expected)
    if origin is tuple:
        return isinstance(value, tuple) and all(
            isinstance(item, int | float) and not isinstance(item, bool) for item in value
        )
    return type(value) is expected  # a bool is no int here


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an int beyond the floats
        return False


def _words(expected: Any) -> str:
    origin = typing.get_origin(expected)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_words(choice) for choice in typing.get_args(expected))
    if origin is Literal:
        return " or ".join(repr(choice) for choice in typing.get_args(expected))
    if origin is tuple:
        return "a tuple of numbers"
    return {str: "text", int: "a whole number", bool: "True or False", type(None): "None"}[expected]


def _parsed(name: str, text: str) -> Any:
    """Read a field's value from text, by the type that the field has."""
    expected = _TYPES[name]
    if name == "label":
        return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else text
    if not any(_fits(expected, sample) for sample in (0, True, ())):
        return text
    try:
        value = json.loads(text.lower())
    except ValueError:
        value = text  # refused by the check of the field, which says what it must be
    return tuple(value) if isinstance(value, list) else value
