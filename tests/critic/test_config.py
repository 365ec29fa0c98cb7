"""A configuration refuses every wrong value by name, and travels as JSON and as variables."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.critic.config import CriticConfig
from reference_impl.critic.error import CriticConfigError

ROOT = Path(__file__).parents[2]

texts = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
label = st.one_of(
    st.fixed_dictionaries({}, optional={"label": st.integers(-3, 9) | texts}),
    st.fixed_dictionaries({"label_weights": st.lists(numbers, max_size=4).map(tuple)}),
)
template = st.one_of(
    st.fixed_dictionaries({"template": st.sampled_from(["pair", "plain"])}),
    st.fixed_dictionaries(
        {},
        optional={
            "chat_template": texts,
            "prompt_format": st.sampled_from(["text", "templated"]),
        },
    ),
)
others = st.fixed_dictionaries(
    {"model": st.text(min_size=1, max_size=20)},
    optional={
        "revision": texts,
        "device": texts,
        "dtype": st.sampled_from(["float32", "bfloat16", "float16"]),
        "max_length": st.integers(1, 10**6),
        "truncation_side": st.sampled_from(["left", "right"]),
        "append_eos": st.booleans(),
        "policy_tokenizer": texts,
        "readout": st.sampled_from(["logit", "probability"]),
        "steps": st.sampled_from(["", "sigmoid", "affine(2, -1), sigmoid", "standardize"]),
        "strategy": st.sampled_from(["auto", "packed", "padded", "per_sample"]),
        "token_budget": st.integers(1, 10**6),
    },
)
settings = st.tuples(others, label, template).map(lambda parts: parts[0] | parts[1] | parts[2])


@given(settings)
def test_a_configuration_survives_json(given_settings):
    config = CriticConfig(**given_settings)
    assert CriticConfig.from_json(config.to_json()) == config
    assert hash(CriticConfig.from_json(config.to_json())) == hash(config)


@given(settings)
def test_a_configuration_survives_the_environment(given_settings):
    # A name of digits cannot be told from an index, so there the index is meant.
    if str(given_settings.get("label", "")).lstrip("-").isdecimal():
        given_settings["label"] = int(given_settings["label"])
    environment = {"PATH": "/bin", "REWARD_MODEL_PATH": given_settings["model"]}
    for name, value in given_settings.items():
        if name != "model":
            text = value if isinstance(value, str) else json.dumps(value)
            environment[f"REWARD_MODEL_{name.upper()}"] = text
    assert CriticConfig.from_environment(environment) == CriticConfig(**given_settings)


@pytest.mark.parametrize(
    "name, value",
    [
        ("model", ""),
        ("model", None),
        ("model", Path("model")),
        ("revision", 1),
        ("device", 0),
        ("dtype", "int8"),
        ("dtype", "torch.float32"),
        ("max_length", 0),
        ("max_length", -1),
        ("max_length", 12.0),
        ("max_length", True),
        ("truncation_side", "both"),
        ("template", "raw"),
        ("template", None),
        ("chat_template", b"{{ messages }}"),
        ("prompt_format", "messages"),
        ("append_eos", 1),
        ("append_eos", "true"),
        ("policy_tokenizer", True),
        ("label", 1.0),
        ("label", True),
        ("label_weights", [1.0, 2.0]),
        ("label_weights", ("1",)),
        ("label_weights", (True,)),
        ("label_weights", (math.nan,)),
        ("label_weights", (math.inf, 1.0)),
        ("label_weights", (10**400,)),
        ("readout", "logits"),
        ("steps", None),
        ("steps", "eval(1)"),
        ("strategy", "fast"),
        ("token_budget", 0),
        ("token_budget", None),
    ],
)
def test_a_wrong_value_is_refused_by_name(name, value):
    with pytest.raises(CriticConfigError, match=f"`{name}`"):
        CriticConfig(**{"model": "m", name: value})


@pytest.mark.parametrize(
    "given_settings, words",
    [
        ({"label": 0, "label_weights": (1.0,)}, "not both"),
        ({"template": "plain", "chat_template": "x"}, "go with `template"),
        ({"template": "pair", "prompt_format": "templated"}, "go with `template"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(given_settings, words):
    with pytest.raises(CriticConfigError, match=words):
        CriticConfig("m", **given_settings)


@pytest.mark.parametrize(
    "variable, value, words",
    [
        ("MAX_LENGTH", "many", "`max_length` is 'many'"),
        ("MAX_LENGTH", "1e3", "`max_length` is 1000.0"),
        ("MAX_LENGTH", "9" * 5000, "`max_length`"),
        ("TOKEN_BUDGET", "", "`token_budget` is ''"),
        ("APPEND_EOS", "yes", "`append_eos` is 'yes'"),
        ("LABEL_WEIGHTS", "1,2", "`label_weights` is '1,2'"),
        ("LABEL_WEIGHTS", "[1, NaN]", "`label_weights`"),
        ("LABEL_WEIGHTS", '{"0": 1}', "`label_weights`"),
        ("DTYPE", "fp16", "`dtype` is 'fp16'"),
        ("STEPS", "softmax", "`steps` is 'softmax'"),
        ("TRUST_REMOTE_CODE", "1", "REWARD_MODEL_TRUST_REMOTE_CODE: no such setting"),
        ("MODEL", "m", "REWARD_MODEL_MODEL: no such setting"),
        ("PATH", "", "REWARD_MODEL_PATH is not set"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(variable, value, words):
    environment = {"REWARD_MODEL_PATH": "m", f"REWARD_MODEL_{variable}": value}
    with pytest.raises(CriticConfigError) as caught:
        CriticConfig.from_environment(environment)
    assert words in str(caught.value)


def test_a_missing_model_is_refused():
    with pytest.raises(CriticConfigError, match="REWARD_MODEL_PATH is not set"):
        CriticConfig.from_environment({"REWARD_MODEL_DTYPE": "float32"})


@pytest.mark.parametrize(
    "text, label", [("1", 1), ("-1", -1), ("good", "good"), ("--5", "--5"), ("-", "-")]
)
def test_a_label_in_the_environment_is_an_index_if_it_is_a_number(text, label):
    environment = {"REWARD_MODEL_PATH": "m", "REWARD_MODEL_LABEL": text}
    assert CriticConfig.from_environment(environment).label == label


@pytest.mark.parametrize("text", ["True", "true", "TRUE"])
def test_true_is_written_as_one_likes(text):
    environment = {"REWARD_MODEL_PATH": "m", "REWARD_MODEL_APPEND_EOS": text}
    assert CriticConfig.from_environment(environment).append_eos is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"m"',
        "{}",
        '{"model": "m", "trust_remote_code": true}',
        '{"model": "m", "label_weights": [NaN]}',
        '{"model": "m", "label_weights": [[1]]}',
        '{"model": 1}',
        "[" * 100_000,
    ],
)
def test_json_that_is_no_configuration_is_refused(text):
    with pytest.raises(CriticConfigError):
        CriticConfig.from_json(text)


def test_settings_need_no_torch():
    code = (
        "import sys, reference_impl.critic.config, reference_impl.critic.critic\n"
        "from reference_impl.critic.critic import Critic\n"
        "Critic('model')\n"
        "assert not {'torch', 'transformers', 'jinja2'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
