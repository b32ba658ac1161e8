"""Workers that are actors of a Ray cluster: the crew of `workers.py` over many machines."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, final

from eleven.errors import MissingPackage, OutputError, WorkerLost
from eleven.scorers.scorer import Pixels
from eleven.studies.making import Job
from eleven.studies.workers import Crew, Opener, answer_of, opened, pictures_in

CAUSE = "a worker's Ray actor died."
HINT = "Look at the cluster's dashboard for what ended it."


@final
class Serving:
    """What runs as an actor: an engine that answers jobs."""

    def __init__(self, opener: Opener) -> None:
        self._stack = ExitStack()
        self._engine = opened(self._stack, opener)

    def answer(self, job: Job) -> object:
        """The pictures of a job, or the ElevenError that says why there are none."""
        return answer_of(self._engine, job)


@final
class RayWorker:
    """Implements `Worker` by an actor with so many GPUs of its own, wherever the cluster has room."""

    def __init__(self, ray: Any, opener: Opener, gpus: float) -> None:  # noqa: ANN401 - Ray is optional
        self._ray, self._opener, self._gpus = ray, opener, gpus
        self.actor = self._start()

    def make(self, job: Job) -> list[Pixels]:
        """The pictures of a job. WorkerLost where the actor dies; the engine's ElevenErrors."""
        try:
            answer = self._ray.get(self.actor.answer.remote(job))
        except self._ray.exceptions.RayActorError as error:
            raise WorkerLost(CAUSE, hint=HINT) from error
        return pictures_in(answer)

    def replace(self) -> None:
        """A new actor with a new engine."""
        self.close()
        self.actor = self._start()

    def close(self) -> None:
        """The actor is ended, at once."""
        self._ray.kill(self.actor)

    def _start(self) -> Any:  # noqa: ANN401 - Ray is optional
        return self._ray.remote(Serving).options(num_gpus=self._gpus, num_cpus=1).remote(self._opener)


@contextmanager
def open_ray_crew(opener: Opener, count: int, *, address: str = "", gpus: float = 0) -> Generator[Crew]:
    """So many actors on the cluster at an address, or on one of this machine's own; all end behind the block.

    MissingPackage without Ray; OutputError where there is no cluster at the address.
    """
    ray = _ray()
    try:
        ray.init(address=address or None, log_to_driver=False, logging_level="error")
    except ConnectionError as error:
        told = f"no Ray cluster answers at {address}."
        raise OutputError(told, hint="Start one with `ray start --head`, or leave the address out.") from error
    try:
        with Crew([RayWorker(ray, opener, gpus) for _ in range(count)]) as crew:
            yield crew
    finally:
        ray.shutdown()


def _ray() -> Any:  # noqa: ANN401 - Ray is optional
    try:
        return import_module("ray")
    except ImportError as error:
        told = "workers on other machines need the package ray, which is not installed."
        raise MissingPackage(told, hint='Install it with: pip install "eleven-mix[ray]"') from error
