"""Tool use: calls that could be run are paid, and nothing that only looks like one."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.contract import InvalidSampleError, check_conformance
from reference_impl.steps import (
    InvalidToolsError,
    ToolUseValidity,
    check_tool_use,
    tool_use_reward_fn,
)
from reference_impl.steps.tool_calls import MAX_CALL_CHARACTERS
from reference_impl.steps.tools import MAX_TOOLS_CHARACTERS

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 1},
                "place": {"type": "object", "properties": {"zip": {"type": "string"}}},
            },
            "required": ["city"],
        },
    },
}
TOOLS = [WEATHER, {"name": "now"}]
ARGUMENTS = '{"city": "Oslo", "days": 2}'


def call(arguments=ARGUMENTS, name="get_weather"):
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


def score(completion, tools=TOOLS, **settings):
    return ToolUseValidity(**settings)("", completion, [], [], tools=tools)


def problems(completion, tools=TOOLS):
    return [found.problem for found in check_tool_use(completion, tools).calls]


VALID = {
    "one": call(),
    "with words": f"Let me see.\n{call()}<|im_end|>",
    "two": call() + call("{}", "now"),
    "behind a thought": f"<think>I need {call('{', 'what')}.</think>{call()}",
    "behind a thought that the template opened": f"hm {call('{')}</think>{call()}",
    "a mark in an argument": call('{"city": "<tool_response>"}'),
    "an inner object is as open as its schema": call(
        '{"city": "a", "place": {"zip": "1", "b": 2}}'
    ),
    "3.0 is an integer in JSON Schema": call('{"city": "a", "days": 3.0}'),
}

INVALID = {
    "no call": ("It is sunny.", []),
    "a call in a thought alone": (f"<think>{call()}</think>Sunny.", []),
    "a thought without an end": (f"<think>{call()}", []),
    "a call in a second thought": (f"<think>a</think>b<think>{call()}</think>", []),
    "a call before a closing tag": (f"{call()}</think>", []),
    "not closed": (call().removesuffix("</tool_call>"), ["not_closed"]),
    "a thought inside a mark": (call().replace("tool", "<think></think>tool"), []),
    "not opened": (call().removeprefix("<tool_call>"), []),
    "broken": (call('{"city": "Oslo"'), ["not_json"]),
    "Python": (call("{'city': 'Oslo'}"), ["not_json"]),
    "a comment": (call(f"{ARGUMENTS} // two days"), ["not_json"]),
    "fenced": (f"<tool_call>```json\n{call()[12:-13]}\n```</tool_call>", ["not_json"]),
    "NaN": (call('{"city": "Oslo", "days": NaN}'), ["not_json"]),
    "a key twice": (call('{"city": "Oslo", "city": "Rome"}'), ["not_json"]),
    "a name twice": (call('{"city": "a"}, "name": "now"'), ["not_json"]),
    "nested calls": (f"<tool_call>{call()}</tool_call>", ["not_json"]),
    "nested deeply": (call('{"city": ' + "[" * 4000 + "]" * 4000 + "}"), ["not_json"]),
    "an endless number": (call('{"city": "a", "days": ' + "9" * 4999 + "}"), ["not_json"]),
    "two objects": (f"<tool_call>{call()[11:-12] * 2}</tool_call>", ["not_json"]),
    "a list": (f"<tool_call>[{call()[11:-12]}]</tool_call>", ["wrong_shape"]),
    "a key more": (call(f'{ARGUMENTS}, "result": "sunny"'), ["wrong_shape"]),
    "arguments as text": (call(json.dumps(ARGUMENTS)), ["wrong_shape"]),
    "arguments as list": (call('["Oslo"]'), ["wrong_shape"]),
    "no arguments": ('<tool_call>{"name": "now"}</tool_call>', ["wrong_shape"]),
    "a name that is no text": (
        '<tool_call>{"name": 1, "arguments": {}}</tool_call>',
        ["wrong_shape"],
    ),
    "huge": (call(json.dumps({"city": "a" * MAX_CALL_CHARACTERS})), ["too_long"]),
    "unknown": (call(name="get_wether"), ["unknown_tool"]),
    "another case": (call(name="Get_Weather"), ["unknown_tool"]),
    "a Cyrillic letter": (call(name="get_weаther"), ["unknown_tool"]),
    "a zero-width space": (call(name="get_weather\u200b"), ["unknown_tool"]),
    "a missing argument": (call('{"days": 2}'), ["invalid_arguments"]),
    "an argument more": (call('{"city": "Oslo", "sudo": true}'), ["invalid_arguments"]),
    "a number as text": (call('{"city": "Oslo", "days": "2"}'), ["invalid_arguments"]),
    "a bool as number": (call('{"city": "Oslo", "days": true}'), ["invalid_arguments"]),
    "out of range": (call('{"city": "Oslo", "days": 0}'), ["invalid_arguments"]),
    "an argument of a tool without any": (call('{"a": 1}', "now"), ["invalid_arguments"]),
    "one of two": (call() + call("{}"), ["", "invalid_arguments"]),
    "its own result": (f"{call()}<tool_response>sunny</tool_response>", [""]),
    "its own result, in capitals": (f"{call()}</ TOOL_RESPONSE >sunny", [""]),
    "its own result behind a mark in an argument": (
        call('{"city": "</tool_call><tool_response>"}'),
        ["not_json"],
    ),
}


@pytest.mark.parametrize("label", VALID)
def test_calls_that_could_be_run_are_paid(label):
    assert score(VALID[label]) == 1.0


@pytest.mark.parametrize("label", INVALID)
def test_what_could_not_be_run_is_not(label):
    completion, expected = INVALID[label]
    assert score(completion) == 0.0
    assert problems(completion) == expected


def test_more_calls_are_never_paid_more():
    for count in range(1, 9):
        assert score(call() * count) == 1.0
    assert score(call() * 9) == 0.0
    assert score(call() * 2, max_calls=1) == 0.0
    spam = check_tool_use(call() * 100_000, TOOLS)
    assert len(spam.calls) == 8
    assert spam.too_many
    assert not spam.valid


def test_a_valid_call_does_not_outweigh_a_broken_one():
    assert score(call("{}") + call() * 7) == 0.0


marks = st.sampled_from(["<tool_call>", "</tool_call>", "<think>", "{", "}", '"', "a", ":"])


@given(st.lists(marks).map("".join))
def test_any_text_is_read(text):
    assert score(text) == 0.0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(json_values)
def test_text_and_messages_are_read_alike(arguments):
    text = f"<tool_call>{json.dumps({'name': 'get_weather', 'arguments': arguments})}</tool_call>"
    as_text = check_tool_use(text, TOOLS)
    for passed in (arguments, json.dumps(arguments)):
        if isinstance(passed, dict | str):
            message = structured(passed)
            found = check_tool_use(message, TOOLS)
            assert found.valid == as_text.valid
            assert score(message) == score(text)


# Messages


def structured(arguments, name="get_weather"):
    function = {"name": name, "arguments": arguments}
    calls = [{"type": "function", "id": "1", "function": function}]
    return [{"role": "assistant", "content": None, "tool_calls": calls}]


def test_calls_beside_the_text_of_a_message():
    assert score(structured({"city": "Oslo"})) == 1.0
    assert score(structured('{"city": "Oslo"}')) == 1.0
    assert problems(structured('{"city": "Oslo"')) == ["wrong_shape"]
    assert problems(structured('{}, "name": "now"')) == ["wrong_shape"]
    assert problems(structured('{}, "x": 1')) == ["wrong_shape"]
    assert problems(structured({"city": 1})) == ["invalid_arguments"]
    assert problems(structured('{"city": "Oslo", "city": "Rome"}')) == ["not_json"]
    assert problems(structured({"city": float("nan")})) == ["not_json"]
    assert problems(structured({"city": {1, 2}})) == ["wrong_shape"]
    assert problems(structured(["Oslo"])) == ["wrong_shape"]
    assert problems([{"role": "assistant", "tool_calls": ["get_weather"]}]) == ["wrong_shape"]


def test_results_of_real_tools_are_messages_of_their_own():
    real = [{"role": "tool", "content": "<tool_response>sunny</tool_response>"}]
    said = [{"role": "assistant", "content": "It is sunny."}]
    assert score(structured({"city": "Oslo"}) + real + said) == 1.0
    forged = [{"role": "assistant", "content": "<tool_response>sunny</tool_response>"}]
    assert score(structured({"city": "Oslo"}) + forged) == 0.0
    assert check_tool_use(structured({"city": "Oslo"}) + forged, TOOLS).forged


def test_what_another_role_says_calls_nothing():
    assert problems([{"role": "user", "content": call()}]) == []


@pytest.mark.parametrize(
    "completion", [None, b"x", 4, ["x"], [{"role": "assistant", "content": 4}]]
)
def test_what_is_no_completion_is_refused(completion):
    with pytest.raises(InvalidSampleError):
        score(completion)


def test_calls_that_are_no_list_are_refused():
    with pytest.raises(InvalidSampleError, match="not a list"):
        score([{"role": "assistant", "content": "", "tool_calls": "get_weather"}])


# Tools


def tool(**parameters):
    return [{"name": "get_weather", "parameters": {"type": "object", **parameters}}]


def test_tools_may_be_json_text():
    assert score(call(), json.dumps(TOOLS)) == 1.0
    assert score(call(), []) == 0.0
    assert score(call(), "[]") == 0.0


def test_a_schema_may_open_its_arguments():
    assert score(call('{"any": 1}'), tool(additionalProperties=True)) == 1.0
    assert score(call('{"any": 1}'), tool()) == 0.0
    combined = tool(anyOf=[{"properties": {"any": {"type": "integer"}}, "required": ["any"]}])
    assert score(call('{"any": 1}'), combined) == 1.0


BAD_TOOLS = {
    "no JSON": "[",
    "no list": "{}",
    "no names": [{"parameters": {}}],
    "no tool": ["get_weather"],
    "twice": [{"name": "now"}, {"name": "now"}],
    "no schema": [{"name": "now", "parameters": "none"}],
    "an unknown type": tool(properties={"city": {"type": "text"}}),
    "filled up with null": tool(properties={"city": {"type": "string", "enum": None}}),
    "a reference elsewhere": tool(properties={"city": {"$ref": "http://127.0.0.1:9/schema"}}),
    "a reference to itself": tool(allOf=[{"$ref": "#"}]),
    "an expression": tool(properties={"city": {"type": "string", "pattern": "^(a+)+$"}}),
    "expressions for names": tool(patternProperties={"^(a+)+$": {}}),
    "an expression in an alternative": tool(anyOf=[{"propertyNames": {"pattern": "a"}}]),
    "every pair is compared": tool(properties={"city": {"uniqueItems": True}}),
    "objects of Python": [{"name": "now", "parameters": {"a": {1}}}],
    "nested deeply": "[" * 50_000,
    "huge": [{"name": "n", "description": "a" * MAX_TOOLS_CHARACTERS}],
}


@pytest.mark.parametrize("label", BAD_TOOLS)
def test_tools_that_cannot_be_used_are_an_error_in_the_data(label):
    with pytest.raises(InvalidToolsError):
        score("No call at all.", BAD_TOOLS[label])
    assert InvalidToolsError.reason == "invalid_tools"


def test_names_that_an_author_chose_are_no_keywords():
    grep = tool(properties={"pattern": {"type": "string"}, "$ref": {"enum": ["pattern", "$ref"]}})
    assert score(call('{"pattern": "a", "$ref": "$ref"}'), grep) == 1.0


def test_numbers_beyond_the_floats_are_invalid_or_valid_but_no_crash():
    schema = tool(properties={"days": {"type": "number", "multipleOf": 0.1}})
    assert score(call('{"days": ' + "9" * 4000 + "}"), schema) == 0.0


def test_the_check_of_a_large_call_ends():
    schema = tool(properties={"city": {"items": {"anyOf": [{"type": "string"}] * 50}}})
    assert score(call(json.dumps({"city": [1] * 3000})), schema) == 0.0


# The contract


@pytest.mark.slow
def test_the_reward_keeps_the_contract():
    sample = {
        "prompt": "What is the weather?",
        "completions": call(),
        "prompt_ids": [1],
        "completion_ids": [2],
        "tools": json.dumps(TOOLS),
    }
    report = check_conformance("reference_impl.steps.tool_use_reward_fn", sample, low=0, high=1)
    assert report.passed, str(report)


def test_it_pickles():
    copy = pickle.loads(pickle.dumps(ToolUseValidity(max_calls=2)))
    assert copy == ToolUseValidity(max_calls=2)
    assert tool_use_reward_fn("", call(), [], [], tools=TOOLS, answer="4") == 1.0


@pytest.mark.parametrize("max_calls", [0, -1, 1.5, True, None])
def test_the_limit_is_a_whole_number(max_calls):
    with pytest.raises(ValueError, match="max_calls"):
        ToolUseValidity(max_calls=max_calls)
