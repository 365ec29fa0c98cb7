"""Load a reward model without running anything that comes with it.

A checkpoint is data from outside. Pickled weights and a repository's own Python files are
programs, so neither is ever loaded, and from a hub neither is even downloaded.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from reference_impl.contract.error import describe_error
from reference_impl.critic.config import CriticConfig
from reference_impl.critic.error import CriticConfigError, CriticLoadError

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# What a tokenizer and a model are made of. No pickles, no Python.
_TOKENIZER_FILES = ("*.json", "*.jinja", "*.txt", "*.model")
_FILES = ("*.safetensors", *_TOKENIZER_FILES)
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True)
class LoadedModel:
    """A model, ready to score, and its tokenizer.

    Attributes:
        model: In evaluation mode, on its device.
        tokenizer: The tokenizer that came with it.
        max_length: The longest input that configuration and model allow, in tokens.
        same_tokenizer: Whether the policy's tokenizer is this one, chat template included.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    same_tokenizer: bool


def load_model(config: CriticConfig) -> LoadedModel:
    """Load what a configuration names.

    Args:
        config: The configuration.

    Returns:
        Model and tokenizer.

    Raises:
        CriticLoadError: If there is no such model, it is no reward model, its weights are pickled
            or incomplete, or it wants to bring code along.
        CriticConfigError: If the configuration does not fit the model.

    Explained in :ref:`critic-loading`.
    """
    device = choose_device(config.device)
    dtype = choose_dtype(config.dtype, device)
    folder = _folder(config.model, config.revision, _FILES)
    _check_files(folder)
    try:
        settings = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        _check_architecture(settings, folder)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=settings,
            dtype=dtype,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
        tokenizer = _tokenizer(folder)
    except CriticLoadError:
        raise
    except Exception as error:  # whatever a broken checkpoint makes transformers raise
        raise CriticLoadError(f"{folder} cannot be loaded: {describe_error(error)}") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise CriticLoadError(
            f"{folder} lacks weights, which would be random numbers: {', '.join(missing[:3])}"
            f"{' and more' if len(missing) > 3 else ''}. Is it a reward model?"
        )
    return LoadedModel(
        model=model.to(device).eval().requires_grad_(False),
        tokenizer=tokenizer,
        max_length=_max_length(config.max_length, model, tokenizer),
        same_tokenizer=_same_tokenizer(config, tokenizer),
    )


def choose_device(name: str | None) -> torch.device:
    """Choose where a model runs.

    Args:
        name: The device by name, or None for the first there is of CUDA, MPS and CPU.

    Returns:
        The device.

    Raises:
        CriticConfigError: If there is no such device here.
        CriticLoadError: If it is a GPU, and this process is a fork of one that has used it.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')

    Explained in :ref:`critic-loading`.
    """
    # Asking whether CUDA is there is safe after a fork. Using it is not.
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
        if name == "cpu" and torch.backends.mps.is_available():
            name = "mps"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise CriticConfigError(f"`device` is {name!r}, which is no device.") from error
    available = {
        "cpu": True,
        "mps": torch.backends.mps.is_available(),
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
    }
    if not available.get(device.type, False):
        raise CriticConfigError(f"`device` is {name!r}, but there is none here.")
    if device.type == "cuda" and torch.cuda._is_in_bad_fork():
        raise CriticLoadError(
            "This process was forked from one that had used the GPU, and CUDA does not survive "
            "that. Score in the parent, in a spawned process, or through the critic service."
        )
    return device


def choose_dtype(name: str | None, device: torch.device) -> torch.dtype:
    """Choose the type of the weights.

    Args:
        name: The type by name, or None for bfloat16 on a GPU and float32 on a CPU.
        device: Where the model runs.

    Returns:
        The type.

    Example:
        >>> choose_dtype(None, torch.device("cpu"))
        torch.float32

    Explained in :ref:`critic-loading`.
    """
    if name is None:
        name = "float32" if device.type == "cpu" else "bfloat16"
    return getattr(torch, name)


def _folder(model: str, revision: str | None, files: tuple[str, ...]) -> Path:
    folder = Path(os.path.expanduser(model))
    if folder.is_dir():
        return folder
    if not _HUB_ID.fullmatch(model):
        raise CriticLoadError(
            f"There is no folder {model!r}. Give the path of a folder that holds a model, or a hub "
            "id such as 'Skywork/Skywork-Reward-V2-Qwen3-0.6B'."
        )
    from huggingface_hub import snapshot_download  # only where a hub is asked

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(files)))
    except Exception as error:  # no network, no such model, no access, offline mode
        raise CriticLoadError(
            f"There is no folder {model!r}, and the hub did not give a model of that name: "
            f"{describe_error(error)}"
        ) from error


def _check_files(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise CriticLoadError(f"{folder} holds no model: it has no config.json.")
    if (folder / "adapter_config.json").exists():
        # Where PEFT is installed, the model would come from wherever this file says.
        raise CriticLoadError(
            f"{folder} holds an adapter (adapter_config.json). Merge it into its model "
            "(merge_and_unload of PEFT), save that, and name the new folder."
        )
    for index in folder.glob("*.safetensors.index.json"):
        _check_index(index)
    if any(folder.glob("*.safetensors")):
        return
    if any(next(folder.glob(pattern), None) for pattern in _PICKLES):
        raise CriticLoadError(
            f"{folder} holds pickled weights only, and loading a pickle runs whatever is in it. "
            "Convert it where that does no harm, such as in a container without network: "
            "AutoModelForSequenceClassification.from_pretrained(FOLDER).save_pretrained(FOLDER) "
            "writes model.safetensors beside it."
        )
    raise CriticLoadError(f"{folder} holds no weights: it has no .safetensors file.")


def _check_index(index: Path) -> None:
    """Refuse an index of weights that leads to anything but safetensors."""
    try:
        files = set(json.loads(index.read_bytes())["weight_map"].values())
        fits = all(name.endswith(".safetensors") for name in files)
    except Exception as error:  # whatever stands there
        raise CriticLoadError(f"{index} is no index: {describe_error(error)}") from error
    if not fits:
        raise CriticLoadError(f"{index} names files that are no safetensors.")


def _check_architecture(settings, folder: Path) -> None:
    names = settings.architectures or []
    if names and not any(name.endswith("ForSequenceClassification") for name in names):
        raise CriticLoadError(
            f"{folder} is a {names[0]}, not a model for sequence classification. It has no head "
            "that gives a score: train one (examples/train_reward_model.py), or name another."
        )
    weights = getattr(settings, "transformers_weights", None)
    if weights is not None and not str(weights).endswith(".safetensors"):
        raise CriticLoadError(
            f"{folder} names {weights!r} as its weights, which is no safetensors."
        )
    attention = str(settings.get_text_config()._attn_implementation)
    if "/" in attention:
        raise CriticLoadError(
            f"{folder} wants its attention from {attention!r} on a hub, which would be a program. "
            "Take `attn_implementation` out of its config.json."
        )


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if len(tokenizer) <= len(tokenizer.added_tokens_decoder):
        # Without files, transformers makes a tokenizer that knows no words.
        raise CriticLoadError(f"{folder} holds no tokenizer: it has no vocabulary.")
    return tokenizer


def _max_length(given: int | None, model: PreTrainedModel, tokenizer) -> int:
    built_for = min(
        getattr(model.config.get_text_config(), "max_position_embeddings", None)
        or tokenizer.model_max_length,
        tokenizer.model_max_length,  # of tokenizers that do not know, a number beyond all models
    )
    positions = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    if (first := getattr(positions, "padding_idx", None)) is not None:
        # RoBERTa and its kin count positions from the one after the pad token's id.
        built_for = min(built_for, positions.num_embeddings - first - 1)
    if given is not None and given > built_for:
        raise CriticConfigError(
            f"`max_length` is {given}, but the model was built for {built_for} tokens."
        )
    return given or built_for


def _same_tokenizer(config: CriticConfig, tokenizer: PreTrainedTokenizerBase) -> bool:
    if config.policy_tokenizer is None:
        return False
    try:
        policy = _tokenizer(_folder(config.policy_tokenizer, None, _TOKENIZER_FILES))
    except CriticLoadError:
        raise
    except Exception as error:
        raise CriticLoadError(
            f"`policy_tokenizer` cannot be loaded: {describe_error(error)}"
        ) from error
    if not (policy.is_fast and tokenizer.is_fast):
        return False
    template = config.chat_template or tokenizer.chat_template
    return (
        policy.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
        and policy.chat_template == template
    )
