"""Serve a critic with Ray Serve, on as many GPUs and machines as a Ray cluster has.

python examples/critic_ray_serve.py --model MODEL --replicas 2 --gpus 1
python examples/critic_ray_serve.py --model MODEL --smoke

Each replica has a copy of the model and batches what reaches it. What it speaks is the protocol of
the critic service, so that `CriticClient("http://127.0.0.1:8000")` is the reward function. Ray
replaces a replica that is lost. The calls that it was at work on raise `CriticUnavailableError`.

Install with `pip install "reward-guide[critic,serve]" "ray[serve]"`. There is no authentication.
"""

import argparse
import os
import signal

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before Ray is imported: it reports nothing

import ray
from ray import serve

from reference_impl.contract.error import RewardError
from reference_impl.critic.config import CriticConfig
from reference_impl.critic.error import CriticConfigError
from reference_impl.critic.service.client import CriticClient

APPLICATION = "critic"
#: How many requests one replica takes at a time. They are what it can make a batch of.
REQUESTS_A_REPLICA = 256
OBJECT_STORE_BYTES = 100 * 2**20  # nothing large goes through Ray
SAMPLES = [
    ("What is 2 + 2?", "2 + 2 = 4."),
    ("What is 2 + 2?", "2 + 2 = 5."),
    ("What is 2 + 2?", "I do not know."),
]


def make_deployment(
    config: CriticConfig, replicas: int, most_replicas: int, cpus: float, gpus: float
) -> serve.Deployment:
    """Make the deployment of a critic.

    Args:
        config: The critic of each replica.
        replicas: How many replicas there are.
        most_replicas: Up to how many Ray adds under load. It goes back to `replicas` afterwards.
        cpus: The processors of one replica.
        gpus: The GPUs of one replica. Two replicas share a GPU at 0.5.

    Returns:
        The deployment. What it runs on a replica is the critic service's own application.

    Explained in :ref:`critic-ray`.
    """

    def build_application():
        # On the replica. The model is loaded before Ray sends the first request.
        from reference_impl.critic.critic import Critic
        from reference_impl.critic.service.server import CriticService

        critic = Critic(config)
        critic.load()
        return CriticService(critic).app

    scaling = {
        "min_replicas": replicas,
        "max_replicas": most_replicas,
        "target_ongoing_requests": REQUESTS_A_REPLICA // 4,
    }
    return serve.deployment(
        serve.ingress(build_application)(),
        name=APPLICATION,
        num_replicas=replicas if most_replicas == replicas else None,
        autoscaling_config=scaling if most_replicas > replicas else None,
        ray_actor_options={"num_cpus": cpus, "num_gpus": gpus},
        max_ongoing_requests=REQUESTS_A_REPLICA,
        max_constructor_retry_count=1,
        health_check_period_s=1,
    )


def start_ray(address: str | None) -> None:
    """Join a Ray cluster, or start one on this machine if there is no address."""
    if address:
        ray.init(address, log_to_driver=False)
    else:
        ray.init(
            "local",
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
        )


def read_arguments() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="folder or hub id; by default, what REWARD_MODEL_* say")
    parser.add_argument("--replicas", type=int, default=1, help="copies of the model (1)")
    parser.add_argument("--max-replicas", type=int, help="copies under load (as many)")
    parser.add_argument("--cpus", type=float, default=1, help="processors a replica (1)")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs a replica, or part of one (0)")
    parser.add_argument("--address", help="a Ray cluster, such as auto (its own)")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="where to listen (8000)")
    parser.add_argument("--smoke", action="store_true", help="score a few samples and end")
    arguments = parser.parse_args()
    arguments.max_replicas = arguments.max_replicas or arguments.replicas
    if not 1 <= arguments.replicas <= arguments.max_replicas:
        parser.error("--replicas must be 1 or more, and --max-replicas no less")
    if arguments.cpus <= 0 or arguments.gpus < 0:
        parser.error("--cpus must be above 0, and --gpus not below")
    return parser, arguments


def main() -> None:
    parser, arguments = read_arguments()
    try:
        model = arguments.model
        config = CriticConfig(model) if model else CriticConfig.from_environment()
    except CriticConfigError as error:
        parser.error(str(error))
    start_ray(arguments.address)
    # End as after Ctrl-C. Ray has set a handler of its own, so this comes after it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for resource, each in (("CPU", arguments.cpus), ("GPU", arguments.gpus)):
            there = ray.cluster_resources().get(resource, 0)
            if arguments.replicas * each > there:
                parser.error(
                    f"{arguments.replicas} replicas with {each:g} {resource} each do not fit: "
                    f"Ray has {there:g}"
                )
        run(config, arguments)
    except KeyboardInterrupt:
        print("ending")
    except (RuntimeError, RewardError) as error:  # such as a port in use
        raise SystemExit(f"The critic does not answer: {str(error).splitlines()[-1]}") from None
    finally:
        ray.shutdown()


def run(config: CriticConfig, arguments: argparse.Namespace) -> None:
    deployment = make_deployment(
        config, arguments.replicas, arguments.max_replicas, arguments.cpus, arguments.gpus
    )
    serve.start(http_options={"host": arguments.host, "port": arguments.port})
    try:
        try:
            serve.run(deployment.bind(), name=APPLICATION)
        except RuntimeError:
            [state] = serve.status().applications[APPLICATION].deployments.values()
            raise SystemExit(
                f"The critic did not start: {state.message.strip().splitlines()[-1]}"
            ) from None
        address = f"http://{arguments.host}:{arguments.port}"
        if arguments.smoke:
            client = CriticClient(address)
            for (_, completion), score in zip(SAMPLES, client.score(SAMPLES), strict=True):
                print(f"{score:8.3f}  {completion!r}")
        else:
            print(f"ready at {address}, Ctrl-C ends it", flush=True)
            signal.pause()
    finally:
        if arguments.address:  # a cluster of our own ends as a whole
            serve.delete(APPLICATION)


if __name__ == "__main__":
    main()
