"""Settings are checked when they are given, and the key is shown nowhere."""

import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.judge.config import JudgeConfig
from reference_impl.judge.error import JudgeConfigError

SERVER = {"base_url": "http://127.0.0.1:8000/v1", "model": "judge"}
VARIABLES = {"JUDGE_BASE_URL": "http://127.0.0.1:8000/v1", "JUDGE_MODEL": "judge"}
KEY = "sk-very-secret"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", "0"),
        ("top_p", 0),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("structured", "xml"),
        ("concurrency", 0),
        ("concurrency", True),
        ("deadline_seconds", 0),
        ("deadline_seconds", float("inf")),
        ("max_attempts", 0),
        ("token_budget", 0),
        ("cost_budget", -1),
        ("breaker_failures", 0),
        ("breaker_seconds", 0),
        ("cache_entries", -1),
        ("cache_sampled", 1),
        ("model", ""),
        ("seed", "7"),
        ("extra_body", {"temperature": 1}),
        ("extra_body", {"stream": True}),
        ("extra_body", {"options": object()}),
        ("extra_body", {"options": float("nan")}),
        ("no_such_setting", 1),
    ],
)
def test_a_wrong_setting_is_named_at_once(setting, value):
    with pytest.raises(JudgeConfigError, match=f"`{setting}`"):
        JudgeConfig(**SERVER | {setting: value})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "ftp://host/v1",
        "http://",
        "http://host:0/v1",
        "http://host:99999/v1",
        "http://host/v1?key=1",
        "http://host/v1#here",
        "http://host/v 1",
        "http://host/v1\nX: 1",
        None,
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(JudgeConfigError, match="base_url"):
        JudgeConfig(base_url=url, model="judge")


def test_a_user_name_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(JudgeConfigError, match="user name") as caught:
        JudgeConfig(base_url=f"http://me:{KEY}@host/v1", model="judge")
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_cost_takes_both_prices():
    with pytest.raises(JudgeConfigError, match="price_per_million_output"):
        JudgeConfig(**SERVER, cost_budget=1.0, price_per_million_input=1.0)
    with pytest.raises(JudgeConfigError, match="price_per_million_input"):
        JudgeConfig(**SERVER, cost_budget=1.0)


def test_settings_cannot_be_changed():
    config = JudgeConfig(**SERVER)
    with pytest.raises(ValueError, match="frozen"):
        config.model = "another"


@pytest.mark.parametrize("key", ["", f"{KEY}\n", f"{KEY} x", f"{KEY}é", 7, None])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key):
    with pytest.raises(JudgeConfigError, match="api_key") as caught:
        JudgeConfig(**SERVER, api_key=key)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_no_text_of_a_configuration_shows_the_key():
    config = JudgeConfig(**SERVER, api_key=KEY)
    texts = [repr(config), str(config), config.model_dump_json(), str(config.model_dump())]
    assert not any(KEY in text for text in texts)
    with pytest.raises(JudgeConfigError) as caught:
        JudgeConfig(**SERVER, api_key=KEY, concurrency=-1)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert pickle.loads(pickle.dumps(config)) == config


def test_the_environment_has_a_variable_for_every_setting():
    given = {
        "JUDGE_BASE_URL": "http://host/v1/",
        "JUDGE_MODEL": "7",
        "JUDGE_API_KEY": KEY,
        "JUDGE_TEMPERATURE": "0.7",
        "JUDGE_TOP_P": "0.9",
        "JUDGE_SEED": "3",
        "JUDGE_MAX_TOKENS": "99",
        "JUDGE_STRUCTURED": "none",
        "JUDGE_CONCURRENCY": "8",
        "JUDGE_DEADLINE_SECONDS": "5",
        "JUDGE_MAX_ATTEMPTS": "2",
        "JUDGE_TOKEN_BUDGET": "1000",
        "JUDGE_COST_BUDGET": "1.5",
        "JUDGE_PRICE_PER_MILLION_INPUT": "1",
        "JUDGE_PRICE_PER_MILLION_OUTPUT": "2",
        "JUDGE_BREAKER_FAILURES": "4",
        "JUDGE_BREAKER_SECONDS": "6",
        "JUDGE_CACHE_ENTRIES": "0",
        "JUDGE_CACHE_SAMPLED": "true",
        "JUDGE_EXTRA_BODY": '{"Top_K": 1}',
    }
    assert len(given) == len(JudgeConfig.model_fields)
    config = JudgeConfig.from_environment(given | {"PATH": "/bin"})
    assert config == JudgeConfig(
        base_url="http://host/v1",
        model="7",
        api_key=KEY,
        temperature=0.7,
        top_p=0.9,
        seed=3,
        max_tokens=99,
        structured="none",
        concurrency=8,
        deadline_seconds=5,
        max_attempts=2,
        token_budget=1000,
        cost_budget=1.5,
        price_per_million_input=1,
        price_per_million_output=2,
        breaker_failures=4,
        breaker_seconds=6,
        cache_entries=0,
        cache_sampled=True,
        extra_body={"Top_K": 1},
    )


def test_an_unknown_variable_is_an_error_that_lists_the_known_ones():
    with pytest.raises(JudgeConfigError, match=r"JUDGE_TEMPRATURE.*JUDGE_TEMPERATURE"):
        JudgeConfig.from_environment(VARIABLES | {"JUDGE_TEMPRATURE": "1"})
    other = VARIABLES | {"JUDGE_LANGUAGE": "zh"}
    with pytest.raises(JudgeConfigError, match="JUDGE_LANGUAGE"):
        JudgeConfig.from_environment(other)
    assert JudgeConfig.from_environment(other, also=["JUDGE_LANGUAGE"]).model == "judge"


@pytest.mark.parametrize("missing", VARIABLES)
def test_a_variable_that_is_needed_is_asked_for(missing):
    for variables in (
        VARIABLES | {missing: ""},
        {k: v for k, v in VARIABLES.items() if k != missing},
    ):
        with pytest.raises(JudgeConfigError, match=missing):
            JudgeConfig.from_environment(variables)


@given(st.sampled_from(sorted(JudgeConfig.model_fields)), st.text())
def test_any_text_of_a_variable_is_a_setting_or_a_clear_error(name, text):
    try:
        JudgeConfig.from_environment(VARIABLES | {f"JUDGE_{name.upper()}": text})
    except JudgeConfigError as error:
        assert name in str(error) or name.upper() in str(error)
