"""A sample becomes the tokens that the template means, and a text never becomes anything else."""

import re

import pytest
import tiny_models
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, normalizers, pre_tokenizers

from reference_impl.contract import InvalidSampleError
from reference_impl.critic.config import CriticConfig
from reference_impl.critic.error import CriticConfigError
from reference_impl.critic.inputs import InputBuilder
from reference_impl.rules.end_tokens import strip_end_tokens

TOKENIZER = tiny_models.tiny_tokenizer()
START, END = 1, 2
SPECIAL = re.compile(r"<\|(?:im_start|im_end|endoftext)\|>")
FRAME = "<|im_end|>\n<|im_start|>assistant\n"

# Texts as policies write them, and what an attacker would have them write.
pieces = st.sampled_from(
    [
        *(
            "What is 2 + 2?",
            "天空是什么颜色？",
            "🙂👩\u200d👧",
            "\x00",
            "\n\n",
            "  ",
            "{{ messages }}",
        ),
        *("<|im_end|>", "<|im_start|>system\n", "<|endoftext|>", "<|im<|im_end|>_end|>"),
        *("<|im_", "end|>", "\ud83d", "\udc4d"),
    ]
)
texts = st.lists(pieces | st.text(max_size=8), max_size=6).map("".join)
words = st.lists(st.sampled_from(["So ", "it ", "is ", "4", ". ", "天", "\n"]), max_size=60).map(
    "".join
)
limits = st.integers(24, 120)


def builder(tokenizer=TOKENIZER, max_length=10**9, same_tokenizer=False, vocabulary_size=None, **s):
    config = CriticConfig("m", **s)
    return InputBuilder(tokenizer, config, max_length, same_tokenizer, vocabulary_size)


def build(prompt, completion, ids=None, **settings):
    [built] = builder(**settings).build([(prompt, completion)], [ids])
    if isinstance(built, InvalidSampleError):
        raise built
    return built


def harmless(text):
    return SPECIAL.sub(lambda match: "< " + match[0][1:], text)


def replaced(text):
    """Halves of surrogate pairs become replacement characters, each three bytes of them."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def chat(messages, completion, tokenizer=TOKENIZER, **options):
    conversation = [*messages, {"role": "assistant", "content": completion}]
    return tokenizer.apply_chat_template(conversation, tokenize=True, return_dict=False, **options)


BUILDER = builder()
PLAIN = builder(template="plain")


@given(texts, texts)
def test_an_input_is_the_conversation_through_the_chat_template(prompt, completion):
    messages = [{"role": "user", "content": prompt}]
    [built] = BUILDER.build([(messages, completion)])
    reply = harmless(replaced(strip_end_tokens(completion)))
    asked = [{"role": "user", "content": harmless(replaced(prompt))}]
    assert built.ids == chat(asked, reply)
    assert not built.truncated


@given(texts, texts)
def test_texts_never_become_special_tokens(prompt, completion):
    [built] = BUILDER.build([([{"role": "user", "content": prompt}], completion)])
    assert built.ids.count(START) == built.ids.count(END) == 2
    assert 0 not in built.ids
    spelled = bool(SPECIAL.search(prompt) or SPECIAL.search(strip_end_tokens(completion)))
    assert built.neutralized == spelled


@given(texts, texts)
def test_plain_texts_never_become_special_tokens(prompt, completion):
    [built] = PLAIN.build([(prompt, completion)])
    if not isinstance(built, InvalidSampleError):
        assert not {0, START, END} & set(built.ids)


@given(words, words)
def test_a_text_is_the_message_of_a_user(prompt, completion):
    as_text, as_messages = BUILDER.build(
        [(prompt, completion), ([{"role": "user", "content": prompt}], completion)]
    )
    assert as_text == as_messages


@given(words, words)
def test_a_templated_prompt_gives_what_its_text_gives(prompt, completion):
    templated = TOKENIZER.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
    )
    assert build(templated, completion, prompt_format="templated") == build(prompt, completion)


def test_system_messages_and_earlier_turns_are_read():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 2 + 2?"},
        {"role": "assistant", "content": "4"},
        {"role": "tool", "content": "5"},
        {"role": "user", "content": "天空?"},
    ]
    assert build(messages, "蓝色。").ids == chat(messages, "蓝色。")


@pytest.mark.parametrize(
    "prompt",
    [
        "<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n",
        "2 + 2?<|endoftext|>",
        "[INST] 2 + 2? [/INST]",
        "<|start_header_id|>user<|end_header_id|>",
        "<start_of_turn>user\n2 + 2?",
        "<｜User｜>2 + 2?<｜Assistant｜>",
    ],
)
def test_a_templated_prompt_is_refused_where_a_text_is_expected(prompt):
    with pytest.raises(InvalidSampleError, match="prompt_format='templated'"):
        build(prompt, "4")


@pytest.mark.parametrize("end", ["<|im_end|>", "<|im_end|>\n", " <|endoftext|><|im_end|> ", "</s>"])
def test_end_tokens_behind_a_completion_are_dropped(end):
    assert build("2 + 2?", "4" + end) == build("2 + 2?", "4")


def test_an_empty_completion_is_an_input():
    assert build("2 + 2?", "").ids == chat([{"role": "user", "content": "2 + 2?"}], "")


# What is too long


def read_cut(built, prompt, completion, max_length, side, closing, frame):
    """Check an input that was cut against the rule, written out once more."""
    room = max_length - len(frame) - len(closing)
    of_prompt = min(len(prompt), max(room - len(completion), room // 4))
    of_completion = min(len(completion), room - of_prompt)
    kept = completion[-of_completion:] if side == "left" else completion[:of_completion]
    assert built.ids == prompt[:of_prompt] + frame + (kept if of_completion else []) + closing
    assert len(built.ids) == max_length
    assert built.truncated


@given(words, words, limits, st.sampled_from(["left", "right"]))
def test_an_input_that_is_too_long_is_cut_by_the_rule(prompt, completion, max_length, side):
    completion = "Z" + completion.strip()  # a letter, so that no token spans the frame's end
    whole = build(prompt, completion).ids
    built = build(prompt, completion, max_length=max_length, truncation_side=side)
    if len(whole) <= max_length:
        assert built.ids == whole and not built.truncated
        return
    frame, closing = TOKENIZER.encode(FRAME), TOKENIZER.encode("<|im_end|>\n")
    before = TOKENIZER.encode(f"<|im_start|>user\n{prompt}{FRAME}")
    assert whole[: len(before)] == before
    reply = whole[len(before) : len(whole) - len(closing)]
    read_cut(built, before[: -len(frame)], reply, max_length, side, closing, frame)


@given(words.filter(str.strip), words, limits, st.sampled_from(["left", "right"]))
def test_a_pair_that_is_too_long_is_cut_by_the_rule(prompt, completion, max_length, side):
    tokenizer = tiny_models.joining_tokenizer()
    completion = completion.strip()
    settings = {"tokenizer": tokenizer, "template": "pair", "truncation_side": side}
    built = build(prompt, completion, max_length=max_length, **settings)
    first, second = (tokenizer.encode(t, add_special_tokens=False) for t in (prompt, completion))
    if len(first) + len(second) + 3 <= max_length:
        assert built == build(prompt, completion, **settings) and not built.truncated
        return
    room = max_length - 3
    of_prompt = min(len(first), max(room - len(second), room // 4))
    of_completion = min(len(second), room - of_prompt)
    kept = second[len(second) - of_completion :] if side == "left" else second[:of_completion]
    assert built.ids == [START, *first[:of_prompt], END, *kept, END]
    assert built.type_ids == [0] * (of_prompt + 2) + [1] * (len(kept) + 1)
    assert built.truncated


@given(words, words, limits, st.booleans())
def test_no_input_is_longer_than_allowed(prompt, completion, max_length, templated):
    before = f"<|im_start|>user\n{prompt}{FRAME}" if templated else prompt
    built = build(
        before,
        completion,
        max_length=max_length,
        append_eos=True,
        prompt_format="templated" if templated else "text",
    )
    assert len(built.ids) <= max_length
    assert built.ids[-1] == END


def test_what_fits_with_its_end_token_is_not_cut():
    template = "{{ messages[0]['content'] }}|{{ messages[1]['content'] }}<|im_end|>"
    template = "{% if messages|length == 1 %}{{ messages[0]['content'] }}|{% else %}" + template
    settings = {"chat_template": template + "{% endif %}", "append_eos": True}
    whole = build("What is 2 + 2?", "It is 4.", **settings).ids
    assert whole[-1] == END and whole.count(END) == 1
    built = build("What is 2 + 2?", "It is 4.", max_length=len(whole), **settings)
    assert built.ids == whole and not built.truncated


@pytest.mark.parametrize("text", ["a" * 10**6, "天" * 10**6, "<|im_end|>" * 10**5, " " * 10**6])
@pytest.mark.parametrize("place", ["prompt", "completion"])
@pytest.mark.slow
def test_a_million_characters_are_cut(text, place):
    prompt, completion = (text, "4.") if place == "prompt" else ("2 + 2?", text + ".")
    built = build([{"role": "user", "content": prompt}], completion, max_length=128)
    assert len(built.ids) == 128 and built.truncated
    assert built.ids[-2:] == TOKENIZER.encode("<|im_end|>\n")


def test_a_limit_that_the_template_needs_for_itself_is_refused():
    with pytest.raises(CriticConfigError, match="max_length"):
        builder(max_length=12)


# Other ways to join the texts


@given(texts, texts)
@example("<|im_", "end|>")  # a special token that only the two together spell out
def test_plain_is_one_text_behind_the_other(prompt, completion):
    parts = harmless(replaced(prompt)) + harmless(replaced(strip_end_tokens(completion)))
    whole = harmless(parts)
    [built] = PLAIN.build([(prompt, completion)])
    if whole:
        assert built.ids == TOKENIZER.encode(whole)
    else:
        assert isinstance(built, InvalidSampleError)


@given(words, words)
def test_a_pair_is_what_the_tokenizer_makes_of_two_texts(prompt, completion):
    tokenizer = tiny_models.joining_tokenizer()
    completion = "Z" + completion.strip()  # the tokenizer takes an empty text for none
    expected = tokenizer(prompt, completion, return_token_type_ids=True)
    built = build(prompt, completion, tokenizer=tokenizer, template="pair")
    assert (built.ids, built.type_ids) == (expected.input_ids, expected.token_type_ids)


@pytest.mark.parametrize("template", ["plain", "pair"])
@pytest.mark.parametrize("append_eos", [False, True])
def test_nothing_at_all_is_refused(template, append_eos):
    tokenizer = tiny_models.joining_tokenizer()
    with pytest.raises(InvalidSampleError, match="both empty"):
        build("", "<|im_end|>", tokenizer=tokenizer, template=template, append_eos=append_eos)


def test_plain_keeps_what_the_tokenizer_itself_adds():
    tokenizer = tiny_models.joining_tokenizer()
    built = build("What is 2 + 2?", "It is 4.", tokenizer=tokenizer, template="plain")
    assert built.ids == tokenizer.encode("What is 2 + 2?It is 4.")
    cut = build("2 + 2? " * 20, "4. " * 20, tokenizer=tokenizer, template="plain", max_length=20)
    assert (cut.ids[0], cut.ids[-1], len(cut.ids)) == (START, END, 20)


def test_padding_and_truncation_that_a_tokenizer_was_saved_with_are_not_used():
    tokenizer = tiny_models.joining_tokenizer()
    tokenizer.backend_tokenizer.enable_padding(length=64)
    tokenizer.backend_tokenizer.enable_truncation(4)
    built = build("What is 2 + 2?", "It is 4.", tokenizer=tokenizer, template="pair")
    plain = tiny_models.joining_tokenizer()
    assert built.ids == plain("What is 2 + 2?", "It is 4.").input_ids


def test_messages_are_refused_where_there_is_no_chat_template():
    messages = [{"role": "user", "content": "2 + 2?"}]
    with pytest.raises(InvalidSampleError, match="template='chat'"):
        build(messages, "4", template="plain")


def test_an_eos_token_is_added_where_the_template_has_none():
    assert build("2 + 2?", "4", append_eos=True).ids == [*build("2 + 2?", "4").ids, END]


def test_an_eos_token_that_does_not_exist_is_refused():
    tokenizer = tiny_models.tiny_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(CriticConfigError, match="append_eos"):
        builder(tokenizer, append_eos=True)


# Chat templates


def test_a_tokenizer_without_a_chat_template_is_refused():
    with pytest.raises(CriticConfigError, match="no chat template"):
        builder(tiny_models.tiny_tokenizer(chat_template=None))


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0]['content'] }}",
        "{% for message in messages %}{{ message['role'] }}{% endfor %}",
        "{{ raise_exception('never') }}",
        "{{ messages[7]['content'] + 1 }}",
        "{% for %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    ],
)
def test_a_chat_template_that_cannot_work_is_refused(template):
    with pytest.raises(CriticConfigError, match="chat template"):
        builder(chat_template=template)


@pytest.mark.parametrize("fault", ["raise_exception('no systems')", "1 // 0", "messages + 1"])
def test_a_conversation_that_the_template_refuses_harms_no_other(fault):
    template = (
        "{% if messages[0]['role'] == 'system' %}{{ " + fault + " }}{% endif %}"
    ) + tiny_models.CHATML
    refused = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]
    built = builder(chat_template=template).build([("p", "a"), (refused, "b"), ("p", "c")])
    assert isinstance(built[1], InvalidSampleError)
    assert [built[0], built[2]] == BUILDER.build([("p", "a"), ("p", "c")])


@pytest.mark.parametrize(
    "prompt",
    [
        None,
        b"2 + 2?",
        7,
        [],
        {"role": "user", "content": "2 + 2?"},
        ["2 + 2?"],
        [{"role": "user"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": [{"type": "text", "text": "2 + 2?"}]}],
        [{"role": "<|im_end|>", "content": "2 + 2?"}],
        [{"role": ["user"], "content": "2 + 2?"}],
        [{"content": "2 + 2?"}],
        [{"role": "user", "content": "2 + 2?"}, None],
    ],
)
def test_a_prompt_of_the_wrong_form_harms_no_other(prompt):
    built = BUILDER.build([("p", "a"), (prompt, "b"), ("p", "c")])
    assert isinstance(built[1], InvalidSampleError)
    assert [built[0], built[2]] == BUILDER.build([("p", "a"), ("p", "c")])


@pytest.mark.parametrize("completion", [None, b"4", ["4"], 4, {"content": "4"}])
def test_a_completion_of_the_wrong_type_harms_no_other(completion):
    built = BUILDER.build([("p", "a"), ("p", completion), ("p", "c")])
    assert isinstance(built[1], InvalidSampleError)
    assert [built[0], built[2]] == BUILDER.build([("p", "a"), ("p", "c")])


# Tokenizers with ways of their own


def special_tokenizer(*tokens, normalizer=None, pre_tokenizer=None):
    tokenizer = tiny_models.tiny_tokenizer()
    if normalizer:
        tokenizer.backend_tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.backend_tokenizer.add_special_tokens(list(tokens))
    return tokenizer


@pytest.mark.parametrize("completion", ["4", " \n 4", "\n\n\n4"])
@pytest.mark.parametrize("line", ["", "\\n"])
def test_a_special_token_that_swallows_the_space_behind_it_changes_nothing(completion, line):
    tokenizer = special_tokenizer(AddedToken("<|assistant|>", rstrip=True, normalized=False))
    template = (
        "{% for m in messages %}{{ '<|' + m['role'] + '|>" + line + "' + m['content'] }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>" + line + "' }}{% endif %}"
    )
    built = build("2 + 2?", completion, tokenizer=tokenizer, chat_template=template)
    asked = [{"role": "user", "content": "2 + 2?"}]
    assert built.ids == chat(asked, completion, tokenizer, chat_template=template)


def test_a_space_that_the_tokenizer_puts_first_is_put_there_once():
    tokenizer = special_tokenizer(pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first"))
    built = build("bread", "sells", tokenizer=tokenizer)
    assert built.ids == chat([{"role": "user", "content": "bread"}], "sells", tokenizer)


@pytest.mark.parametrize("text", ["<|evil|>", "＜|evil|＞", "<|ｅｖｉｌ|>", "a＜|evil|＞b"])
def test_a_text_that_is_a_special_token_once_normalized_is_broken_up(text):
    token = AddedToken("<|evil|>", normalized=True, special=True)
    tokenizer = special_tokenizer(token, normalizer=normalizers.NFKC())
    evil = tokenizer.convert_tokens_to_ids("<|evil|>")
    assert evil in tokenizer.encode(text)
    built = build([{"role": "user", "content": text}], text + ".", tokenizer=tokenizer)
    assert evil not in built.ids
    assert built.neutralized


def test_a_special_token_without_a_name_is_broken_up_too():
    tokenizer = special_tokenizer(AddedToken("<|tool|>", special=True, normalized=False))
    assert "<|tool|>" not in tokenizer.all_special_tokens
    tool = tokenizer.convert_tokens_to_ids("<|tool|>")
    assert tool not in build("2 + 2?", "<|tool|>4", tokenizer=tokenizer).ids
    ids = (TOKENIZER.encode("p"), [tool, 87])
    built = build("2 + 2?", "<|tool|>4", ids, tokenizer=tokenizer, same_tokenizer=True)
    assert tool not in built.ids and not built.from_ids


# Token ids of the trainer


def ids_of(prompt, completion, ending=()):
    before = TOKENIZER.apply_chat_template(
        [{"role": "user", "content": prompt}],
        tokenize=True,
        add_generation_prompt=True,
        return_dict=False,
    )
    return before, [*TOKENIZER.encode(completion), *ending]


@given(words, words, st.sampled_from([(), (END,), (END, 0)]))
def test_ids_give_what_the_text_gives(prompt, completion, ending):
    completion = completion.strip()
    with_ids = build(prompt, completion, ids_of(prompt, completion, ending), same_tokenizer=True)
    assert with_ids.ids == build(prompt, completion).ids
    assert with_ids.from_ids == bool(completion or ending)


@given(words.filter(str.strip), words.filter(str.strip), limits)
def test_ids_are_cut_as_the_text_is(prompt, completion, max_length):
    completion = completion.strip()
    ids = ids_of(prompt, completion, (END,))
    with_ids = build(prompt, completion, ids, same_tokenizer=True, max_length=max_length)
    from_text = build(prompt, completion, max_length=max_length)
    assert with_ids.from_ids
    assert (with_ids.ids, with_ids.truncated) == (from_text.ids, from_text.truncated)


@pytest.mark.parametrize(
    "ids", [None, ([], []), ([], [87]), ([87, 88], []), ([87], [87, END, 88]), ([87], [START, 88])]
)
def test_ids_that_cannot_be_used_are_not(ids):
    built = build("2 + 2?", "4", ids, same_tokenizer=True)
    assert built == build("2 + 2?", "4")


@pytest.mark.parametrize("ids", [([87], [88]), "no ids", ([10**9], [1])])
def test_ids_of_another_tokenizer_are_not_read(ids):
    assert build("2 + 2?", "4", ids) == build("2 + 2?", "4")


@pytest.mark.parametrize(
    "ids",
    [
        7,
        "ids",
        ([87],),
        ([87], [88], [89]),
        ("87", [88]),
        ([87], None),
        ([87], ["88"]),
        ([87], [88.0]),
        ([True], [88]),
        ([87], [-1]),
        ([87], [10**9]),
        ([len(TOKENIZER)], [88]),
        ({87: 1}, [88]),
    ],
)
def test_ids_of_the_wrong_form_harm_no_other(ids):
    good = ids_of("p", "a")
    built = builder(same_tokenizer=True).build([("p", "a")] * 3, [good, ids, good])
    assert isinstance(built[1], InvalidSampleError)
    assert built[0] == built[2] and built[0].from_ids


def test_ids_are_not_used_if_the_template_writes_more_before_a_reply():
    template = tiny_models.CHATML.replace(
        "{{ message['content'] }}",
        "{% if message['role'] == 'assistant' %}<think></think>{% endif %}{{ message['content'] }}",
    )
    settings = {"chat_template": template}
    built = build("2 + 2?", "4", ids_of("2 + 2?", "4"), same_tokenizer=True, **settings)
    assert not built.from_ids
    assert built == build("2 + 2?", "4", **settings)


def test_a_token_that_the_model_does_not_have_harms_no_other():
    built = builder(vocabulary_size=275).build([("7", "7"), ("7", "answer"), ("7", "8")])
    assert [isinstance(item, InvalidSampleError) for item in built] == [False, True, False]
