"""AReaL's trainer, but for what needs a GPU: it checks its arguments and records them."""

import inspect
import sys
import types
from importlib.machinery import ModuleSpec


def record_trainer(monkeypatch, rows):
    """Put a recorder in the place of the trainer, and of the data set and tokenizer from the hub.

    Returns:
        The arguments of each call, by `init`, `train` and `dataset`, once they were made.
    """
    for name in ("swanlab", "trackio", "wandb", "tensorboardX"):  # where AReaL logs to
        module = types.ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        module.SummaryWriter = None
        monkeypatch.setitem(sys.modules, name, module)
    import areal
    import areal.dataset
    import areal.utils.hf_utils
    from tiny_policy import new_tokenizer

    calls = {}

    def recorded(name, function, result=None):
        signature = inspect.signature(function)

        def call(*arguments, **named):
            calls[name] = signature.bind(*arguments, **named).arguments
            return result

        return call

    class Recorder:
        __init__ = recorded("init", areal.PPOTrainer.__init__)
        train = recorded("train", areal.PPOTrainer.train)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    dataset = recorded("dataset", areal.dataset.get_custom_dataset, rows)
    monkeypatch.setattr(areal, "PPOTrainer", Recorder)
    monkeypatch.setattr(areal.dataset, "get_custom_dataset", dataset)
    tokenizer = new_tokenizer()
    monkeypatch.setattr(areal.utils.hf_utils, "load_hf_tokenizer", lambda path: tokenizer)
    return calls


def train_arguments(config_file, folder, *fields):
    """Return the arguments of a training run that writes nothing outside of a folder."""
    folders = [f"cluster.fileroot={folder}", f"cluster.name_resolve.nfs_record_root={folder}"]
    return ["--config", str(config_file), *folders, *fields]


def workflow_of(call, kind=""):
    """Make the workflow of a recorded call as AReaL's workers do, by name and arguments."""
    from areal.utils.dynamic_import import import_from_string

    return import_from_string(call[f"{kind}workflow"])(**call[f"{kind}workflow_kwargs"])
