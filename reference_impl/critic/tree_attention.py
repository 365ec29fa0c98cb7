"""Attention over a prefix tree: each token sees its ancestors and itself, and nothing else.

Transformers calls it under the name `prefix_tree` (its AttentionInterface). For each node there are
two calls of a fused kernel: the node's tokens over themselves, causal, and all of its descendants
over the node, without a mask, since they see all of it. What a token gets from each of its
ancestors is put together by the kernels' log-sum-exp: softmax over a union of keys is the mean of
the softmaxes over the parts, weighted by their sums of exponentials. The same identity splits the
keys in FlashAttention (Dao et al. 2022, section 3.1).

No mask of shape (rows, rows) is ever made, and a branch costs nothing to its neighbours.
"""

import torch
from transformers import AttentionInterface, AttentionMaskInterface

from reference_impl.critic.prefix_tree import Node

NAME = "prefix_tree"

# What a model may pass that changes nothing here. Anything else it passes may be part of its
# attention, such as a soft cap or sinks, and is refused.
_HARMLESS = {
    "cache_position",
    "cu_seq_lens_k",
    "cu_seq_lens_q",
    "is_causal",
    "layer_idx",
    "max_length_k",
    "max_length_q",
    "output_attentions",
    "output_hidden_states",
    "position_ids",
    "return_dict",
    "sliding_window",
    "use_cache",
}


class UnsupportedAttentionError(RuntimeError):
    """A model needs what the tree attention does not do: its inputs are padded instead."""


def tree_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    nodes: list[Node] | None = None,
    ends: list[tuple[int, Node]] | None = None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """Attend over the prefix tree of a pack.

    Args:
        module: The attention layer that calls.
        query: Shape (1, heads, rows, head_dim).
        key: Shape (1, key_value_heads, rows, head_dim).
        value: Shape (1, key_value_heads, rows, head_dim).
        attention_mask: Not used: the nodes say who sees whom.
        nodes: The nodes of the pack, each before its descendants.
        ends: The rows whose output is needed after the last layer, each with its node. That layer
            computes no others.
        dropout: Must be 0.
        scaling: The factor of the scores before the softmax.
        **options: What else the model passes to its attention.

    Returns:
        The output, shape (1, rows, heads, head_dim), and None for the weights.

    Raises:
        UnsupportedAttentionError: If the model needs what is not here.

    Source:
        Dao et al., FlashAttention (2022), section 3.1, for the merging of partial softmaxes.

    Explained in :ref:`critic-packing`.
    """
    unknown = [
        name
        for name, given in options.items()
        if name not in _HARMLESS and given is not None and given is not False
    ]
    if unknown or dropout or nodes is None:
        raise UnsupportedAttentionError(
            f"{type(module).__name__} passes {', '.join(unknown) or 'no tree, or dropout'}"
        )
    if ends and getattr(module, "layer_idx", None) == module.config.num_hidden_layers - 1:
        return _attend_at(ends, query, key, value, scaling), None
    attend = _kernel(query)
    output = torch.empty_like(query.transpose(1, 2)).transpose(1, 2)
    # Only what has descendants or ancestors needs its log-sum-exp.
    exponents = query.new_empty(query.shape[:3], dtype=torch.float32)
    for node in nodes:
        own = slice(node.start, node.end)
        output[:, :, own], exponents[:, :, own] = attend(
            query[:, :, own], key[:, :, own], value[:, :, own], True, scaling
        )
    for node in nodes:
        if node.subtree_end == node.end:
            continue
        own, below = slice(node.start, node.end), slice(node.end, node.subtree_end)
        part, exponent = attend(
            query[:, :, below], key[:, :, own], value[:, :, own], False, scaling
        )
        so_far = exponents[:, :, below]
        weight = torch.sigmoid(exponent - so_far).unsqueeze(-1).to(part.dtype)
        output[:, :, below].lerp_(part, weight)
        torch.logaddexp(so_far, exponent, out=so_far)
    return output.transpose(1, 2), None


def _attend_at(ends, query, key, value, scale) -> torch.Tensor:
    """Compute single rows, each over its ancestors and its own node up to itself."""
    output = torch.zeros_like(query.transpose(1, 2))
    for row, node in ends:
        path = [slice(node.start, row + 1)]
        while node := node.parent:
            path.append(slice(node.start, node.end))
        output[:, row] = torch.nn.functional.scaled_dot_product_attention(
            query[:, :, row : row + 1],
            torch.cat([key[:, :, part] for part in path], dim=2),
            torch.cat([value[:, :, part] for part in path], dim=2),
            scale=scale,
            enable_gqa=True,
        )[:, :, 0]
    return output


def _kernel(query: torch.Tensor):
    """Choose the fused kernel of a device: (query, key, value, causal, scale) to output and LSE."""
    if query.device.type == "cpu":
        return _attend_on_cpu
    if query.device.type == "cuda" and query.dtype in (torch.bfloat16, torch.float16):
        return _attend_on_cuda
    raise UnsupportedAttentionError(f"no kernel for {query.dtype} on {query.device.type}")


def _attend_on_cpu(query, key, value, causal, scale):
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, causal, scale=scale
    )


def _attend_on_cuda(query, key, value, causal, scale):
    groups = query.shape[1] // key.shape[1]
    if groups > 1:  # this kernel wants as many heads of keys as of queries
        key = key.repeat_interleave(groups, dim=1)
        value = value.repeat_interleave(groups, dim=1)
    output, exponents, *_ = torch.ops.aten._scaled_dot_product_flash_attention(
        query, key, value, 0.0, causal, False, scale=scale
    )
    return output, exponents


AttentionInterface.register(NAME, tree_attention)
# The tree says who sees whom, so no mask is made.
AttentionMaskInterface.register(NAME, lambda *arguments, **options: None)
