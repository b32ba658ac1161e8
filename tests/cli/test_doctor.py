"""The diagnosis on made-up machines, and once on this one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eleven.cli.main import run
from eleven.reports.doctor import EXTRAS, NEEDED, build_for, diagnose, is_covered
from eleven.reports.machine import (
    PACKAGES,
    Device,
    Driver,
    Folder,
    Machine,
    Torch,
    folders,
    free_at,
    look,
    read_driver,
)

RTX4090 = Device("RTX 4090", 24 << 30, (8, 9))
RTX5090 = Device("RTX 5090", 32 << 30, (12, 0))
GTX1080 = Device("GTX 1080", 8 << 30, (6, 1))
DRIVER = Driver("580.65", (13, 0), (RTX4090,))
OLD_DRIVER = Driver("535.183", (12, 2), (RTX4090,))
CPU = Torch("2.13.0+cpu")
CU130 = Torch("2.13.0+cu130", cuda="13.0", architectures=("sm_75", "sm_80", "sm_90", "sm_120"), devices=(RTX4090,))
BLIND = replace(CU130, devices=())
MACHINE = Machine(
    system="Linux 6.8",
    processor="x86_64",
    cpus=8,
    memory=32 << 30,
    python="3.11.9",
    executable=Path("/home/a b/.venv/bin/python"),
    torch=CPU,
    nvidia=None,
    amd=False,
    hidden=None,
    packages=dict.fromkeys(PACKAGES, "1.0") | {"torchvision": None},
    folders=(Folder("cache", Path("/cache"), "default", 100 << 30),),
)


def findings(**changes):
    return diagnose(replace(MACHINE, **changes)).findings


def test_a_sound_machine_has_no_findings():
    assert findings() == ()
    assert findings(torch=CU130, nvidia=DRIVER) == ()


@pytest.mark.parametrize(
    ("changes", "says", "build"),
    [
        ({"torch": CPU, "nvidia": DRIVER}, "cannot use RTX 4090: it is no CUDA build", "cu130"),
        ({"torch": CPU, "nvidia": OLD_DRIVER}, "it is no CUDA build", "cu126"),
        ({"torch": CPU, "amd": True}, "cannot use the AMD GPU", "rocm7.2"),
        ({"torch": BLIND, "nvidia": OLD_DRIVER}, "runs CUDA up to 12.2; torch is built for 13.0", "cu126"),
        ({"torch": replace(CU130, devices=(GTX1080,)), "nvidia": Driver("580", (13, 0), (GTX1080,))}, "6.1", "cu126"),
        ({"torch": Torch("2.13.0", error="libtorch.so is missing"), "nvidia": DRIVER}, "does not import", "cu130"),
        ({"torch": Torch("2.5.1+cu124", cuda="12.4"), "nvidia": DRIVER}, "older than 2.6", "cu130"),
    ],
)
def test_a_mismatch_names_the_commands_that_mend_it(changes, says, build):
    (finding,) = findings(**changes)
    assert finding.level == "problem"
    assert says in finding.text
    remove, install = finding.commands
    assert remove == "'/home/a b/.venv/bin/python' -m pip uninstall --yes torch"
    assert install.startswith("'/home/a b/.venv/bin/python' -m pip install 'torch>=2.6' --index-url https://")
    assert install.endswith(f"/{build}")


def test_without_torch_there_is_nothing_to_remove():
    (finding,) = findings(torch=None)
    assert len(finding.commands) == 1
    assert finding.commands[0].endswith("/cpu")


def test_commands_are_quoted_for_windows():
    (finding,) = findings(system="Windows 11", executable=Path("C:/a b/python.exe"), torch=None)
    assert finding.commands[0].startswith('"C:/a b/python.exe" -m pip')


def test_a_mac_takes_torch_from_the_usual_index():
    (finding,) = findings(system="Darwin 24.5", processor="arm64", torch=None)
    assert "--index-url" not in finding.commands[0]
    assert findings(system="Darwin 24.5", processor="arm64", torch=replace(CPU, mps=True)) == ()
    assert findings(system="Darwin 24.5", processor="arm64", torch=CPU)[0].level == "warning"


def test_a_hidden_or_lost_device_needs_no_other_build():
    hidden = findings(torch=BLIND, nvidia=DRIVER, hidden="-1")
    assert [(finding.level, finding.commands) for finding in hidden] == [("note", ())]
    lost = findings(torch=BLIND, nvidia=DRIVER, hidden="0")
    assert [(finding.level, finding.commands) for finding in lost] == [("problem", ())]


def test_a_driver_that_does_not_answer_is_told():
    (finding,) = findings(torch=BLIND, nvidia=Driver(error="couldn't communicate with the NVIDIA driver."))
    assert finding.text.startswith("nvidia-smi fails: couldn't communicate")


def test_a_cuda_build_without_a_device_is_only_noted():
    assert [finding.level for finding in findings(torch=BLIND)] == ["note"]


def test_torchvision_and_full_disks_are_warnings():
    (vision,) = findings(packages={**MACHINE.packages, "torchvision": "0.29.1"})
    assert vision.commands[0].endswith("pip uninstall --yes torchvision")
    (disk,) = findings(folders=(Folder("cache", Path("/cache"), "default", 1 << 30),))
    assert "1.0 GiB free" in disk.text


def test_packages_that_are_needed_are_no_extra():
    (finding,) = findings(packages={**MACHINE.packages, "peft": None, "diffusers": None})
    assert (finding.level, finding.text[:34]) == ("problem", "not installed: diffusers, peft; `e")
    assert finding.commands[0].endswith("pip install diffusers peft")
    assert not set(NEEDED) & {name for extra in EXTRAS for name in extra.packages}
    assert set(NEEDED) <= set(PACKAGES)


def test_problems_come_first():
    both = findings(torch=None, packages={**MACHINE.packages, "torchvision": "0.29.1"})
    assert [finding.level for finding in both] == ["problem", "warning"]


def test_new_cards_run_on_newer_code_only():
    assert is_covered(RTX5090, ("sm_90", "sm_120"))
    assert not is_covered(RTX5090, ("sm_80", "sm_90"))
    assert is_covered(RTX5090, ("sm_80", "compute_90"))
    assert not is_covered(Device("old", None, (8, 0)), ("sm_86",))
    assert is_covered(Device("H100", None, (9, 0)), ("sm_90a",))
    assert is_covered(Device("AMD", None, (11, 0)), ("gfx1100",))
    assert build_for(replace(MACHINE, nvidia=Driver("570", (12, 8), (RTX5090,)))) == "cu128"


def test_extras_name_what_is_missing():
    extras = diagnose(replace(MACHINE, packages={**MACHINE.packages, "ray": None})).extras
    assert [(extra.name, extra.missing) for extra in extras if extra.missing] == [("ray", ("ray",))]
    assert {name for extra in EXTRAS for name in extra.packages} <= set(PACKAGES)


def test_the_drivers_table_is_read():
    rows = "580.65.06, NVIDIA GeForce RTX 4090, 24564, 8.9\n580.65.06, NVIDIA GB10, [N/A], 12.1\n"
    driver = read_driver(rows, "| NVIDIA-SMI 580.65.06   Driver Version: 580.65.06   CUDA Version: 13.0  |")
    assert driver == Driver(
        "580.65.06",
        (13, 0),
        (Device("NVIDIA GeForce RTX 4090", 24564 << 20, (8, 9)), Device("NVIDIA GB10", None, (12, 1))),
    )
    assert read_driver("", "no devices") == Driver()


def test_folders_follow_the_environment(tmp_path):
    told = {folder.what: folder for folder in folders({"ELEVEN_HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf")})}
    assert told["Eleven's cache"].path == tmp_path / "cache"
    assert (told["Hugging Face hub"].path, told["Hugging Face hub"].source) == (tmp_path / "hf" / "hub", "HF_HOME")
    assert free_at(tmp_path / "not" / "yet") > 0


def test_this_machine_is_described_as_json(capsys):
    code = run(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["machine"]["torch"]["version"] == look().torch.version
    assert code == any(finding["level"] == "problem" for finding in report["findings"])


def test_this_machine_is_described_as_text(capsys):
    run(["doctor"])
    out = capsys.readouterr().out
    assert "Python  3." in out
    assert "Hugging Face hub" in out
    assert all(extra.name in out for extra in EXTRAS)
