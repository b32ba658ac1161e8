"""docs/evidence.md says what docs/evidence.json holds, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from tools.evidence_page import page

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_page_and_data_agree():
    data = json.loads((DOCS / "evidence.json").read_text("utf-8"))
    assert (DOCS / "evidence.md").read_text("utf-8") == page(data)


def test_every_arm_has_enough_shots_and_its_interval_around_its_rate():
    data = json.loads((DOCS / "evidence.json").read_text("utf-8"))
    assert data
    for person in data.values():
        assert person["rows"]
        for row in person["rows"]:
            assert row["shots"] >= 100
            assert all(
                row[name][1] <= row[name][0] <= row[name][2] for name in ("perfect", "good", "overall", "detail")
            )
