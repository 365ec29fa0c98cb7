"""Put what token sequences share into a prefix tree, so that it is computed once.

The completions of a group follow the same prompt, and for the prompt's tokens a causal model
computes the same in each of them. A pack is the tree written out as one row of tokens, each node
before its descendants, with the positions that the tokens have in their own sequence:

    sequences  A B C D      tree  A B C -+- D        tokens     A B C D E F
               A B C E F                 +- E F      positions  0 1 2 3 3 4

Everything here is plain lists. `tree_attention` lets each token see its own ancestors alone.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

#: A branch that shares fewer tokens than this is not worth a node: it is computed twice.
LEAST_SHARED = 8


@dataclass
class Node:
    """A run of tokens without a branch.

    Attributes:
        start: Its first row in the pack.
        end: The row after its last one.
        subtree_end: The row after its last descendant's. The descendants follow it directly.
        position: The position of its first token in its own sequence.
        parent: The node before it in its sequence, or None.
    """

    start: int
    end: int
    subtree_end: int
    position: int
    parent: "Node | None" = field(repr=False)


@dataclass
class Pack:
    """Sequences that go through the model together, as one row of tokens.

    Attributes:
        tokens: Token ids, shape (rows,).
        positions: The position of each token in its own sequence, shape (rows,).
        nodes: The nodes, each before its descendants.
        last_node_of: By the index of a sequence, the node in which it ends.
    """

    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    last_node_of: dict[int, Node] = field(default_factory=dict)

    def locate(self, sequence: int, position: int) -> tuple[int, Node]:
        """Find a token.

        Args:
            sequence: The index of a sequence that is in the pack.
            position: The position of the token in it.

        Returns:
            Its row, and the node that holds it.
        """
        node = self.last_node_of[sequence]
        while position < node.position:
            node = node.parent
        return node.start + position - node.position, node


def shared_length(first: list[int], second: list[int]) -> int:
    """Count the tokens with which two sequences begin alike.

    Args:
        first: Token ids, shape (length,).
        second: Token ids, shape (length,).

    Returns:
        The length of their longest common prefix, in tokens.

    Example:
        >>> shared_length([5, 6, 7], [5, 6, 8, 9])
        2

    Explained in :ref:`critic-packing`.
    """
    low, high = 0, min(len(first), len(second))
    while low < high:  # they are alike up to low, and not beyond high
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def pack_sequences(sequences: Sequence[list[int]], token_budget: int) -> list[Pack]:
    """Pack sequences into prefix trees of a bounded size.

    Sequences that begin alike go into the same pack as far as they fit, and a group that would fit
    into a pack of its own is not torn apart to fill the last one up. Equal sequences share their
    rows, those of a short last branch excepted.

    Args:
        sequences: Token ids, none of them empty.
        token_budget: The most rows of a pack, in tokens. A longer sequence is a pack of its own.
            Branches of fewer than `LEAST_SHARED` tokens, which are computed twice, are not counted.

    Returns:
        The packs. Each sequence is in exactly one.

    Example:
        >>> prompt = list(range(10))
        >>> [pack] = pack_sequences([prompt + [50, 51], prompt + [60]], token_budget=100)
        >>> pack.tokens
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 50, 51, 60]
        >>> pack.positions[-3:]
        [10, 11, 10]

    Explained in :ref:`critic-packing`.
    """
    if not sequences:
        return []
    order = sorted(range(len(sequences)), key=sequences.__getitem__)
    shared = [
        shared_length(sequences[before], sequences[after])
        for before, after in itertools.pairwise(order)
    ]
    return [
        _build([(index, sequences[index]) for index in order[start:end]], shared[start : end - 1])
        for start, end in _cuts([len(sequences[index]) for index in order], shared, token_budget)
    ]


def _cuts(lengths: list[int], shared: list[int], token_budget: int) -> list[tuple[int, int]]:
    """Cut sorted sequences into runs, each for one pack."""
    groups = [0, *(i for i, s in enumerate(shared, start=1) if s < LEAST_SHARED), len(lengths)]
    starts = []
    room = 0
    for start, end in itertools.pairwise(groups):
        rows = [lengths[start], *(lengths[i] - shared[i - 1] for i in range(start + 1, end))]
        if sum(rows) > room:
            starts.append(start)
            room = token_budget
        for index, added in enumerate(rows, start=start):
            if added > room and index > starts[-1]:
                starts.append(index)
                added, room = lengths[index], token_budget
            room -= added
    return list(zip(starts, [*starts[1:], len(lengths)], strict=True))


def _build(members: list[tuple[int, list[int]]], shared: list[int]) -> Pack:
    """Write sorted sequences out as a tree.

    Args:
        members: Index and tokens of each sequence.
        shared: How many tokens each shares with the next one, shape (members - 1,).
    """
    pack = Pack()
    # Runs of members that are alike up to a depth, which their parent holds. No recursion: a tree
    # is as deep as a model likes to make it.
    pending: list[tuple[int, int, int, Node | None]] = [(0, len(members), 0, None)]
    while pending:
        start, end, depth, parent = pending.pop()
        if end - start > 1 and min(shared[start : end - 1]) - depth < LEAST_SHARED:
            pending += reversed(
                [(a, b, depth, parent) for a, b in _runs(start, end, depth, shared)]
            )
            continue
        tokens = members[start][1]
        until = min(shared[start : end - 1], default=len(tokens))
        first_row = len(pack.tokens)
        last_row = first_row + until - depth
        node = Node(first_row, last_row, last_row, depth, parent)
        pack.nodes.append(node)
        pack.tokens += tokens[depth:until]
        pack.positions += range(depth, until)
        # In sorted order, the sequences that end here come first.
        while start < end and len(members[start][1]) == until:
            pack.last_node_of[members[start][0]] = node
            start += 1
        if start < end:
            pending.append((start, end, until, node))
    for node in reversed(pack.nodes):
        if node.parent:
            node.parent.subtree_end = max(node.parent.subtree_end, node.subtree_end)
    return pack


def _runs(start: int, end: int, depth: int, shared: list[int]) -> list[tuple[int, int]]:
    """Cut a run where neighbours share too little beyond a depth."""
    cuts = [i for i in range(start + 1, end) if shared[i - 1] - depth < LEAST_SHARED]
    return list(zip([start, *cuts], [*cuts, end], strict=True))
