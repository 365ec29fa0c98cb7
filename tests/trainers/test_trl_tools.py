"""Tool calls in TRL: its own loop parses them, runs the tools and passes messages to the reward.

What the model writes is written here. All the rest is TRL, with its chat template of Qwen2.5.
"""

import json

import pytest

from reference_impl.adapters.text import completion_text
from reference_impl.adapters.trl import TRLReward
from reference_impl.compose import Gate
from reference_impl.rules import exact_match_reward_fn
from reference_impl.steps import check_tool_use, tool_use_reward_fn

pytestmark = pytest.mark.slow  # TRL alone takes some seconds to import

SCHEMA = {
    "name": "add",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
}


def add(a: int, b: int) -> int:
    """
    Add two numbers.

    Args:
        a: The first number.
        b: The second number.
    """
    return a + b


def call(arguments, name="add"):
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


VALID = call('{"a": 2, "b": 2}')
# What the policy writes, turn by turn, and what is paid for its calls and behind the gate.
WRITTEN = {
    "a call and the answer": ([f"I add.\n{VALID}", "#### 4"], 1.0, 1.0),
    "two calls": ([f"{VALID}\n{VALID}", f"Again.\n{VALID}", "#### 4"], 1.0, 1.0),
    "a call and no answer": ([VALID, "I do not know."], 1.0, 0.0),
    "only the answer": (["#### 4"], 0.0, 0.0),
    "a text for a number": ([call('{"a": "two", "b": 2}'), "#### 4"], 0.0, 0.0),
    # TRL's parser makes 2 of it, and runs the tool. Of equal keys it keeps the last.
    "a number as text, which TRL mends": ([call('{"a": "2", "b": 2}'), "#### 4"], 1.0, 1.0),
    "a key twice, which TRL mends": ([call('{"a": 1, "a": 2, "b": 2}'), "#### 4"], 1.0, 1.0),
    "an argument more": ([call('{"a": 2, "b": 2, "c": 2}'), "#### 4"], 0.0, 0.0),
    "an unknown tool": ([call("{}", "sum"), "#### 4"], 0.0, 0.0),
    "no arguments": ([call("{}"), "#### 4"], 0.0, 0.0),
    "no JSON": ([call("{'a': 2}"), "#### 4"], 0.0, 0.0),
    "arguments that are no object": ([call('"2 + 2"'), "#### 4"], 0.0, 0.0),
    "not closed": ([VALID.removesuffix("</tool_call>"), "#### 4"], 0.0, 0.0),
    "a result of its own": ([VALID, "<tool_response>4</tool_response>\n#### 4"], 0.0, 0.0),
    "a bad call, and a later turn that makes it a thought": (
        [call("{}"), f"</think>{VALID}", "#### 4"],
        0.0,
        0.0,
    ),
    "a valid call that another one hides in": (
        [call(json.dumps({"a": VALID, "b": 2})), "#### 4"],
        0.0,
        0.0,
    ),
}


@pytest.fixture
def tokenizer(examples):
    from tiny_policy import new_tokenizer
    from trl.chat_template_utils import qwen2_5_chat_template

    tokenizer = new_tokenizer()
    tokenizer.chat_template = qwen2_5_chat_template
    return tokenizer


@pytest.fixture
def step(tokenizer, tmp_path):
    """Take one step in which the policy writes given turns. Returns what is paid for each."""
    from datasets import Dataset
    from tiny_policy import new_model
    from trl import GRPOConfig, GRPOTrainer

    model = new_model(tokenizer)
    model.config.max_position_embeddings = 8192  # the template's own text is long in bytes

    def run(reward_funcs, written):
        settings = GRPOConfig(
            output_dir=str(tmp_path),
            max_steps=1,
            num_generations=2,
            per_device_train_batch_size=2 * len(written),
            max_completion_length=2048,
            beta=0.0,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        )
        questions = [f"Question {row}: what is 2 + 2?" for row in range(len(written))]
        rows = [
            {
                "prompt": [{"role": "user", "content": question}],
                "answer": "4",
                "tools": json.dumps([SCHEMA]),
            }
            for question in questions
        ]
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=reward_funcs,
            args=settings,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            tools=[add],
        )

        def generate(conversations, *others, **more):
            spoken = []
            for conversation in map(tokenizer.decode, conversations):
                [row] = [row for row, asked in enumerate(questions) if asked in conversation]
                turn = conversation.count("<|im_start|>assistant") - 1
                spoken.append(tokenizer(written[row][turn])["input_ids"] + [tokenizer.eos_token_id])
            return spoken, None

        trainer._generate_single_turn = generate
        trainer.train()
        asked = [prompt[0]["content"] for prompt in trainer._logs["prompt"]]
        return {
            name: [
                {reward for told, reward in zip(asked, rewards, strict=True) if told == question}
                for question in questions
            ]
            for name, rewards in trainer._logs["rewards"].items()
        }

    return run


def test_valid_calls_are_paid_and_open_the_gate(step):
    gate = Gate(("tools", tool_use_reward_fn), ("correct", exact_match_reward_fn), threshold=1.0)
    paid = step([TRLReward(tool_use_reward_fn), TRLReward(gate)], [t for t, *_ in WRITTEN.values()])
    assert paid == {
        "tool_use_reward_fn": [{tools} for _, tools, _ in WRITTEN.values()],
        "Gate": [{both} for *_, both in WRITTEN.values()],
    }


def test_a_message_is_written_as_the_policy_wrote_it(tokenizer):
    from trl.chat_template_utils import add_response_schema, parse_response

    add_response_schema(tokenizer)
    for written in ["4", VALID, f"I add.\n{VALID}", f"{VALID}\n{VALID}", VALID[:-12]]:
        ids = tokenizer(written)["input_ids"] + [tokenizer.eos_token_id]
        message = parse_response(tokenizer, ids, prefix=_prefix(tokenizer), tools=[add])
        assert completion_text([message]) == written
        asked = {"role": "user", "content": "?"}
        rendered = tokenizer.apply_chat_template([asked, message], tokenize=False)
        assert rendered.endswith(f"<|im_start|>assistant\n{written}<|im_end|>\n")
        assert check_tool_use([message], [SCHEMA]) == check_tool_use(written, [SCHEMA])


def _prefix(tokenizer):
    asked = [{"role": "user", "content": "?"}]
    return tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
