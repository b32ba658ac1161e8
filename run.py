#!/usr/bin/env python3
"""Makes .venv beside this file, keeps Eleven installed in it, and runs one command there; standard library only."""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO

if sys.version_info < (3, 11):  # noqa: UP036 - the one file that an older Python may meet
    sys.exit(f"error: Eleven needs Python 3.11 or newer; this is {platform.python_version()} ({sys.executable}).")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "eleven-stamp.json"
PYTORCH_INDEX = "https://download." + "pytorch.org/whl/"
BUILDS = {"cpu": "cpu", "cu126": "cu126", "cu128": "cu128", "cu130": "cu130", "rocm": "rocm7.2"}
"""Where PyTorch keeps each build, below its index."""

USAGE = """python run.py [--torch BUILD] demo [ARGS]          a first look, offline
       python run.py [--torch BUILD] test [PYTEST ARGS]   every check and test
       python run.py [--torch BUILD] -- ARGS              eleven ARGS"""


def main(argv: list[str]) -> int:
    """The exit code of the command, after .venv has been brought up to date."""
    verb = next((i for i, word in enumerate(argv) if word in ("demo", "test", "--")), len(argv))
    parser = argparse.ArgumentParser(prog="run.py", usage=USAGE, description=__doc__)
    torch_help = "torch's build; auto: what pip finds by itself, skip: leave torch as it is; remembered (first: auto)"
    parser.add_argument("--torch", choices=["auto", *BUILDS, "skip"], help=torch_help)
    choice: str | None = parser.parse_args(argv[:verb]).torch
    if verb == len(argv):
        parser.error("say what to run: demo, test, or -- followed by an eleven command")
    if (code := prepare(choice, "test" if argv[verb] == "test" else "")) != 0:
        return code
    if argv[verb] == "test":
        return call([str(PYTHON), str(ROOT / "tools" / "check.py"), *argv[verb + 1 :]])
    return call([str(PYTHON), "-m", "eleven.cli.main", *argv[verb + (argv[verb] == "--") :]])


def prepare(choice: str | None, extra: str) -> int:
    """Nought once .venv holds Eleven with this extra and torch build; at once where the stamp says that it does."""
    if is_ready(wanted(choice), extra):
        return 0
    with only_one(ROOT / ".venv.lock"):
        stamp = wanted(choice)
        return 0 if is_ready(stamp, extra) else install(stamp, extra)


def wanted(choice: str | None) -> dict[str, str]:
    """What the stamp says of a .venv that fits this folder, this Python and the pins."""
    pins = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    return {
        "home": f"{ROOT} with Python {platform.python_version()}",
        "pins": hashlib.sha256(pins).hexdigest(),
        "torch": choice or read_stamp().get("torch", "auto"),
    }


def is_ready(stamp: dict[str, str], extra: str) -> bool:
    """Whether the last install was finished, and was this one or one with more."""
    return PYTHON.exists() and read_stamp() in ({**stamp, "extra": have} for have in {extra, "test"})


def install(stamp: dict[str, str], extra: str) -> int:
    """pip's exit code; the stamp says `interrupted` until all is done, and the next start then begins anew."""
    before, started = read_stamp(), time.monotonic()
    if not is_sound(before, stamp):
        say(f"making .venv with Python {platform.python_version()}")
        STAMP.unlink(missing_ok=True)
        base: str = getattr(sys, "_base_executable", sys.executable)
        if (code := call([base, "-m", "venv", "--clear", str(VENV)])) != 0:
            return fail("Python could not make .venv.", "On Debian and Ubuntu, install python3-venv first.", code)
        before = {}
    say("installing Eleven and what it needs: up to 2 GB, some minutes the first time")
    write_stamp({**stamp, "extra": "interrupted"})
    for number, arguments in enumerate(pip_calls(stamp["torch"], before.get("torch", "auto"), extra)):
        if (code := call([str(PYTHON), "-m", "pip", *arguments], folder=ROOT)) != 0:
            if code < 128 and number == 0:  # pip gave up by itself, and has put back what it had changed
                write_stamp(before)
            return fail("pip could not install Eleven.", "Its last lines say why; run.py tries again.", code)
    write_stamp({**stamp, "extra": extra})
    say(f"installed in {time.monotonic() - started:.0f} s")
    return 0


def is_sound(before: dict[str, str], stamp: dict[str, str]) -> bool:
    """Whether .venv was made here by this Python, was not left half installed, and has a pip that starts."""
    if before.get("extra") == "interrupted" or before.get("home", stamp["home"]) != stamp["home"]:
        return False
    probe = "import pip, platform; print(platform.python_version())"
    with contextlib.suppress(OSError):
        done = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=False)
        return done.returncode == 0 and done.stdout.strip() == platform.python_version()
    return False


def pip_calls(torch: str, before: str, extra: str) -> Iterator[list[str]]:
    """The arguments of each call to pip; a chosen build of torch comes first, from PyTorch's own index."""
    options = ["install", "--disable-pip-version-check", "--no-input", *([] if sys.stderr.isatty() else ["-qq"])]
    package = ["-e", ".[test]" if extra else "."]
    swap = [*options, "--upgrade", "--no-deps", *(["--force-reinstall"] if torch != before else [])]
    if torch == "auto":
        if torch != before:
            yield [*swap, "-c", "constraints.txt", "torch"]
        yield [*options, "-c", "constraints.txt", *package]
        return
    pins = (ROOT / "constraints.txt").read_text("utf-8")
    pin = next(line for line in pins.splitlines() if line.startswith("torch=="))
    newest = pin.replace("==", "<=")
    others = VENV / "constraints.txt"
    others.write_text(pins.replace(pin, "" if torch == "skip" else newest), "utf-8")
    if torch == "skip":
        import tomllib

        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        needs = project["dependencies"] + (project["optional-dependencies"][extra] if extra else [])
        yield [*options, "-c", str(others), *(need for need in needs if not need.startswith("torch"))]
        yield [*options, "--no-deps", *package]
    else:
        index = PYTORCH_INDEX + BUILDS[torch]
        yield [*swap, "--index-url", index, newest]
        yield [*options, "--extra-index-url", index, "-c", str(others), *package]


def read_stamp() -> dict[str, str]:
    """What the last install wrote; empty where there was none."""
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(STAMP.read_text("utf-8")))
    return {}


def write_stamp(stamp: dict[str, str]) -> None:
    """Replaces the stamp in one step."""
    draft = STAMP.with_suffix(".new")
    draft.write_text(json.dumps(stamp), "utf-8")
    draft.replace(STAMP)


def call(command: list[str], folder: Path | None = None) -> int:
    """The exit code of a command; 130 after Ctrl-C, which the command has seen too and may answer."""
    with subprocess.Popen(command, cwd=folder) as child:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            with contextlib.suppress(KeyboardInterrupt):
                child.wait()
            child.kill()
            return 130
    return 128 - code if code < 0 else code


@contextlib.contextmanager
def only_one(path: Path) -> Generator[None]:
    """Waits until no other run.py holds this lock; the system lets it go however this one ends."""
    with path.open("a+") as file:
        waits = False
        while not try_lock(file):
            if not waits:
                say("waiting for another run.py to finish installing")
            waits = True
            time.sleep(0.5)
        yield


def try_lock(file: IO[str]) -> bool:
    """Whether the lock is ours now; a file system without locks counts as ours."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def say(text: str) -> None:
    """One line on stderr: stdout belongs to the command."""
    print(f"run.py: {text}", file=sys.stderr, flush=True)


def fail(cause: str, hint: str, code: int) -> int:
    """The exit code 1, after an error in two lines; 130 after Ctrl-C, without a word."""
    if code == 130:
        return code
    print(f"error: {cause}\nhint: {hint}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
