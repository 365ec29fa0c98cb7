"""From a model's outputs to one score: which output is read, and how."""

import torch
from transformers import PreTrainedConfig

from reference_impl.critic.config import CriticConfig
from reference_impl.critic.error import CriticConfigError


class Readout:
    """Read one score off the outputs of a model.

    The score is a weighted sum of the logits, or of their softmax. With `label`, one output has the
    weight 1. A model of one output needs neither.

    Args:
        config: The critic's configuration.
        model_config: The model's, which names its outputs.

    Raises:
        CriticConfigError: If the model has several outputs and none is named, or the names do not
            fit the model.

    Explained in :ref:`critic-scores`.
    """

    def __init__(self, config: CriticConfig, model_config: PreTrainedConfig):
        outputs = model_config.num_labels
        self._probability = config.readout == "probability"
        if self._probability and outputs == 1:
            raise CriticConfigError(
                "The model has one output, whose softmax is always 1. Set steps='sigmoid' to map "
                "its logit to (0, 1)."
            )
        if config.label_weights is not None:
            weights = list(config.label_weights)
            if len(weights) != outputs:
                raise CriticConfigError(
                    f"`label_weights` has {len(weights)} numbers, the model {outputs} outputs."
                )
        else:
            weights = [0.0] * outputs
            weights[_index(config.label, model_config)] = 1.0
        self._weights = torch.tensor(weights)

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """Read the scores.

        Args:
            logits: float32, shape (batch, outputs).

        Returns:
            The scores, float32, shape (batch,).
        """
        return (logits.softmax(-1) if self._probability else logits) @ self._weights


def _index(label: int | str | None, model_config: PreTrainedConfig) -> int:
    outputs = model_config.num_labels
    names = {str(name): int(index) for index, name in (model_config.id2label or {}).items()}
    if label is None and outputs == 1:
        return 0
    if isinstance(label, str) and label in names:
        return names[label]
    if isinstance(label, int) and 0 <= label < outputs:
        return label
    problem = "None is named" if label is None else f"`label` is {label!r}"
    raise CriticConfigError(
        f"The model has {outputs} outputs: {', '.join(names) or 'without names'}. {problem}: set "
        "`label` to one of them, or to its index, or give `label_weights`."
    )
