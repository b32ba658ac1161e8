"""Workers that are actors of a Ray cluster: the crew of `workers.py` over many machines."""

from __future__ import annotations

import os
import platform
import re
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, final

from eleven import __version__
from eleven.errors import ElevenError, FileError, MissingPackage, OutputError, UsageError, WorkerLost
from eleven.scorers.scorer import Pixels
from eleven.studies.making import Job
from eleven.studies.workers import Crew, Opener, answer_of, opened, pictures_in

HEARING = 5.0
"""Seconds in which a machine answers."""
ROOM = 60.0
"""Seconds that a worker waits for room on the cluster."""
ADDRESSES = "Give HOST:PORT, `auto` for the cluster around, or `local` for one on this machine alone."
SAME = "Install the same eleven-mix and Python on every machine of the cluster."


@final
class Serving:
    """What runs as an actor: an engine that answers jobs, opened for the first of them.

    Paths lead where they lead in `folder`, if there is such a folder.
    """

    def __init__(self, opener: Opener, folder: str) -> None:
        if Path(folder).is_dir():
            os.chdir(folder)
        self._stack = ExitStack()
        self._opener = opener

    def version(self) -> str:
        """Which Eleven this is."""
        return __version__

    def answer(self, job: Job) -> object:
        """The pictures of a job, or the ElevenError that says why there are none."""
        if not hasattr(self, "_engine"):
            self._engine = opened(self._stack, self._opener)
        answer = answer_of(self._engine, job)
        return answer.at(f"on {platform.node()}") if isinstance(answer, FileError) else answer


@final
@dataclass(frozen=True, eq=False)
class Cluster:
    """A Ray cluster that this process belongs to, and the GPUs that each worker has of its own."""

    ray: Any
    gpus: float = 0

    def start(self, opener: Opener) -> Any:  # noqa: ANN401 - Ray is optional
        """An actor, wherever there comes to be room."""
        return self.ray.remote(Serving).options(num_gpus=self.gpus, num_cpus=1).remote(opener, os.getcwd())

    def wait_for(self, actor: Any) -> None:  # noqa: ANN401 - Ray is optional
        """Behind this the actor runs. WorkerLost without room, or where it dies; OutputError where Eleven differs."""
        try:
            version = self.ray.get(actor.version.remote(), timeout=ROOM)
        except self.ray.exceptions.GetTimeoutError as error:
            told = f"the cluster has no room for a worker: {self.room()}."
            raise WorkerLost(told, hint="Ask for fewer --workers, or wait until others are done.") from error
        except self.ray.exceptions.RayError as error:
            raise WorkerLost(f"a worker cannot begin on the cluster: {reason_of(error)}", hint=SAME) from error
        if version != __version__:
            raise OutputError(f"the cluster has Eleven {version}, and this is {__version__}.", hint=SAME)

    def room(self) -> str:
        """What each worker needs, and what is free."""
        free, whole = self.ray.available_resources(), self.ray.cluster_resources()
        kinds = {"CPU": 1.0, "GPU": self.gpus}
        parts = [f"{free.get(kind, 0):g} of {whole.get(kind, 0):g} {kind}s are free" for kind in kinds if kinds[kind]]
        return f"{' and '.join(parts)}, and each worker needs one"


@final
@dataclass(eq=False)
class RayWorker:
    """Implements `Worker` by an actor, wherever the cluster has room."""

    cluster: Cluster
    opener: Opener
    actor: Any = field(init=False)

    def __post_init__(self) -> None:
        """The actor is asked for, and not waited for."""
        self.actor = self.cluster.start(self.opener)

    def make(self, job: Job) -> list[Pixels]:
        """The pictures of a job. WorkerLost where the actor or its machine dies; the engine's ElevenErrors."""
        ray = self.cluster.ray
        try:
            answer = ray.get(self.actor.answer.remote(job))
        except ray.exceptions.RayTaskError:
            raise
        except ray.exceptions.RayError as error:
            told = f"a worker of the cluster died: {reason_of(error)}"
            raise WorkerLost(told, hint="The cluster's dashboard and logs tell what ended it.") from error
        return pictures_in(answer)

    def replace(self) -> None:
        """A new actor with a new engine. WorkerLost where there is no room for one."""
        self.close()
        self.actor = self.cluster.start(self.opener)
        try:
            self.cluster.wait_for(self.actor)
        except WorkerLost:
            self.close()
            raise

    def close(self) -> None:
        """The actor is ended, at once."""
        self.cluster.ray.kill(self.actor)


@contextmanager
def open_ray_crew(opener: Opener, count: int, *, address: str = "", gpus: float = 0) -> Generator[Crew]:
    """So many actors on the cluster at an address, or on one of this machine's own; all end behind the block.

    MissingPackage without Ray; OutputError where there is no cluster at the address, or one of another Ray, Python or
    Eleven; WorkerLost where the cluster has no room for so many.
    """
    ray = _ray()
    _join(ray, address)
    try:
        cluster = Cluster(ray, gpus)
        workers = [RayWorker(cluster, opener) for _ in range(count)]
        with Crew(workers) as crew:
            for worker in workers:
                cluster.wait_for(worker.actor)
            yield crew
    finally:
        ray.shutdown()


def told_in(error: BaseException) -> str:
    """What Ray tells, in one line."""
    return " ".join(re.sub(r"\x1b\[\d*m", "", str(error)).split()) or type(error).__name__


def reason_of(error: BaseException) -> str:
    """The last line of what Ray tells, which names the cause."""
    lines = str(error).strip().splitlines()
    return told_in(RuntimeError(lines[-1])) if lines else told_in(error)


def _join(ray: Any, address: str) -> None:  # noqa: ANN401 - Ray is optional
    """This process becomes one of the cluster's. OutputError where it cannot."""
    _knock(address)
    try:
        ray.init(address=address or None, log_to_driver=False, logging_level="error")
    except ConnectionError as error:
        raise _no_cluster(address) from error
    except ValueError as error:
        raise UsageError(f"{address} is no address of a Ray cluster: {told_in(error)}", hint=ADDRESSES) from error
    except (RuntimeError, ray.exceptions.RayError) as error:
        raise OutputError(f"the Ray cluster at {address} cannot be joined: {told_in(error)}", hint=SAME) from error


def _knock(address: str) -> None:
    """OutputError where nobody listens at a HOST:PORT, which Ray itself takes minutes to find out."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=HEARING).close()
        except (OSError, OverflowError) as error:
            raise _no_cluster(address) from error


def _no_cluster(address: str) -> ElevenError:
    hint = "Start one with `ray start --head`, or give `local`. Where it asks for a token, set RAY_AUTH_MODE=token."
    return OutputError(f"no Ray cluster answers at {address}.", hint=hint)


def _ray() -> Any:  # noqa: ANN401 - Ray is optional
    try:
        return import_module("ray")
    except ImportError as error:
        told = "workers on other machines need the package ray, which is not installed."
        raise MissingPackage(told, hint='Install it with: pip install "eleven-mix[ray]"') from error
