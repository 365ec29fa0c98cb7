"""Run a reward model over many inputs: packed into prefix trees, padded, or one by one.

All three give what the model's own forward pass gives for one sample by itself. That is the
reference, and at load the faster ones are compared with it.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from transformers import PreTrainedModel

from reference_impl.contract.error import describe_error
from reference_impl.critic import tree_attention
from reference_impl.critic.error import CriticLoadError
from reference_impl.critic.inputs import CriticInput
from reference_impl.critic.prefix_tree import Node, Pack, pack_sequences

logger = logging.getLogger("reference_impl.critic")

Strategy = Literal["packed", "padded", "per_sample"]

#: Rows that an MLP takes at a time on a CPU, so that what it computes stays in the cache.
MLP_ROWS = 512


class ForwardPass:
    """A reward model and the way in which its inputs are batched.

    Args:
        model: The model, in evaluation mode.
        strategy: The way to try first. `"auto"` packs a decoder and pads an encoder.
        token_budget: The most tokens of a batch, padding included. A longer input goes alone.
        special_ids: Token ids that the check leaves out.

    Attributes:
        strategy: The way that is taken.

    Raises:
        CriticLoadError: If the model gives no finite scores for plain tokens.

    Explained in :ref:`critic-packing`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        strategy: Literal["auto", "packed", "padded", "per_sample"],
        token_budget: int,
        special_ids: Sequence[int] = (),
    ):
        self._model = model
        self._token_budget = token_budget
        self._attention = model.config._attn_implementation
        self._rope_switch = _rope_switch(model)
        self._window = min(_window(model), self._rope_switch)
        # Decoders have a linear head named score, which transformers applies to the last token.
        self._is_decoder = isinstance(getattr(model, "score", None), torch.nn.Linear)
        self._last_layer: list[_OnlyRows] = []
        self._ways: dict[str, Callable[[list[CriticInput]], torch.Tensor]] = {
            "packed": self._packed,
            "padded": self._padded,
            "per_sample": self._per_sample,
        }
        self.strategy = self._checked(strategy, special_ids)

    def logits(self, inputs: Sequence[CriticInput]) -> torch.Tensor:
        """Compute the outputs of the model.

        Args:
            inputs: The inputs. One thread at a time.

        Returns:
            The logits on the CPU, float32, shape (inputs, outputs).
        """
        if not inputs:
            return torch.empty(0, self._model.config.num_labels)
        with torch.inference_mode():
            return self._ways[self.strategy](list(inputs))

    def _per_sample(self, inputs: list[CriticInput]) -> torch.Tensor:
        rows = []
        for sample in inputs:
            rows.append(self._model(**self._tensors([sample])).logits[0].float().cpu())
        return torch.stack(rows)

    def _padded(self, inputs: list[CriticInput]) -> torch.Tensor:
        logits = torch.empty(len(inputs), self._model.config.num_labels)
        for indices in self._batches([len(sample.ids) for sample in inputs]):
            batch = [inputs[index] for index in indices]
            tensors = self._tensors(batch)
            if self._is_decoder:
                hidden = self._model.base_model(**tensors, use_cache=False).last_hidden_state
                ends = torch.tensor([self._pooled(sample.ids) for sample in batch])
                rows = torch.arange(len(batch))
                outputs = self._model.score(hidden[rows.to(hidden.device), ends.to(hidden.device)])
            else:
                outputs = self._model(**tensors).logits
            logits[indices] = outputs.float().cpu()
        return logits

    def _packed(self, inputs: list[CriticInput]) -> torch.Tensor:
        fits = [i for i, sample in enumerate(inputs) if len(sample.ids) <= self._window]
        logits = torch.empty(len(inputs), self._model.config.num_labels)
        if len(fits) < len(inputs):  # a sliding window would cut the tree, for one
            rest = sorted(set(range(len(inputs))) - set(fits))
            logits[rest] = self._padded([inputs[i] for i in rest])
        self._model.set_attn_implementation(tree_attention.NAME)
        try:
            for pack in pack_sequences([inputs[i].ids for i in fits], self._token_budget):
                members = list(pack.last_node_of)
                outputs = self._forward_pack(
                    pack, [pack.locate(m, self._pooled(inputs[fits[m]].ids)) for m in members]
                )
                logits[[fits[member] for member in members]] = outputs.float().cpu()
        finally:
            self._model.set_attn_implementation(self._attention)
        return logits

    def _forward_pack(self, pack: Pack, ends: list[tuple[int, Node]]) -> torch.Tensor:
        """Compute the outputs at some rows of a pack, each with its node, shape (rows, outputs)."""
        device = self._model.device
        at = torch.tensor([row for row, _ in ends], device=device)
        for part in self._last_layer:
            part.rows = at
        try:
            hidden = self._model.base_model(
                input_ids=torch.tensor([pack.tokens], device=device),
                position_ids=torch.tensor([pack.positions], device=device),
                nodes=pack.nodes,
                ends=ends,
                use_cache=False,
            ).last_hidden_state
        finally:
            for part in self._last_layer:
                part.rows = None
        return self._model.score(hidden[0, at])

    def _tensors(self, batch: list[CriticInput]) -> dict[str, torch.Tensor]:
        """Pad on the right. What stands there is masked, so a decoder needs no pad token."""
        longest = max(len(sample.ids) for sample in batch)
        config = self._model.config.get_text_config()
        filler = config.pad_token_id or 0
        filler = filler if 0 <= filler < config.vocab_size else 0  # some configurations say -1
        device = self._model.device

        def rows(lists: list[list[int]], fill: int) -> torch.Tensor:
            return torch.tensor(
                [row + [fill] * (longest - len(row)) for row in lists], device=device
            )

        tensors = {"input_ids": rows([sample.ids for sample in batch], filler)}
        if len(batch) > 1:  # one sample alone goes in as the reference does
            ones = [[1] * len(sample.ids) for sample in batch]
            tensors["attention_mask"] = rows(ones, 0)
        if batch[0].type_ids is not None:
            tensors["token_type_ids"] = rows([sample.type_ids for sample in batch], 0)
        return tensors

    def _batches(self, lengths: list[int]) -> list[list[int]]:
        """Batch inputs of like lengths, none across the switch of a rotary embedding."""
        batches: list[list[int]] = []
        for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
            batch = batches[-1] if batches else []
            longest = lengths[batch[0]] if batch else 0
            same_side = (longest > self._rope_switch) == (lengths[index] > self._rope_switch)
            if batch and same_side and (len(batch) + 1) * longest <= self._token_budget:
                batch.append(index)
            else:
                batches.append([index])
        return batches

    def _pooled(self, ids: list[int]) -> int:
        """Find the token at which the model's own forward pass reads the score of one sample.

        That is the last one that is not the pad token, even where no token is padding. A model
        whose pad token is its EOS token is read before the EOS, and was trained so.
        """
        pad = self._model.config.get_text_config().pad_token_id
        for position in reversed(range(len(ids))):
            if ids[position] != pad:
                return position
        return 0

    def _checked(self, wanted: str, special_ids: Sequence[int]) -> Strategy:
        """Take the fastest way that agrees with the model's own forward pass."""
        ways = ["packed", "padded", "per_sample"]
        if wanted == "auto":
            ways = ways if self._is_decoder else ways[1:]
        else:
            ways = ways[ways.index(wanted) :]
        samples = self._check_inputs(special_ids)
        with torch.inference_mode():
            try:
                expected = self._per_sample(samples)
            except Exception as error:  # an architecture that wants more than token ids
                raise CriticLoadError(
                    f"The model does not score plain tokens: {describe_error(error)}"
                ) from error
            if not expected.isfinite().all():
                raise CriticLoadError(
                    "The model gives NaN or infinity for plain tokens: its weights are broken, or "
                    "do not fit into its dtype."
                )
            if "packed" in ways and self._is_decoder:
                self._last_layer = _wrap_rowwise(self._model)
            for way in ways:
                problem = self._disagreement(way, samples, expected)
                if not problem:
                    return way
                logger.warning("%s is not exact for this model (%s)", way, problem)
                _unwrap(self._model)
                self._last_layer = []
        raise AssertionError("the last way is the reference itself")

    def _check_inputs(self, special_ids: Sequence[int]) -> list[CriticInput]:
        """Make a small group with a shared beginning, and inputs that share nothing."""
        generator = torch.Generator().manual_seed(0)
        vocabulary = self._model.config.get_text_config().vocab_size
        usable = torch.ones(vocabulary)
        usable[[i for i in special_ids if 0 <= i < vocabulary]] = 0

        def tokens(count: int) -> list[int]:
            return torch.multinomial(usable, count, True, generator=generator).tolist()

        prompt = tokens(20)
        branch = prompt + tokens(10)
        group = [prompt, branch, branch + tokens(3), branch + tokens(12), prompt + tokens(17)]
        return [CriticInput(ids) for ids in [*group, tokens(25), tokens(1)]]

    def _disagreement(
        self, way: str, samples: list[CriticInput], expected: torch.Tensor
    ) -> str | None:
        try:
            found = self._ways[way](samples)
        except Exception as error:  # whatever a model does that this was not written for
            return describe_error(error)
        tolerance = 1e-4 if self._model.dtype == torch.float32 else 5e-2
        difference = ((found - expected).abs() / expected.abs().clamp(min=1)).max().item()
        return None if difference <= tolerance else f"scores differ by {difference:.2g}"


class _InChunks(torch.nn.Module):
    """An MLP that takes a bounded number of rows at a time. Each row is computed by itself."""

    def __init__(self, wrapped: torch.nn.Module):
        super().__init__()
        self.wrapped = wrapped

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        if hidden.device.type != "cpu" or hidden.shape[1] <= MLP_ROWS:
            return self.wrapped(hidden)
        output = torch.empty_like(hidden)
        for part, place in zip(hidden.split(MLP_ROWS, 1), output.split(MLP_ROWS, 1), strict=True):
            place.copy_(self.wrapped(part))
        return output


class _OnlyRows(torch.nn.Module):
    """A part of the last layer, of which only the rows that are scored matter.

    It treats each row by itself, so leaving the others 0 changes no result. `rows` names the rows;
    None computes all.
    """

    def __init__(self, wrapped: torch.nn.Module):
        super().__init__()
        self.wrapped = wrapped
        self.rows: torch.Tensor | None = None

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        if self.rows is None:
            return self.wrapped(hidden)
        computed = self.wrapped(hidden[:, self.rows])
        output = computed.new_zeros(*hidden.shape[:2], computed.shape[-1])
        output[:, self.rows] = computed
        return output


def _wrap_rowwise(model: PreTrainedModel) -> list[_OnlyRows]:
    """Wrap what treats rows by itself, in a decoder whose layers name it as most do.

    Returns:
        The parts of the last layer, whose `rows` may be set. Its keys and values are not among
        them: every row is seen by others.
    """
    layers = getattr(model.base_model, "layers", None)
    if not layers or not all(
        isinstance(getattr(layer, "mlp", None), torch.nn.Module) for layer in layers
    ):
        return []
    *others, last = layers
    for layer in others:
        layer.mlp = _InChunks(layer.mlp)
    attention = getattr(last, "self_attn", None)
    for owner, name in [(last, "mlp"), (attention, "q_proj"), (attention, "o_proj")]:
        if isinstance(getattr(owner, name, None), torch.nn.Module):
            setattr(owner, name, _OnlyRows(getattr(owner, name)))
    return [part for part in last.modules() if isinstance(part, _OnlyRows)]


def _unwrap(model: PreTrainedModel) -> None:
    """Undo `_wrap_rowwise`: what takes more than rows does not work in a wrapper."""
    for owner in list(model.modules()):
        for name, part in list(owner.named_children()):
            if isinstance(part, _InChunks | _OnlyRows):
                setattr(owner, name, part.wrapped)


def _rope_switch(model: PreTrainedModel) -> float:
    """The longest batch that a rotary embedding of the kind longrope treats as a short one.

    Beyond, it turns the tokens of all inputs in the batch by other angles, short inputs included.
    """
    config = model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") != "longrope":
        return float("inf")
    return rope.get("original_max_position_embeddings") or config.max_position_embeddings


def _window(model: PreTrainedModel) -> float:
    """The longest input that every layer sees whole, in tokens."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    if kinds is not None and "sliding_attention" not in kinds:
        return float("inf")
    return getattr(config, "sliding_window", None) or float("inf")
