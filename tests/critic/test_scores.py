"""A score is the output that was asked for, through the steps that were asked for."""

import math
import shutil

import pytest
import tiny_models
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from reference_impl import GuardedReward
from reference_impl.contract import InvalidSampleError
from reference_impl.critic.config import CriticConfig
from reference_impl.critic.critic import Critic
from reference_impl.critic.error import CriticConfigError, InvalidScoreError

TOKENIZER = tiny_models.tiny_tokenizer()
SAMPLES = [
    ("What is 2 + 2?", "It is 4."),
    ("What is 2 + 2?", "It is 5, or so."),
    ("天空是什么颜色？", ""),
    ("A baker sells twelve loaves of bread.", "So the total is nineteen loaves. " * 3),
]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return tiny_models.save_tiny_critic(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three")
    names = {0: "bad", 1: "fair", 2: "good"}
    return tiny_models.save_tiny_critic(folder, num_labels=3, id2label=names)


@pytest.fixture(scope="module")
def broken(one, tmp_path_factory):
    """Gives NaN for a completion with a backtick, and for one with `^` what infinity becomes."""
    folder = shutil.copytree(one, tmp_path_factory.mktemp("broken"), dirs_exist_ok=True)
    weights = load_file(folder / "model.safetensors")
    embeddings = weights["model.embed_tokens.weight"]
    embeddings[TOKENIZER.encode("`")] = math.nan
    embeddings[TOKENIZER.encode("^")] = math.inf
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def logits(folder, samples=SAMPLES):
    """What the model's own forward pass gives, sample by sample, shape (samples, outputs)."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    rows = []
    for prompt, completion in samples:
        conversation = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": completion.rstrip()},
        ]
        ids = TOKENIZER.apply_chat_template(conversation, return_dict=False, return_tensors="pt")
        with torch.inference_mode():
            rows.append(model(ids).logits[0])
    return torch.stack(rows)


def scores(folder, samples=SAMPLES, **settings):
    return Critic(CriticConfig(str(folder), **settings)).score(samples)


def same(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("strategy", ["auto", "padded", "per_sample"])
def test_a_score_is_the_models_own_logit(one, strategy):
    found = scores(one, strategy=strategy)
    assert (found.dtype, found.shape, found.device.type) == (torch.float32, (4,), "cpu")
    same(found, logits(one)[:, 0])


@pytest.mark.parametrize("label, index", [(0, 0), (2, 2), ("bad", 0), ("good", 2)])
def test_a_label_is_read_by_index_or_name(three, label, index):
    same(scores(three, label=label), logits(three)[:, index])


def test_labels_are_weighted(three):
    expected = logits(three) @ torch.tensor([0.0, 0.5, 2.0])
    same(scores(three, label_weights=(0.0, 0.5, 2.0)), expected)


def test_a_probability_is_the_softmax(three):
    probabilities = logits(three).softmax(-1)
    same(scores(three, label="good", readout="probability"), probabilities[:, 2])
    weights = (0.0, 0.5, 1.0)
    found = scores(three, label_weights=weights, readout="probability")
    same(found, probabilities @ torch.tensor(weights))


def test_a_regression_head_needs_no_label(tmp_path):
    tiny_models.save_tiny_critic(tmp_path, problem_type="regression")
    same(scores(tmp_path), logits(tmp_path)[:, 0])


@pytest.mark.parametrize(
    "settings, words",
    [
        ({}, "None is named"),
        ({"label": 3}, "`label` is 3"),
        ({"label": -1}, "`label` is -1"),
        ({"label": "Good"}, "bad, fair, good"),
        ({"label_weights": ()}, "has 0 numbers"),
        ({"label_weights": (1.0, 2.0)}, "has 2 numbers, the model 3"),
    ],
)
def test_an_output_that_is_not_there_is_refused(three, settings, words):
    with pytest.raises(CriticConfigError, match=words):
        scores(three, **settings)


@pytest.mark.parametrize(
    "settings, words",
    [({"readout": "probability"}, "always 1"), ({"label": 1}, "1 outputs"), ({"label": "x"}, "x")],
)
def test_a_model_of_one_output_has_no_other(one, settings, words):
    with pytest.raises(CriticConfigError, match=words):
        scores(one, **settings)


def test_steps_are_applied_in_order(one):
    raw = logits(one)[:, 0]
    same(scores(one, steps="affine(2, -1), sigmoid"), (2 * raw - 1).sigmoid())
    same(scores(one, steps="sigmoid, affine(2, -1)"), 2 * raw.sigmoid() - 1)


def test_standardize_goes_over_all_samples_so_far(one):
    critic = Critic(CriticConfig(str(one), steps="standardize"))
    samples = [("bread", f"{number} loaves") for number in range(150)]
    found = torch.cat([critic.score(samples[:70]), critic.score(samples[70:])]).double()
    raw = scores(one, samples).double()
    same(found[:100], raw[:100])
    expected = [(raw[n] - raw[: n + 1].mean()) / raw[: n + 1].std(correction=0) for n in (120, 149)]
    torch.testing.assert_close(found[[120, 149]], torch.stack(expected), atol=1e-3, rtol=0)


# What has no score

NAN = ("bread", "a ` b")
INFINITE = ("bread", "a ^ b")
BAD = ("bread", None)
GOOD = ("bread", "a b")


@pytest.mark.parametrize("sample", [NAN, INFINITE, BAD])
@pytest.mark.parametrize("strategy", ["packed", "padded", "per_sample"])
def test_a_sample_without_a_score_harms_no_other(broken, sample, strategy):
    critic = Critic(CriticConfig(str(broken), strategy=strategy))
    [expected] = critic.score([GOOD]).tolist()
    # Other samples of the same prompt, which share its computation, among them.
    found = critic.score([GOOD, sample, GOOD], on_failure="skip").tolist()
    assert [found[0], found[2]] == pytest.approx([expected, expected], abs=1e-5)
    assert math.isnan(found[1])


def test_a_failure_is_worth_what_the_caller_says(broken):
    critic = Critic(str(broken))
    samples = [GOOD, NAN, BAD]
    assert critic.score([]).shape == (0,)
    with pytest.raises(InvalidScoreError, match="nan"):
        critic.score(samples)
    with pytest.raises(InvalidSampleError):
        critic.score(samples[::-1])
    assert critic.score(samples, on_failure=-1).tolist()[1:] == [-1.0, -1.0]
    assert critic.score(samples, on_failure="skip").isnan().tolist() == [False, True, True]
    assert critic.counts.failures == {"invalid_sample": 4, "invalid_score": 4}
    assert (critic.counts.samples, critic.counts.failed) == (12, 8)


@pytest.mark.parametrize("policy", ["ignore", None, True, math.nan])
def test_a_policy_that_is_none_is_refused(one, policy):
    with pytest.raises(ValueError, match="on_failure"):
        Critic(str(one)).score([GOOD], on_failure=policy)


@pytest.mark.parametrize("policy, worth", [("skip", None), (-2.0, -2.0)])
def test_a_guard_counts_what_has_no_score(broken, policy, worth):
    guarded = GuardedReward(Critic(str(broken)), on_failure=policy)
    assert guarded(*NAN, [], []) == worth
    assert guarded(*BAD, [], []) == worth
    assert math.isfinite(guarded(*GOOD, [], []))
    assert guarded.counts.failures == {"invalid_sample": 1, "invalid_score": 1}


def test_a_score_that_its_steps_carry_beyond_float32_is_a_failure(one):
    with pytest.raises(InvalidScoreError, match="affine"):
        scores(one, [GOOD], steps="affine(1e300, 0)")


def test_a_broken_sample_leaves_the_statistics_of_standardize_alone(broken):
    critic = Critic(CriticConfig(str(broken), steps="standardize"))
    critic.score([NAN, *[("bread", f"{n} loaves") for n in range(120)]], on_failure="skip")
    assert critic.score([GOOD]).isfinite().all()


# Pad tokens

LENGTHS = [("b", "a" * length) for length in range(1, 41)]


@pytest.mark.parametrize("strategy", ["packed", "padded"])
@pytest.mark.parametrize("pad", ["own", "eos", None, -1])
def test_batches_give_what_the_model_gives_for_one_sample(tmp_path, pad, strategy):
    pad = {"own": TOKENIZER.pad_token_id, "eos": TOKENIZER.eos_token_id}.get(pad, pad)
    # The template of this tokenizer ends with a line break behind the EOS token.
    template = tiny_models.CHATML.replace("<|im_end|>\n{% endfor", "<|im_end|>{% endfor")
    tiny_models.save_tiny_critic(tmp_path, pad_token_id=pad)
    config = {"chat_template": template, "strategy": strategy}
    critic = Critic(CriticConfig(str(tmp_path), **config))
    found = critic.score(LENGTHS)
    assert critic.strategy == strategy
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    rows = []
    for prompt, completion in LENGTHS:
        conversation = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": completion},
        ]
        ids = TOKENIZER.apply_chat_template(
            conversation, chat_template=template, return_dict=False, return_tensors="pt"
        )
        with torch.inference_mode():
            rows.append(model(ids).logits[0, 0])
    same(found, torch.stack(rows))
    assert found.unique().numel() > 30
