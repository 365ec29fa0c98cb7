"""A checkpoint is loaded without running anything in it, or refused with what to do."""

import json
import os
import pickle
import shutil

import huggingface_hub
import pytest
import tiny_models
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from reference_impl.critic.config import CriticConfig
from reference_impl.critic.critic import Critic
from reference_impl.critic.error import CriticConfigError, CriticLoadError
from reference_impl.critic.loading import choose_device, choose_dtype, load_model

SAMPLES = [("What is 2 + 2?", "It is 4."), ("天空是什么颜色？", "蓝色。")]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.save_tiny_critic(tmp_path_factory.mktemp("critic"))


@pytest.fixture
def folder(model, tmp_path):
    """A copy of the model to break."""
    return shutil.copytree(model, tmp_path / "copy")


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def refusal(folder, error=CriticLoadError, **settings):
    with pytest.raises(error) as caught:
        load_model(CriticConfig(str(folder), **settings))
    return str(caught.value)


# What is no model


def test_a_missing_folder_is_named(tmp_path):
    assert str(tmp_path / "none") in refusal(tmp_path / "none")


def test_a_file_in_place_of_a_folder_is_refused(model):
    assert "There is no folder" in refusal(model / "config.json")


@pytest.mark.parametrize("name", ["~nobody-of-this-name/model", "a\x00b", "x", "../../x/y"])
def test_a_name_that_is_no_folder_and_no_hub_id_is_refused(name):
    assert "There is no folder" in refusal(name)


def test_a_hub_id_without_network_is_refused_clearly(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    words = refusal("nobody-of-this-name/no-such-model")
    assert "There is no folder 'nobody-of-this-name/no-such-model', and the hub" in words


def test_no_program_is_asked_of_a_hub(monkeypatch, model):
    asked = []

    def snapshot_download(name, *, revision, allow_patterns):
        asked.append((name, revision, set(allow_patterns)))
        return str(model)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    load_model(CriticConfig("org/critic", revision="abc", policy_tokenizer="org/policy"))
    texts = {"*.json", "*.jinja", "*.txt", "*.model"}
    assert asked == [
        ("org/critic", "abc", texts | {"*.safetensors"}),
        ("org/policy", None, texts),  # not its weights
    ]


def test_a_folder_without_a_configuration_is_refused(folder):
    (folder / "config.json").unlink()
    assert "no config.json" in refusal(folder)


@pytest.mark.parametrize(
    "garbage", ["", "{", "[]", "null", "\x00\xff", "{}", '{"model_type": "no-such-type"}']
)
def test_a_configuration_that_is_garbage_is_refused(folder, garbage):
    (folder / "config.json").write_text(garbage)
    assert str(folder) in refusal(folder)


def test_a_folder_without_weights_is_refused(folder):
    (folder / "model.safetensors").unlink()
    assert "no .safetensors file" in refusal(folder)


def test_a_folder_without_a_tokenizer_is_refused(folder):
    (folder / "tokenizer.json").unlink()
    assert "tokenizer" in refusal(folder)


def test_a_language_model_is_refused(folder):
    config = AutoModelForSequenceClassification.from_pretrained(folder).config
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    assert "Qwen3ForCausalLM" in refusal(folder)


def test_a_model_without_score_weights_is_refused(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    words = refusal(folder)
    assert "score.weight" in words and "random" in words


def test_truncated_weights_are_refused(folder):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "cannot be loaded" in refusal(folder)


def test_weights_of_another_shape_are_refused(folder):
    edit(folder / "config.json", hidden_size=64)
    assert "cannot be loaded" in refusal(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(folder, value):
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"][:] = value
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CriticLoadError, match="NaN or infinity"):
        Critic(str(folder)).load()


def test_an_architecture_that_wants_more_than_tokens_is_refused(tmp_path):
    tiny_models.save_tiny_critic(tmp_path, "bart")
    with pytest.raises(CriticLoadError, match="does not score plain tokens"):
        Critic(str(tmp_path)).load()


# What is a program


def plant_pickle(path, mark):
    with open(path, "wb") as file:
        pickle.dump({"score.weight": Trap(mark)}, file)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt", "weights.pkl"])
def test_pickled_weights_are_refused_and_never_opened(folder, tmp_path, name):
    (folder / "model.safetensors").unlink()
    plant_pickle(folder / name, tmp_path / "mark")
    assert "save_pretrained" in refusal(folder)
    assert not (tmp_path / "mark").exists()


def test_the_advice_for_pickled_weights_works(model, folder):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    assert "AutoModelForSequenceClassification.from_pretrained(FOLDER)" in refusal(folder)
    AutoModelForSequenceClassification.from_pretrained(folder).save_pretrained(folder)
    assert torch.equal(Critic(str(folder)).score(SAMPLES), Critic(str(model)).score(SAMPLES))


def test_an_index_that_leads_to_a_pickle_runs_nothing(folder, tmp_path):
    weights = load_file(folder / "model.safetensors")
    save_file(weights, folder / "decoy.safetensors")
    (folder / "model.safetensors").unlink()
    plant_pickle(folder / "weights.bin", tmp_path / "mark")
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, "weights.bin")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "no safetensors" in refusal(folder)
    assert not (tmp_path / "mark").exists()


def test_a_safetensors_file_does_not_lead_to_the_pickle_beside_it(folder):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").rename(folder / "decoy.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    assert "cannot be loaded" in refusal(folder)


@pytest.mark.parametrize("index", ["", "[]", "{}", '{"weight_map": {"score.weight": 1}}'])
def test_an_index_that_is_garbage_is_refused(folder, index):
    (folder / "model.safetensors.index.json").write_text(index)
    assert "is no index" in refusal(folder)


def test_a_configuration_that_names_a_pickle_as_weights_is_refused(folder, tmp_path):
    plant_pickle(folder / "adapter_model.bin", tmp_path / "mark")
    edit(folder / "config.json", transformers_weights="adapter_model.bin")
    assert "no safetensors" in refusal(folder)
    assert not (tmp_path / "mark").exists()


def test_a_model_in_several_files_is_loaded(model, folder):
    (folder / "model.safetensors").unlink()
    whole = AutoModelForSequenceClassification.from_pretrained(model)
    whole.save_pretrained(folder, max_shard_size="50KB")
    assert (folder / "model.safetensors.index.json").exists()
    assert torch.equal(Critic(str(folder)).score(SAMPLES), Critic(str(model)).score(SAMPLES))


@pytest.mark.parametrize("known", [True, False])
def test_code_in_the_folder_is_never_run(folder, tmp_path, known):
    program = f"open({str(tmp_path / 'mark')!r}, 'w')\n"
    for name in ("configuration_own.py", "modeling_own.py", "tokenization_own.py"):
        (folder / name).write_text(program + "class Own: pass\n")
    edit(
        folder / "config.json",
        model_type="qwen3" if known else "own",
        auto_map={
            "AutoConfig": "configuration_own.Own",
            "AutoModelForSequenceClassification": "modeling_own.Own",
        },
    )
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_own.Own"] * 2})
    try:
        load_model(CriticConfig(str(folder)))
    except CriticLoadError:
        pass
    else:
        assert known
    assert not (tmp_path / "mark").exists()


def test_an_adapter_is_refused(folder):
    edit_with = {"peft_type": "LORA", "base_model_name_or_path": "/somewhere/else"}
    (folder / "adapter_config.json").write_text(json.dumps(edit_with))
    assert "Merge it" in refusal(folder)


@pytest.mark.parametrize("name", ["attn_implementation", "_attn_implementation"])
def test_attention_from_a_hub_is_refused(folder, name):
    edit(folder / "config.json", **{name: "someone/kernel"})
    assert "'someone/kernel' on a hub" in refusal(folder)


# What does not fit


@pytest.mark.parametrize("name", ["gpu", "", "cuda:99", "cpu:x", "meta", "cuda:-1"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(CriticConfigError, match="`device` is"):
        choose_device(name)


def test_cuda_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(CriticConfigError, match="'cuda', but there is none here"):
        choose_device("cuda")


@pytest.mark.parametrize("name", [None, "cuda"])
def test_the_gpu_is_refused_in_a_fork_of_a_process_that_used_it(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    with pytest.raises(CriticLoadError, match="spawned process"):
        choose_device(name)
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    "name, device, dtype",
    [
        (None, "cpu", torch.float32),
        (None, "cuda", torch.bfloat16),
        ("float16", "cpu", torch.float16),
    ],
)
def test_the_dtype_is_the_one_named_or_fits_the_device(name, device, dtype):
    assert choose_dtype(name, torch.device(device)) == dtype


def test_the_model_has_the_dtype_that_was_named(model):
    loaded = load_model(CriticConfig(str(model), dtype="bfloat16", device="cpu"))
    assert {p.dtype for p in loaded.model.parameters()} == {torch.bfloat16}
    assert not loaded.model.training
    assert not any(p.requires_grad for p in loaded.model.parameters())


def test_more_tokens_than_the_model_was_built_for_are_refused(model):
    assert "512" in refusal(model, CriticConfigError, max_length=513)
    assert load_model(CriticConfig(str(model), max_length=512)).max_length == 512
    assert load_model(CriticConfig(str(model))).max_length == 512


def test_a_tokenizer_may_know_less_tokens_than_the_model(folder):
    edit(folder / "tokenizer_config.json", model_max_length=100)
    assert load_model(CriticConfig(str(folder))).max_length == 100


def test_positions_that_begin_behind_the_pad_token_are_counted(tmp_path):
    tiny_models.save_tiny_critic(tmp_path, "roberta", max_position_embeddings=66, pad_token_id=1)
    critic = Critic(CriticConfig(str(tmp_path), template="plain"))
    assert load_model(critic.config).max_length == 64
    assert critic.score([("bread " * 100, "loaves")]).isfinite().all()


# The policy's tokenizer


@pytest.mark.parametrize("change", ["nothing", "template", "vocabulary"])
def test_tokenizers_are_the_same_if_templates_and_tokens_are(model, tmp_path, change):
    policy = tiny_models.tiny_tokenizer()
    if change == "template":
        policy.chat_template += " "
    if change == "vocabulary":
        policy.add_tokens(["bread"])
    policy.save_pretrained(tmp_path)
    loaded = load_model(CriticConfig(str(model), policy_tokenizer=str(tmp_path)))
    assert loaded.same_tokenizer == (change == "nothing")


def test_a_template_of_the_configuration_counts(model, tmp_path):
    policy = tiny_models.tiny_tokenizer(tiny_models.CHATML + " ")
    policy.save_pretrained(tmp_path)
    config = CriticConfig(
        str(model), policy_tokenizer=str(tmp_path), chat_template=policy.chat_template
    )
    assert load_model(config).same_tokenizer


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_tokenizer_of_the_policy_that_cannot_be_loaded_is_refused(model, tmp_path, name):
    os.mkdir(tmp_path / "empty")
    words = refusal(model, policy_tokenizer=str(tmp_path / name))
    assert str(tmp_path / name) in words or "policy_tokenizer" in words
