"""Packed, padded or one by one, a model gives what its own forward pass gives for one sample."""

import functools
import logging
import random
import tempfile
from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import AutoModelForSequenceClassification

from reference_impl.critic.config import CriticConfig
from reference_impl.critic.critic import Critic
from reference_impl.critic.error import CriticLoadError
from reference_impl.critic.forward import MLP_ROWS, ForwardPass
from reference_impl.critic.inputs import CriticInput

# Many architectures, each loaded and run in several ways.
pytestmark = pytest.mark.slow

WINDOW = 64
DECODERS = {
    "qwen3": {"head_dim": 8},
    "llama": {},
    "mistral": {"sliding_window": WINDOW},
    "gemma3_text": {"sliding_window": WINDOW, "head_dim": 8},
    "gpt2": {},
    "gpt_neox": {},
    "opt": {},
    "mixtral": {"num_local_experts": 4},
    "phi3": {},
}
ENCODERS = {"bert": {}, "roberta": {}, "modernbert": {}}
# Its attention has a soft cap, which the tree attention does not.
CAPPED = {"gemma2": {"head_dim": 8, "sliding_window": WINDOW}}
SETTINGS = DECODERS | ENCODERS | CAPPED
FOLDER = tempfile.TemporaryDirectory()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@functools.cache
def saved(architecture, **settings):
    folder = Path(tempfile.mkdtemp(dir=FOLDER.name))
    return tiny_models.save_tiny_critic(folder, architecture, **SETTINGS[architecture], **settings)


def load(architecture, **settings):
    return AutoModelForSequenceClassification.from_pretrained(saved(architecture, **settings))


@functools.cache
def forward_pass(architecture, strategy, token_budget=4096):
    return ForwardPass(load(architecture).eval(), strategy, token_budget)


def tokens(generator, count):
    return [generator.randrange(5, 400) for _ in range(count)]


def tree(seed, count=14):
    """Sequences that grow out of one another: duplicates, prefixes of others, single tokens."""
    generator = random.Random(seed)
    system = tokens(generator, 15)
    sequences = [
        system + tokens(generator, 10),
        system + tokens(generator, 20),
        tokens(generator, 1),
    ]
    while len(sequences) < count:
        stem = generator.choice(sequences)
        stem = stem[: generator.choice([len(stem), len(stem), generator.randint(0, len(stem))])]
        sequences.append(stem + tokens(generator, generator.choice([0, 1, 3, 12])) or stem or [7])
    generator.shuffle(sequences)
    return sequences


def reference(architecture, sequences, **settings):
    """The model's own forward pass, one sample at a time."""
    model = load(architecture, **settings).eval()
    with torch.inference_mode():
        return torch.cat([model(torch.tensor([ids])).logits for ids in sequences])


def same(found, expected):
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def inputs(sequences):
    return [CriticInput(ids) for ids in sequences]


@pytest.mark.parametrize("token_budget", [1, 50, 4096])
@pytest.mark.parametrize("strategy", ["packed", "padded", "per_sample"])
@pytest.mark.parametrize("architecture", DECODERS)
def test_a_decoder_gives_what_its_own_forward_pass_gives(architecture, strategy, token_budget):
    sequences = tree(seed=token_budget)
    forward = forward_pass(architecture, strategy, token_budget)
    assert forward.strategy == strategy
    same(forward.logits(inputs(sequences)), reference(architecture, sequences))


@pytest.mark.parametrize("strategy", ["padded", "per_sample"])
@pytest.mark.parametrize("architecture", ENCODERS)
def test_an_encoder_gives_what_its_own_forward_pass_gives(architecture, strategy):
    sequences = tree(seed=1)
    forward = forward_pass(architecture, strategy, 100)
    assert forward.strategy == strategy
    same(forward.logits(inputs(sequences)), reference(architecture, sequences))


@pytest.mark.parametrize("seed", range(30))
def test_random_trees_are_exact(seed):
    sequences = tree(seed, count=30)
    forward = forward_pass("qwen3", "packed", random.Random(seed).choice([40, 200]))
    same(forward.logits(inputs(sequences)), reference("qwen3", sequences))


@pytest.mark.parametrize("step", [1, 2, 9])
def test_a_chain_of_nested_prefixes_is_exact(step):
    longest = tokens(random.Random(0), 500)
    sequences = [longest[: 1 + step * i] for i in range(200) if step * i < 500]
    forward = forward_pass("qwen3", "packed", 4096)
    same(forward.logits(inputs(sequences)), reference("qwen3", sequences))


@pytest.mark.parametrize("strategy", ["packed", "padded"])
@pytest.mark.parametrize("architecture", ["mistral", "gemma3_text"])
def test_inputs_around_the_length_of_a_sliding_window_are_exact(architecture, strategy):
    generator = random.Random(3)
    prompt = tokens(generator, WINDOW - 10)
    sequences = [prompt + tokens(generator, count) for count in (8, 9, 10, 11, 12, 40, 100)]
    forward = forward_pass(architecture, strategy)
    assert forward.strategy == strategy
    same(forward.logits(inputs(sequences)), reference(architecture, sequences))


@pytest.mark.parametrize("strategy", ["packed", "padded"])
def test_a_rotary_embedding_that_depends_on_the_longest_input_is_exact(strategy, tmp_path):
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 4,
        "long_factor": [4.0] * 4,
        "original_max_position_embeddings": 100,
        "partial_rotary_factor": 1.0,
    }
    tiny_models.save_tiny_critic(
        tmp_path, "phi3", rope_parameters=rope, original_max_position_embeddings=100
    )
    generator = random.Random(0)
    prompt = tokens(generator, 20)
    sequences = [prompt + tokens(generator, count) for count in (5, 150, 80, 81, 30, 200)]
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        expected = torch.cat([model(torch.tensor([ids])).logits for ids in sequences])
    forward = ForwardPass(model, strategy, 4096)
    assert forward.strategy == strategy
    same(forward.logits(inputs(sequences)), expected)


@pytest.mark.parametrize("strategy", ["packed", "padded", "per_sample"])
def test_inputs_longer_than_the_rows_of_an_mlp_are_exact(strategy):
    generator = random.Random(0)
    prompt = tokens(generator, 300)
    sequences = [prompt + tokens(generator, count) for count in (MLP_ROWS, 400, 20, MLP_ROWS + 1)]
    settings = {"max_position_embeddings": 2048}
    forward = ForwardPass(load("llama", **settings).eval(), strategy, 4096)
    same(forward.logits(inputs(sequences)), reference("llama", sequences, **settings))


def test_several_outputs_are_exact():
    sequences = tree(seed=5)
    forward = ForwardPass(load("llama", num_labels=3).eval(), "packed", 100)
    found = forward.logits(inputs(sequences))
    assert found.shape == (len(sequences), 3)
    same(found, reference("llama", sequences, num_labels=3))


@pytest.mark.parametrize("strategy", ["packed", "padded", "per_sample"])
def test_no_input_has_no_logits(strategy):
    assert forward_pass("qwen3", strategy).logits([]).shape == (0, 1)


@pytest.mark.parametrize("strategy", ["packed", "padded"])
def test_a_token_for_padding_inside_an_input_is_read_as_the_model_reads_it(strategy):
    pad = load("qwen3").config.pad_token_id
    prompt = tokens(random.Random(0), 20)
    sequences = [[*prompt, 7, pad], [*prompt, 7], [*prompt, pad, 7], [pad], [pad, pad], [7, pad]]
    same(forward_pass("qwen3", strategy).logits(inputs(sequences)), reference("qwen3", sequences))


# Which way is taken


def test_decoders_are_packed_and_encoders_padded_without_a_warning(caplog):
    with caplog.at_level(logging.WARNING, "reference_impl.critic"):
        assert ForwardPass(load("qwen3").eval(), "auto", 4096).strategy == "packed"
        assert ForwardPass(load("bert").eval(), "auto", 4096).strategy == "padded"
    assert not caplog.records


def warned(caplog):
    return [r.getMessage() for r in caplog.records if r.name == "reference_impl.critic"]


@pytest.mark.parametrize("strategy", ["auto", "packed"])
def test_a_model_whose_attention_has_more_in_it_is_padded_with_a_warning(caplog, strategy):
    forward = ForwardPass(load("gemma2").eval(), strategy, 100)
    assert forward.strategy == "padded"
    assert "softcap" in warned(caplog)[0]
    sequences = tree(seed=2)
    same(forward.logits(inputs(sequences)), reference("gemma2", sequences))


def test_packing_an_encoder_is_padding_with_a_warning(caplog):
    assert ForwardPass(load("bert").eval(), "packed", 100).strategy == "padded"
    assert "packed is not exact" in warned(caplog)[0]


def replace_forward(model, change):
    """Let a decoder compute with changed arguments."""
    original = model.base_model.forward
    model.base_model.forward = lambda *args, **options: original(*args, **change(options))
    return model


def test_a_model_that_ignores_positions_is_padded_with_a_warning(caplog):
    def ignore(options):
        return {name: given for name, given in options.items() if name != "position_ids"}

    forward = ForwardPass(replace_forward(load("qwen3").eval(), ignore), "auto", 4096)
    assert forward.strategy == "padded"
    assert "packed is not exact for this model (scores differ by" in warned(caplog)[0]
    sequences = tree(seed=3)
    same(forward.logits(inputs(sequences)), reference("qwen3", sequences))


def test_a_model_that_computes_batches_otherwise_goes_one_by_one(caplog):
    def turn_round(options):  # one sample alone comes by position
        if "input_ids" in options:
            options = options | {"input_ids": options["input_ids"].flip(1)}
        return options

    forward = ForwardPass(replace_forward(load("qwen3").eval(), turn_round), "auto", 4096)
    assert forward.strategy == "per_sample"
    assert ["packed" in warned(caplog)[0], "padded" in warned(caplog)[1]] == [True, True]
    sequences = tree(seed=4)
    same(forward.logits(inputs(sequences)), reference("qwen3", sequences))


@pytest.mark.parametrize("strategy", ["auto", "padded", "per_sample"])
def test_a_model_that_looks_into_its_mlps_still_works(strategy):
    model = load("qwen3").eval()
    for layer in model.base_model.layers:
        layer.register_forward_pre_hook(lambda layer, args: layer.mlp.gate_proj and None)
    forward = ForwardPass(model, strategy, 100)
    assert forward.strategy == ("per_sample" if strategy == "per_sample" else "padded")
    sequences = tree(seed=6)
    same(forward.logits(inputs(sequences)), reference("qwen3", sequences))


def test_the_models_attention_is_put_back_after_a_pack():
    model = load("qwen3").eval()
    attention = model.config._attn_implementation
    forward = ForwardPass(model, "packed", 4096)
    forward.logits(inputs(tree(seed=0)))
    assert model.config._attn_implementation == attention
    sequences = tree(seed=8)
    with torch.inference_mode():
        own = torch.cat([model(torch.tensor([ids])).logits for ids in sequences])
    same(own, reference("qwen3", sequences))


def test_a_model_that_gives_no_numbers_is_refused():
    model = load("qwen3").eval()
    with torch.no_grad():
        model.score.weight.fill_(float("nan"))
    with pytest.raises(CriticLoadError, match="NaN or infinity"):
        ForwardPass(model, "auto", 4096)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_packs_with_the_precision_it_has(dtype):
    model = load("qwen3").to(getattr(torch, dtype)).eval()
    forward = ForwardPass(model, "auto", 4096)
    assert forward.strategy == "packed"
    sequences = tree(seed=9)
    found = forward.logits(inputs(sequences))
    torch.testing.assert_close(found, reference("qwen3", sequences), atol=0.1, rtol=0)


@pytest.mark.gpu
def test_packed_on_a_gpu_agrees_with_one_by_one():
    samples = [(f"What is {i // 8}?", f"It is {i % 8}, or " + "so " * i) for i in range(64)]
    scores = {}
    for strategy in ("packed", "per_sample"):
        critic = Critic(CriticConfig(str(saved("qwen3")), device="cuda", strategy=strategy))
        scores[strategy] = critic.score(samples)
        assert critic.strategy == strategy
    torch.testing.assert_close(scores["packed"], scores["per_sample"], atol=5e-2, rtol=0)


@pytest.mark.gpu
def test_a_gpu_computes_in_bfloat16_close_to_the_cpu():
    samples = [("What is 2 + 2?", "It is " + "4 " * i) for i in range(16)]
    on_gpu = Critic(CriticConfig(str(saved("qwen3")), device="cuda")).score(samples)
    on_cpu = Critic(CriticConfig(str(saved("qwen3")), device="cpu")).score(samples)
    torch.testing.assert_close(on_gpu, on_cpu, atol=1e-1, rtol=0)
