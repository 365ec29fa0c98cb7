"""What a reward model is trained with: the pairwise loss."""

import torch
from torch.nn import functional


def bradley_terry_loss(chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
    """Compute the loss of preference pairs: how surprised the model is by what was preferred.

    The model says that the chosen completion of a pair wins with the probability
    `sigmoid(chosen - rejected)`. The loss is the mean of its negative logarithm. It is 0.69 for a
    model that cannot tell, and it does not change if all scores of a prompt are raised alike.

    Args:
        chosen: The scores of the preferred completions, shape (pairs,).
        rejected: The scores of the others, in the same order, shape (pairs,).

    Returns:
        The loss, shape ().

    Source:
        Bradley and Terry, Rank analysis of incomplete block designs, Biometrika 39 (1952); Ouyang
        et al., InstructGPT (2022, arXiv 2203.02155), Eq. 1.

    Example:
        >>> loss = bradley_terry_loss(torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 0.0]))
        >>> round(loss.item(), 4)
        0.3709

    Explained in :ref:`critic-train`.
    """
    return -functional.logsigmoid(chosen - rejected).mean()
