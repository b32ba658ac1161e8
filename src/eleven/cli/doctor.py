"""`eleven doctor`: shows what the machine has and what to do about it."""

from __future__ import annotations

from typing import Annotated

import typer

from eleven.cli.console import show, show_json, show_table
from eleven.reports.doctor import Report, diagnose
from eleven.reports.machine import Machine, look


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """What is installed, which device is used, what is missing and the command that mends it.

    Exit code 1 where something does not work.
    """
    report = diagnose(look())
    show_json(report) if as_json else show_report(report)
    if any(finding.level == "problem" for finding in report.findings):
        raise typer.Exit(1)


def show_report(report: Report) -> None:
    """The report as text: facts, folders, extras, findings."""
    show_table(("Eleven", report.machine.eleven), facts(report.machine))
    show("")
    rows = [(folder.what, gibibytes(folder.free), folder.path, folder.source) for folder in report.machine.folders]
    show_table(("folder", "free", "path", "set by"), rows)
    show("")
    extras = [(extra.name, ", ".join(extra.missing) or "-", extra.adds) for extra in report.extras]
    show_table(("extra", "missing", "adds"), extras)
    for extra in report.extras:
        if extra.command:
            show(f"to add {extra.name}: {extra.command}")
    show("")
    for finding in report.findings:
        show("\n".join((f"{finding.level}: {finding.text}", *(f"  run: {command}" for command in finding.commands))))
    if not report.findings:
        show("ok: nothing needs attention.")


def facts(machine: Machine) -> list[tuple[str, str]]:
    """What the machine is, by name."""
    torch, driver = machine.torch, machine.nvidia
    build = f"CUDA {torch.cuda}" if torch and torch.cuda else f"ROCm {torch.rocm}" if torch and torch.rocm else "CPU"
    devices = [f"{device.name}, {gibibytes(device.memory)}" for device in torch.devices] if torch else []
    rows = [
        ("Python", f"{machine.python}  {machine.executable}"),
        ("system", f"{machine.system}, {machine.processor}, {machine.cpus} CPUs, {gibibytes(machine.memory)}"),
        ("torch", f"{torch.version} ({build} build)" if torch else "not installed"),
        ("device", "; ".join(devices) or ("Apple GPU (MPS)" if torch and torch.mps else "CPU")),
    ]
    listed = ", ".join(device.name for device in driver.devices) if driver else ""
    return [*rows, ("NVIDIA driver", f"{driver.version}: {listed}")] if driver else rows


def gibibytes(size: int | None) -> str:
    """A size in bytes as people read it."""
    return f"{size / (1 << 30):.1f} GiB" if size is not None else "unknown size"
