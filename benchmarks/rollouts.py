"""Rollouts as a trainer hands them over: groups of completions, with random words for tokens."""

import random
from dataclasses import dataclass

#: The words w0, w1, ... and, in a tokenizer's vocabulary, some special tokens beside them.
WORDS = 8184
VOCABULARY = 8192


@dataclass(frozen=True)
class Workload:
    """Groups of completions. Lengths of completions are heavy-tailed, as rollouts are.

    Attributes:
        prompts: How many prompts.
        completions: How many completions each has.
        prompt_tokens: The mean length of a prompt, in tokens.
        completion_tokens: The median length of a completion, in tokens.
        longest: The length at which generation stops, in tokens.
    """

    prompts: int = 32
    completions: int = 8
    prompt_tokens: int = 410
    completion_tokens: int = 165
    longest: int = 1024

    def samples(self, seed: int = 0) -> list[tuple[str, str]]:
        """Write the texts.

        Args:
            seed: Seed of lengths and words.

        Returns:
            Prompt and completion of each sample, the samples of a prompt one after another.
        """
        choose = random.Random(seed)

        def words(count: float) -> str:
            return " ".join(f"w{choose.randrange(WORDS)}" for _ in range(int(count)))

        samples = []
        for _ in range(self.prompts):
            prompt = words(max(choose.gauss(self.prompt_tokens, self.prompt_tokens / 4), 8))
            for _ in range(self.completions):
                length = choose.lognormvariate(0, 0.75) * self.completion_tokens
                samples.append((prompt, words(min(max(length, 4), self.longest))))
        return samples

    def token_ids(self, seed: int = 0) -> list[list[int]]:
        """Write the tokens of the texts, a word a token, without any template.

        Args:
            seed: As for `samples`.

        Returns:
            Token ids of each sample, shape (length,).
        """
        return [
            [int(word[1:]) for word in f"{prompt} {completion}".split()]
            for prompt, completion in self.samples(seed)
        ]
