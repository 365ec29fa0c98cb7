"""Call the critic from many processes at once: `python callers.py fork|spawn NUMBER`."""

import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from reference_impl.critic.reward import critic_reward_fn


def score(number):
    return critic_reward_fn(f"What is {number} + {number}?", str(2 * number), [1], [2])


def main(method, number):
    context = multiprocessing.get_context(method)
    if method == "fork":
        score(0)  # connections that this opens must not be used in the forks
    with ProcessPoolExecutor(number, mp_context=context) as pool:
        scores = list(pool.map(score, range(number)))
    heavy = {"torch", "transformers", "starlette", "uvicorn", "numpy"} & set(sys.modules)
    print(json.dumps({"scores": scores, "heavy": sorted(heavy)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
