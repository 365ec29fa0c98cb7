"""A loaded critic: tokens in, logits, scores out. All that needs torch is behind this."""

from collections.abc import Sequence

import torch

from reference_impl.critic.config import CriticConfig
from reference_impl.critic.forward import ForwardPass
from reference_impl.critic.inputs import CriticInput, InputBuilder
from reference_impl.critic.loading import load_model
from reference_impl.critic.readout import Readout


class LoadedCritic:
    """A model with what reads its inputs and its outputs.

    Args:
        config: The configuration, which names the model.

    Attributes:
        inputs: Makes the inputs.
        forward: Computes the logits.
        readout: Reads the scores off them.

    Explained in :ref:`critic-loading`.
    """

    def __init__(self, config: CriticConfig):
        loaded = load_model(config)
        self.readout = Readout(config, loaded.model.config)
        self.inputs = InputBuilder(
            loaded.tokenizer,
            config,
            loaded.max_length,
            loaded.same_tokenizer,
            loaded.model.config.get_text_config().vocab_size,
        )
        self.forward = ForwardPass(
            loaded.model, config.strategy, config.token_budget, loaded.tokenizer.all_special_ids
        )

    def raw_scores(self, inputs: Sequence[CriticInput]) -> list[float]:
        """Score inputs, before any step.

        Args:
            inputs: The inputs. One thread at a time.

        Returns:
            The scores, shape (inputs,). They may be NaN or infinite.
        """
        return self.readout(self.forward.logits(inputs)).tolist()


def use_one_thread() -> None:
    """Compute with one thread: a forked process has the parent's pool, but not its threads."""
    torch.set_num_threads(1)


def give_memory_back() -> None:
    """Give cached GPU memory back to the driver."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
