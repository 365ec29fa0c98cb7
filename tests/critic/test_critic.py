"""A critic loads once, scores each sample as itself, and takes no orders from a data set."""

import gc
import inspect
import json
import logging
import math
import multiprocessing
import pickle
import sys
import threading
import weakref

import pytest
import tiny_models
import torch

import reference_impl.critic.loaded as loaded_module
from reference_impl import check_conformance
from reference_impl.contract import InvalidSampleError
from reference_impl.critic.config import CriticConfig
from reference_impl.critic.counts import SETTING_COLUMNS
from reference_impl.critic.critic import Critic
from reference_impl.critic.error import CriticConfigError, CriticLoadError

TOKENIZER = tiny_models.tiny_tokenizer()
DEADLINE = 120
GROUPS = [(f"What is {i // 8} + 2?", f"It is {i % 8}, or " + "so " * (i % 5)) for i in range(64)]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.save_tiny_critic(tmp_path_factory.mktemp("critic"))


@pytest.fixture(scope="module")
def shared(model):
    """A critic that is loaded already."""
    critic = Critic(str(model))
    critic.load()
    return critic


@pytest.fixture
def loads(monkeypatch):
    """What was loaded, in order."""
    loads = []
    load_model = loaded_module.load_model

    def counted(config):
        loads.append(config)
        return load_model(config)

    monkeypatch.setattr(loaded_module, "load_model", counted)
    return loads


def in_threads(number, function):
    """What each thread returns; all begin together."""
    barrier = threading.Barrier(number)
    results = [None] * number

    def run(index):
        barrier.wait()
        results[index] = function(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# Loading


def test_64_threads_that_come_first_load_once(model, loads):
    critic = Critic(str(model))
    scores = in_threads(64, lambda index: critic(*GROUPS[index], [], []))
    assert len(loads) == 1
    assert scores == pytest.approx(critic.score(GROUPS).tolist(), abs=1e-5)


def test_a_load_that_fails_is_tried_again(model, tmp_path, loads):
    critic = Critic(str(tmp_path / "link"))
    for _ in range(2):
        with pytest.raises(CriticLoadError):
            critic.score(GROUPS[:1])
    (tmp_path / "link").symlink_to(model)
    assert critic.score(GROUPS[:1]).isfinite().all()
    assert len(loads) == 3


def test_a_failed_load_is_no_failure_of_a_sample(tmp_path):
    with pytest.raises(CriticLoadError):
        Critic(str(tmp_path)).score(GROUPS[:1], on_failure="skip")


def test_loading_twice_loads_once(model, loads):
    critic = Critic(str(model))
    critic.load()
    critic.warm_up()
    assert critic.strategy == "packed"
    assert len(loads) == 1


@pytest.mark.slow
def test_release_gives_the_model_back_and_the_next_call_loads_again(model, loads):
    critic = Critic(str(model))
    critic.release()  # nothing to give back
    before = critic.score(GROUPS[:4])
    network = weakref.ref(critic._load().forward._model)
    critic.release()
    gc.collect()
    assert network() is None
    assert torch.equal(critic.score(GROUPS[:4]), before)
    assert len(loads) == 2


def test_release_during_calls_breaks_none(model):
    critic = Critic(str(model))
    expected = critic.score(GROUPS).tolist()

    def work(index):
        if index == 0:
            for _ in range(5):
                critic.release()
        return critic.score(GROUPS[index::4]).tolist()

    for index, scores in enumerate(in_threads(4, work)):
        assert scores == pytest.approx(expected[index::4], abs=1e-5)


@pytest.mark.parametrize("config", [None, 7, b"model", ""])
def test_a_critic_of_no_model_is_refused(config):
    with pytest.raises(CriticConfigError, match="`model`"):
        Critic(config)


def test_a_path_is_refused_with_what_to_pass(model):
    with pytest.raises(CriticConfigError, match="It must be text"):
        Critic(model)


# Scores


def test_each_thread_gets_the_scores_of_its_own_samples(shared):
    expected = shared.score(GROUPS).tolist()
    results = in_threads(8, lambda index: [shared.score(GROUPS[index::8]) for _ in range(5)])
    for index, repeated in enumerate(results):
        for scores in repeated:
            assert scores.tolist() == pytest.approx(expected[index::8], abs=1e-5)


def test_scores_come_in_the_order_of_the_samples(shared):
    expected = dict(zip(GROUPS, shared.score(GROUPS).tolist(), strict=True))
    assert len({round(score, 6) for score in expected.values()}) > 60
    shuffled = [GROUPS[index * 37 % 64] for index in range(64)]
    found = shared.score(shuffled).tolist()
    assert found == pytest.approx([expected[sample] for sample in shuffled], abs=1e-5)


def test_a_score_does_not_depend_on_the_samples_beside_it(shared):
    alone = [shared(prompt, completion, [], []) for prompt, completion in GROUPS]
    assert shared.score(GROUPS).tolist() == pytest.approx(alone, abs=1e-5)


def test_no_sample_has_no_score(shared):
    scores = shared.score([])
    assert (scores.shape, scores.dtype) == ((0,), torch.float32)


def test_each_outcome_is_a_score_or_an_error(shared):
    outcomes = shared.score_each([GROUPS[0], (None, "4"), GROUPS[1]])
    assert isinstance(outcomes[1], InvalidSampleError)
    assert [outcomes[0], outcomes[2]] == pytest.approx(shared.score(GROUPS[:2]).tolist(), abs=1e-5)


def test_ids_for_other_samples_than_there_are_are_refused(shared):
    with pytest.raises(ValueError, match="ids of 1"):
        shared.score(GROUPS[:2], [None])


# The signature of AReaL


def test_it_takes_what_a_trainer_passes(shared):
    by_position = shared("2 + 2?", "4", [1], [2], answer="4", other=[None])
    by_name = shared(prompt="2 + 2?", completions="4", prompt_ids=[], completion_ids=[])
    assert by_position == by_name and isinstance(by_name, float)
    names = list(inspect.signature(shared).parameters)
    assert names == ["prompt", "completions", "prompt_ids", "completion_ids", "columns"]


def test_a_prompt_of_messages_is_the_text_of_its_user(shared):
    messages = [{"role": "user", "content": "2 + 2?"}]
    assert shared(messages, "4", [], []) == shared("2 + 2?", "4", [], [])


@pytest.mark.parametrize("completion", [None, b"4", ["4"]])
def test_a_sample_of_the_wrong_form_is_refused(shared, completion):
    with pytest.raises(InvalidSampleError):
        shared("2 + 2?", completion, [], [])


def test_the_ids_of_the_trainer_are_read_if_the_policys_tokenizer_is_the_same(model):
    critic = Critic(CriticConfig(str(model), policy_tokenizer=str(model)))
    ids = TOKENIZER.apply_chat_template(
        [{"role": "user", "content": "2 + 2?"}], add_generation_prompt=True, return_dict=False
    )
    reply = [*TOKENIZER.encode("It is 4."), TOKENIZER.eos_token_id]
    from_ids = critic("not read", "nor this", ids, reply)
    assert from_ids == critic("2 + 2?", "It is 4.", [], [])
    assert critic.counts.from_ids == 1
    with pytest.raises(InvalidSampleError):
        critic("2 + 2?", "4", [10**9], [1])


def test_the_ids_of_the_trainer_are_not_read_otherwise(shared):
    before = shared.counts.from_ids
    assert shared("2 + 2?", "4", [10**9], [-1]) == shared("2 + 2?", "4", [], [])
    assert shared.counts.from_ids == before


def test_it_pickles_without_its_model(shared):
    copied = pickle.dumps(shared)
    assert len(copied) < 2000
    copy = pickle.loads(copied)
    assert copy.config == shared.config
    assert copy.counts.samples == 0
    assert copy(*GROUPS[0], [], []) == pytest.approx(shared(*GROUPS[0], [], []), abs=1e-6)


@pytest.mark.slow
def test_it_conforms(model, monkeypatch):
    monkeypatch.setenv("TINY_CRITIC", str(model))
    sample = {
        "prompt": "What is 2 + 2?",
        "completions": "It is 4.",
        "prompt_ids": [1, 2],
        "completion_ids": [3],
        "answer": "4",
    }
    report = check_conformance(
        "conforming_critic.critic", sample, low=0.0, high=1.0, deadline=DEADLINE
    )
    assert report.passed, str(report)


# Columns


@pytest.fixture
def opened():
    """The paths that were opened during the test."""
    opened = []
    during_test = True

    def watch(event, arguments):
        if during_test and event in ("open", "os.listdir", "os.scandir"):
            opened.append(str(arguments[0]))

    sys.addaudithook(watch)  # it stays for good, so it is told when to stop
    yield opened
    during_test = False


def test_columns_that_look_like_settings_are_counted_and_never_obeyed(model, opened, caplog):
    critic = Critic(str(model))
    columns = dict.fromkeys(SETTING_COLUMNS, "/other/model") | {"answer": "4"}
    with caplog.at_level(logging.WARNING, "reference_impl.critic"):
        found = [critic("2 + 2?", "4", [], [], **columns) for _ in range(3)]
    assert found == [critic("2 + 2?", "4", [], [])] * 3
    assert any(str(model) in path for path in opened)
    assert not any("/other" in path for path in opened)
    assert critic.counts.ignored_columns == dict.fromkeys(sorted(SETTING_COLUMNS), 3)
    warnings = [r.getMessage() for r in caplog.records if r.name == "reference_impl.critic"]
    assert len(warnings) == len(SETTING_COLUMNS) >= 3
    assert {"model", "reward_model_path", "trust_remote_code"} <= SETTING_COLUMNS
    assert critic.config == CriticConfig(str(model))


# Counts


def test_what_happened_to_samples_is_counted(model):
    critic = Critic(CriticConfig(str(model), max_length=64))
    assert critic.counts.samples == critic.counts.failed == 0
    critic.score(
        [
            ("2 + 2?", "4"),
            ("2 + 2?", "4 " * 200),
            ("2 + 2?", "<|im_start|>4"),
            (None, "4"),
            ("<|im_start|>user\n", "4"),
        ],
        on_failure="skip",
    )
    counts = critic.counts
    assert (counts.samples, counts.truncated, counts.neutralized) == (5, 1, 1)
    assert counts.failures == {"invalid_sample": 2}


def test_threads_lose_no_count(model):
    critic = Critic(str(model))
    in_threads(8, lambda index: [critic.score(GROUPS[:3]) for _ in range(5)])
    assert critic.counts.samples == 8 * 5 * 3


# Processes


def answer(critic, sender):
    score = critic(*GROUPS[0], [], [])
    sender.send((score, critic.counts.samples, torch.get_num_threads()))


def ask(method, critic):
    """What a critic answers in a child."""
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(critic, sender))
    process.start()
    try:
        assert receiver.poll(DEADLINE), "the child does not answer"
        return receiver.recv()
    finally:
        process.kill()
        process.join()


@pytest.mark.slow
def test_it_works_in_a_spawned_process(shared):
    score, samples, _ = ask("spawn", shared)
    assert score == pytest.approx(shared(*GROUPS[0], [], []), abs=1e-5)
    assert samples == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork")
@pytest.mark.parametrize("was_loaded", [True, False])
def test_it_answers_in_a_fork_of_a_process_whose_torch_has_threads(model, was_loaded):
    critic = Critic(str(model))
    expected = Critic(str(model))(*GROUPS[0], [], [])
    torch.set_num_threads(2)
    try:
        torch.randn(800, 800) @ torch.randn(800, 800)
        if was_loaded:
            critic.score(GROUPS)
        score, samples, threads = ask("fork", critic)
    finally:
        torch.set_num_threads(1)
    assert score == pytest.approx(expected, abs=1e-5)
    assert (samples, threads) == (1, 1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork")
def test_it_answers_in_a_fork_that_happens_while_the_parent_scores(shared):
    stop = threading.Event()

    def score():
        while not stop.is_set():
            shared.score(GROUPS)

    thread = threading.Thread(target=score)
    thread.start()
    try:
        results = [ask("fork", shared) for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    expected = shared(*GROUPS[0], [], [])
    assert [result[0] for result in results] == pytest.approx([expected] * 3, abs=1e-5)


def test_a_configuration_survives_the_way_to_a_process(shared):
    assert json.loads(shared.config.to_json())["model"] == shared.config.model
    assert math.isfinite(Critic(CriticConfig.from_json(shared.config.to_json()))("p", "c", [], []))
