"""A pack holds each sequence once, token for token, and no more than it has to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.critic.prefix_tree import LEAST_SHARED, pack_sequences, shared_length


def read_back(pack, index, length):
    return [pack.tokens[pack.locate(index, position)[0]] for position in range(length)]


def ancestors(pack, node):
    """The rows that a sequence which ends in this node consists of."""
    chain = []
    while node:
        chain.append(node)
        node = node.parent
    return [row for node in reversed(chain) for row in range(node.start, node.end)]


def check(sequences, token_budget):
    packs = pack_sequences(sequences, token_budget)
    held = [index for pack in packs for index in pack.last_node_of]
    assert sorted(held) == list(range(len(sequences)))
    for pack in packs:
        assert len(pack.tokens) == len(pack.positions)
        for node in pack.nodes:
            assert node.start < node.end <= node.subtree_end <= len(pack.tokens)
            assert node.position == (
                node.parent.position + node.parent.end - node.parent.start if node.parent else 0
            )
            # The attention lets every row up to `subtree_end` see this node.
            below = {other.start for other in pack.nodes if node.end <= other.start}
            below &= set(range(node.end, node.subtree_end))
            descendants = {
                other.start
                for other in pack.nodes
                if other is not node and node.start in ancestors(pack, other)
            }
            assert below == descendants
        for index, node in pack.last_node_of.items():
            rows = ancestors(pack, node)
            assert [pack.tokens[row] for row in rows] == sequences[index]
            assert [pack.positions[row] for row in rows] == list(range(len(rows)))
            assert read_back(pack, index, len(rows)) == sequences[index]
    return packs


few = st.integers(0, 2)
run = st.lists(few, min_size=1, max_size=30)


@st.composite
def trees(draw):
    """Sequences that grow out of one another, as completions of prompts do."""
    sequences = draw(st.lists(run, min_size=1, max_size=3))
    for _ in range(draw(st.integers(0, 12))):
        stem = draw(st.sampled_from(sequences))
        stem = stem[: draw(st.integers(0, len(stem)))]
        sequences.append(stem + draw(run))
    return draw(st.permutations(sequences))


@settings(max_examples=300)
@given(trees(), st.sampled_from([1, 8, 20, 50, 4096]))
def test_every_sequence_can_be_read_back_from_its_pack(sequences, token_budget):
    check(sequences, token_budget)


@settings(max_examples=300)
@given(trees(), st.sampled_from([20, 50, 100]))
def test_a_pack_stays_in_the_budget_but_for_short_branches(sequences, token_budget):
    for pack in pack_sequences(sequences, token_budget):
        twice = (LEAST_SHARED - 1) * len(pack.last_node_of)
        assert len(pack.tokens) <= token_budget + twice or len(pack.last_node_of) == 1


def test_no_sequence_is_no_pack():
    assert pack_sequences([], 100) == []


@pytest.mark.slow
def test_a_chain_of_200_nested_prefixes_is_computed_once():
    longest = list(range(200 * LEAST_SHARED))
    sequences = [longest[: LEAST_SHARED * (i + 1)] for i in range(200)]
    [pack] = check(sequences, 10**6)
    assert pack.tokens == longest


def test_a_chain_of_5000_nested_prefixes_needs_no_recursion():
    longest = list(range(5000))
    sequences = [longest[: end + 1] for end in range(0, 5000, LEAST_SHARED)]
    [pack] = pack_sequences(sequences, 10**9)
    assert read_back(pack, len(sequences) - 1, 4993) == longest[:4993]


def test_a_prompt_is_computed_once_for_its_completions():
    prompt = list(range(100))
    [pack] = check([prompt + [200 + i] * 10 for i in range(8)], 4096)
    assert len(pack.tokens) == 100 + 8 * 10


def test_a_shared_system_prompt_joins_the_groups_of_different_prompts():
    system = list(range(50))
    prompts = [system + [100 + i] * 20 for i in range(3)]
    [pack] = check([prompt + [200 + k] * 10 for prompt in prompts for k in range(4)], 4096)
    assert len(pack.tokens) == 50 + 3 * 20 + 12 * 10


def test_equal_sequences_are_computed_once():
    [pack] = check([list(range(30))] * 16, 4096)
    assert len(pack.tokens) == 30


def test_a_group_that_fits_alone_is_not_torn_apart():
    first = [[1] * 40 + [10 + i] for i in range(8)]
    second = [[2] * 40 + [20 + i] for i in range(8)]
    packs = check(first + second, 60)
    assert [sorted(pack.last_node_of) for pack in packs] == [list(range(8)), list(range(8, 16))]


@given(run, run)
def test_the_shared_length_is_that_of_the_common_prefix(first, second):
    expected = 0
    for ours, theirs in zip(first, second, strict=False):
        if ours != theirs:
            break
        expected += 1
    assert shared_length(first, second) == shared_length(second, first) == expected


@pytest.mark.parametrize("length", [1, 7, 8, 9])
def test_short_sequences_are_packed(length):
    check([[1] * length, [1] * length, [2] * length, [1] * (length + 1)], 4096)
