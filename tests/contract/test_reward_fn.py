"""What a string names, what a reward takes, and what it may return."""

import asyncio
import sys
import warnings
from decimal import Decimal
from fractions import Fraction

import bad_rewards
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reference_impl.contract import (
    InvalidRewardError,
    InvalidSampleError,
    RewardError,
    check_reward,
    check_text,
    load_reward_fn,
)
from reference_impl.contract.error import describe_error

ANY_TEXT = st.text(st.characters(codec=None, categories=None))  # lone surrogates too
NOT_TEXT = st.one_of(
    st.none(),
    st.binary(),
    st.integers(),
    st.floats(),
    st.lists(st.text()),
    st.tuples(st.text()),
    st.dictionaries(st.text(), st.text()),
)


@given(ANY_TEXT)
@example("")
@example("\x00")
@example("\ud800")
@example("\u202e4\u200f")
def test_every_str_is_text(text):
    assert check_text("completions", text) is text


@given(NOT_TEXT)
def test_nothing_else_is_text(value):
    with pytest.raises(InvalidSampleError, match="`completions` is"):
        check_text("completions", value)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (b"4", "decode it first"),
        (bytearray(b"4"), "decode it first"),
        (None, "check that the trainer generated it"),
        ([{"role": "assistant", "content": "4"}], r"the text of the last"),
        (4, "of type int, not text: pass a str"),
    ],
)
def test_the_error_says_what_came_and_what_to_do(value, advice):
    with pytest.raises(InvalidSampleError, match=advice):
        check_text("completions", value)


@given(st.one_of(st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.fractions()))
def test_finite_numbers_are_rewards(value):
    reward = check_reward(value)
    assert type(reward) is float
    assert reward == float(value)


@given(
    st.one_of(
        st.sampled_from([float("nan"), float("inf"), float("-inf"), 10**400, Decimal("sNaN")]),
        ANY_TEXT,
        st.complex_numbers(),
        NOT_TEXT.filter(lambda value: not isinstance(value, int | float)),
    )
)
def test_nothing_else_is_a_reward(value):
    with pytest.raises(InvalidRewardError, match="The reward function returned") as caught:
        check_reward(value)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_numbers_of_other_libraries():
    np = pytest.importorskip("numpy", reason="NumPy scalars need NumPy")
    assert check_reward(np.float32(0.5)) == 0.5
    assert check_reward(np.bool_(True)) == 1.0
    assert check_reward(np.array(0.5)) == 0.5
    assert check_reward(Fraction(1, 4)) == check_reward(Decimal("0.25")) == 0.25
    for value in (np.array([1.0]), np.str_("1.0"), np.complex128(1), np.float64("nan")):
        with pytest.raises(InvalidRewardError):
            check_reward(value)


class Scalar:
    """Behaves as a tensor of the given number of dimensions does."""

    def __init__(self, ndim):
        self.ndim = ndim

    def __float__(self):
        if self.ndim > 1:
            raise RuntimeError("device lost\nat line 2")
        return 0.5


def test_tensors():
    assert check_reward(Scalar(0)) == 0.5
    with pytest.raises(InvalidRewardError, match="one float for one sample"):
        check_reward(Scalar(1))
    broken = Scalar(2)
    del broken.ndim
    with pytest.raises(InvalidRewardError, match="does not convert"):
        check_reward(broken)


def test_a_coroutine_is_refused_and_closed():
    async def reward_fn():
        return 1.0

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coroutine = reward_fn()
        with pytest.raises(InvalidRewardError, match="AReaL's reward is synchronous"):
            check_reward(coroutine)
        with pytest.raises(RuntimeError, match="cannot reuse"):
            asyncio.run(coroutine)


def test_load_functions_instances_and_class_attributes():
    assert load_reward_fn("bad_rewards.good") is bad_rewards.good
    assert load_reward_fn("bad_rewards.good_instance") is bad_rewards.good_instance
    assert load_reward_fn("bad_rewards.Good.as_class_method")("", "", [], []) == 0.5


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a submodule that nothing has imported, and broken ones."""
    folder = tmp_path / "a_package"
    (folder / "rules").mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "same = 1\ndef __getattr__(name):\n"
        "    if name == 'lazy_reward':\n        return lambda *fields, **columns: 0.25\n"
        "    raise AttributeError(name)\n"
    )
    (folder / "rules" / "__init__.py").write_text("")
    (folder / "rules" / "exact.py").write_text("def exact_reward(*fields): return 1.0\nTEXT = ''")
    (folder / "same.py").write_text("def reward(*fields): return 0.75\n")
    (folder / "needs_more.py").write_text("import a_module_that_is_not_installed\n")
    (folder / "broken.py").write_text("raise ZeroDivisionError('while importing')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "a_package"
    for name in [name for name in sys.modules if name.split(".")[0] == "a_package"]:
        del sys.modules[name]


def test_load_imports_what_is_on_the_way(package):
    assert load_reward_fn("a_package.rules.exact.exact_reward")() == 1.0
    assert load_reward_fn("a_package.lazy_reward")() == 0.25
    assert load_reward_fn("a_package.same.reward")() == 0.75


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("good", ValueError, "'good' is not an import path"),
        ("", ValueError, "not an import path"),
        ("bad_rewards:good", ValueError, "with dots between"),
        ("bad_rewards..good", ValueError, "not an import path"),
        ("rewards/good.py", ValueError, "not an import path"),
        (b"bad_rewards.good", TypeError, "is a str, not bytes"),
        ("no_such_package.mod.fn", ModuleNotFoundError, "no module `no_such_package`. Install"),
        (
            "a_package.rulez.exact.fn",
            ModuleNotFoundError,
            "`a_package.rulez`. Did you mean",
        ),
        ("a_package.rules.exakt.fn", ModuleNotFoundError, "mean `exact`"),
        ("a_package.rules.exact.exact_rewrd", AttributeError, "Did you mean `exact_reward`"),
        ("a_package.rules.exact.zzz", AttributeError, "`a_package.rules.exact` has no `zzz`.$"),
        ("a_package.rules.exact.zzz.fn", AttributeError, "`a_package.rules.exact` has no `zzz`"),
        ("a_package.rules.exact", TypeError, "cannot be called: it is a module"),
        ("a_package.rules.exact.TEXT", TypeError, "cannot be called: it is a str"),
        ("bad_rewards.Good", TypeError, "is a class"),
        ("a_package.needs_more.fn", ModuleNotFoundError, "a_module_that_is_not_installed"),
        ("a_package.broken.fn", ZeroDivisionError, "while importing"),
    ],
)
def test_load_says_which_part_is_wrong(package, path, error, says):
    if path == "a_package.rules.exact":
        load_reward_fn("a_package.rules.exact.exact_reward")  # now the package holds its module
    with pytest.raises(error, match=says):
        load_reward_fn(path)


@given(ANY_TEXT)
def test_a_described_error_is_one_bounded_line(message):
    line = describe_error(ValueError(message))
    assert line.isprintable()
    assert line.startswith("ValueError")
    assert len(line) <= len("ValueError: ") + 10 * 300 + 3


def test_describing_errors_that_resist():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    assert describe_error(Mute()) == "Mute: (its message cannot be printed)"
    assert describe_error(KeyError()) == "KeyError"
    assert describe_error(ValueError("a" * 10**6)) == f"ValueError: {'a' * 300}..."


def test_errors_are_caught_as_what_they_are():
    from reference_impl.contract import InvalidGoldError

    assert issubclass(InvalidSampleError, RewardError | TypeError)
    assert issubclass(InvalidGoldError, ValueError)
    reasons = {error.reason for error in (RewardError, InvalidSampleError, InvalidGoldError)}
    assert reasons == {"reward_error", "invalid_sample", "invalid_gold"}
