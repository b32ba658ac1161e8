"""`Lines`: a process that answers each line of JSON with one; it may hang, die or babble, and each is told as it is."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any, final
from weakref import finalize

from eleven.errors import ElevenError, UsageError
from eleven.files.strict_json import shorten

LONGEST = 1 << 20
"""The longest answer, in bytes."""
KEPT = 20
"""The last lines of what the process says on its standard error are kept, to tell with an error."""
LEAVING = 2.0


@final
class Lines:
    """The process of a command. ElevenError with its name, and what it last said, for all that goes wrong."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            told = f"{called(command)}: cannot be started: {error.strerror}."
            raise UsageError(told, hint="Give the command as you would in a terminal, with whole paths.") from error
        self.answers, self.said = Queue[bytes](), list[str]()
        process = self.process
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self.stdin = process.stdin
        self.threads = [
            Thread(target=listen, args=(process.stdout, self.answers), daemon=True),
            Thread(target=overhear, args=(process.stderr, self.said), daemon=True),
        ]
        for thread in self.threads:
            thread.start()
        self.close = finalize(self, end, process, self.threads)

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to one request."""
        self.require_alive()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, OSError):
            self.stdin.write(json.dumps(request).encode() + b"\n")
        try:
            line = self.answers.get(timeout=seconds)
        except Empty:
            raise self.failed(f"did not answer within {seconds:g} seconds") from None
        if not line:
            self.threads[1].join(LEAVING)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(LEAVING)
            raise self.failed(f"ended with exit code {self.process.poll()}")
        return self.understood(line)

    def require_alive(self) -> None:
        """ElevenError where the process was ended before."""
        if not self.close.alive:
            raise self.failed("was ended before")

    def understood(self, line: bytes) -> dict[str, Any]:
        """The object in a line. ElevenError where there is none, or where it tells of an error itself."""
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            shown = shorten(line.decode("utf-8", "replace").strip())
            raise self.failed(f"answered {shown!r}, which is no JSON object", hint=PLAIN)
        if "error" in told:
            raise self.failed(f"tells of an error: {shorten(str(told['error']))}")
        return told

    def failed(self, what: str, hint: str = "") -> ElevenError:
        """The error of this process, which is ended: an answer that comes late would be taken for the next."""
        self.close()
        said = "".join(f"\n  {line}" for line in self.said[-KEPT:])
        told = f"the scorer {called(self.command)} {what}."
        return ElevenError(f"{told} It said:{said}" if said else told, hint=hint or "Try it in a terminal.")


PLAIN = "Only answers may go to its standard output; let it print everything else to standard error."


def listen(pipe: IO[bytes], answers: Queue[bytes]) -> None:
    """Puts each line into the queue, and an empty one at the end."""
    with contextlib.suppress(OSError, ValueError):
        while line := pipe.readline(LONGEST):
            answers.put(line)
    answers.put(b"")


def overhear(pipe: IO[bytes], said: list[str]) -> None:
    """Keeps the last lines."""
    with contextlib.suppress(OSError, ValueError):
        while line := pipe.readline(LONGEST):
            said.append(shorten(line.decode("utf-8", "replace").rstrip()))
            del said[:-KEPT]


def end(process: subprocess.Popen[bytes], threads: Sequence[Thread]) -> None:
    """Ends the process, by force where it does not leave when its input closes, and closes its pipes."""
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    try:
        process.wait(LEAVING / 10 if os.name == "nt" else LEAVING / 4)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for thread in threads:
        thread.join(LEAVING)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def called(command: Sequence[str]) -> str:
    """A command without the folders of its files, which would hide their names."""
    return shorten(" ".join(Path(word).name or word for word in command))
