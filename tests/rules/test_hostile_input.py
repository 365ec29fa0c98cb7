"""Every reward, on every kind of bad input: a finite float or the stated error, never a hang."""

import faulthandler
import math
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest

from reference_impl import rules
from reference_impl.contract.error import InvalidGoldError, InvalidSampleError
from reference_impl.contract.reward_fn import load_reward_fn
from reference_impl.rules.exact import ExactMatch
from reference_impl.rules.length import CosineLength, SoftOverlong
from reference_impl.rules.numeric import NumericMatch

pytestmark = pytest.mark.slow  # up to a million characters each

NAMES = sorted(name for name in rules.__all__ if name.endswith("_reward_fn"))
EVERY_FORM = ("boxed", "hash", "phrase", "last_number")

COLUMNS = {"answer": "4", "tests": [{"input": "2 + 2", "output": "4"}]}
REWARDS = {name: getattr(rules, name) for name in NAMES} | {
    "ExactMatch of every form": ExactMatch(forms=EVERY_FORM),
    "NumericMatch with a tolerance": NumericMatch(forms=EVERY_FORM, rel_tol="1%", abs_tol=0.5),
    "TagFormat": rules.TagFormat(tags=("plan", "code")),
    "SoftOverlong": SoftOverlong(max_tokens=4, buffer_tokens=2),
    "CosineLength": CosineLength(rules.numeric_match_reward_fn, max_tokens=4),
    "NgramRepetition": rules.NgramRepetition(n=2, max_penalty=0.5),
}

# Far above what any of them takes (a second or two for a million characters), far below a hang.
DEADLINE_SECONDS = 120

SHORT = {
    "empty": "",
    "white space": " \n\t\u3000",
    "NUL": "\x00",
    "lone surrogates": "\ud800\\boxed{\udfff4}",
    "right-to-left marks": "\u202e\\boxed{\u200f4}\u202c",
    "zero width": "\\boxed{\u200b}",
    "combining": "\\boxed{4" + "\u0301" * 50 + "}",
    "huge number": "\\boxed{1e999999999999}",
    "many digits": "\\boxed{" + "9" * 10_000 + "}",
    "zero division": "\\boxed{1/0}",
    "emoji": "\\boxed{👩‍👩‍👧‍👦}",
}

LONG, LONGEST = 50_000, 1_000_000
REPEATED = [
    *["a", "4", " ", "\n", "{", "}", "\\", "$", ",", ".", "*", "_", "。", "好", "\x00", "\ud800"],
    *["\\boxed{", "\\boxed", "\\boxed ", "\\boxed{}", "\\boxed{4}", "\\{", "{}", "}{", "\\\\"],
    *["<think>", "</think>", "<think></think>", "<answer>", "</answer>", "<think>a</think>"],
    *["####", "#### ", "####\n", "# ", "the answer is", "The answer is ", "the ", "the  final "],
    *["答案是", "答案为：", "1,234,", "1,", "1/", "\\frac{", "\\frac{1}{2}", "\\text{", "{,}"],
    *["1e9", "-", "- ", "4 4 ", "a b ", ".*", '."', "4. ", "\u200b", "\u202e", "１"],
]
REPEATED_LONGEST = [
    "a",
    "4",
    " ",
    "{",
    "\x00",
    "\ud800",
    "\\boxed{",
    "<think>",
    "the answer is",
    "a b ",
]


def hostile_texts():
    yield from SHORT.values()
    for unit in REPEATED:
        text = unit * (LONG // len(unit))
        yield from (text, f"The answer is {text}", f"\\boxed{{{text}}}")
    for unit in REPEATED_LONGEST:
        yield unit * (LONGEST // len(unit))
    yield "the" + " " * LONGEST + "answer is 4"
    yield "\\boxed" + " " * LONGEST + "{4}"
    yield "<think>" * 100_000 + "</think>" * 100_000 + "4"
    yield "\\boxed{" * 100_000 + "4" + "}" * 100_000
    yield "<think>" + "a" * LONGEST + "</think><answer>" + "\u200b" * LONGEST + "</answer>"


def score_hostile_texts(name):
    """Run in a child, which ends itself at the deadline and prints where it stood."""
    faulthandler.dump_traceback_later(DEADLINE_SECONDS, exit=True)
    reward_fn = REWARDS[name]
    scores = [reward_fn("", text, [], [1, 2, 3], answer="4") for text in hostile_texts()]
    faulthandler.cancel_dump_traceback_later()
    return scores


# One reward for each way to read a text.
@pytest.mark.parametrize(
    "name",
    [
        "ExactMatch of every form",
        "NumericMatch with a tolerance",
        "format_reward_fn",
        "soft_overlong_reward_fn",
        "ngram_repetition_reward_fn",
    ],
)
def test_up_to_a_million_characters_of_anything_score_in_time(name):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        scores = pool.submit(score_hostile_texts, name).result()
    assert all(isinstance(score, float) and math.isfinite(score) for score in scores)


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("completion", [None, b"", b"4", 4, ["4"], {"content": "4"}])
def test_what_is_not_text_is_an_invalid_sample(name, completion):
    with pytest.raises(InvalidSampleError, match="completions"):
        REWARDS[name]("", completion, [], [1], **COLUMNS)


@pytest.mark.parametrize(
    "name", [name for name in REWARDS if "xact" in name or "umeric" in name or "osine" in name]
)
@pytest.mark.parametrize("gold", [None, b"4", ["4"], True, "", "\x00", "\u200b", "\\boxed{"])
def test_a_bad_gold_is_an_error_in_the_data_whatever_the_completion(name, gold):
    for completion in ("", r"\boxed{4}", "no answer"):
        with pytest.raises(InvalidGoldError):
            REWARDS[name]("", completion, [], [1] if completion else [], answer=gold)


@pytest.mark.parametrize(
    "gold", [*SHORT.values(), "4" * LONGEST, "\u200b" * LONGEST, "\\boxed{" * 100_000]
)
@pytest.mark.parametrize("reward_fn", [rules.exact_match_reward_fn, rules.numeric_match_reward_fn])
def test_a_hostile_gold_scores_or_is_an_error_in_the_data(reward_fn, gold):
    try:
        assert reward_fn("", r"\boxed{4}", [], [1], answer=gold) in (0.0, 1.0)
    except InvalidGoldError as error:
        assert len(str(error)) < 1_000


@pytest.mark.parametrize("name", REWARDS)
def test_rewards_pickle(name):
    copy = pickle.loads(pickle.dumps(REWARDS[name]))
    completion = "so so so so so #### 4"
    arguments = ("", completion, [], [1, 2, 3])
    assert copy(*arguments, **COLUMNS) == REWARDS[name](*arguments, **COLUMNS)


@pytest.mark.parametrize("name", NAMES)
def test_rewards_are_importable_by_string(name):
    reward_fn = getattr(rules, name)
    assert load_reward_fn(f"{reward_fn.__module__}.{name}") is reward_fn
    assert load_reward_fn(f"reference_impl.rules.{name}") is reward_fn
