"""Scorers in another process: they answer, hang, die and babble, and what each did is told."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from eleven.errors import ElevenError, UsageError
from eleven.scorers.checking import check_scorer, pictured
from eleven.scorers.opening import open_scorer
from eleven.scorers.process import ProcessScorer, score_of
from eleven.scorers.scorer import References, Score

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "own_scorers.md"
OPENED = """
import json, sys, time
def answer(told): print(json.dumps(told), flush=True)
sys.stdin.readline(); answer({"eleven": 1, "name": "odd"})
for line in sys.stdin:
    """


@pytest.fixture
def script(tmp_path):
    """A command for a script of this code."""

    def write(code):
        path = tmp_path / "my scorer.py"
        path.write_text(code)
        return [sys.executable, str(path)]

    return write


@pytest.fixture(scope="module")
def references():
    chance = np.random.default_rng(0)
    photos, others = chance.integers(90, 110, (4, 24, 24, 3)), chance.integers(0, 255, (3, 24, 24, 3))
    photos[:, :, :, 0] += np.arange(4)[:, None, None] * 5
    others[:, :, :, 0] //= 4
    return References(*({str(n): one.astype(np.uint8) for n, one in enumerate(some)} for some in (photos, others)))


def example():
    (code,) = re.findall(r"^```python\n(# my_scorer.*?)^```", GUIDE.read_text("utf-8"), re.M | re.S)
    return code


def test_the_worked_example_passes_the_battery(script, references, site):
    opened = []

    def opening(photos):
        opened.append(ProcessScorer(script(example()), photos))
        return opened[-1]

    try:
        check_scorer(opening, references)
        assert opened[0].name == "process:colour"
    finally:
        for scorer in opened:
            scorer.close()


def test_it_is_opened_by_its_command(script, references, site):
    python, path = script(example())
    scorer = open_scorer(f"process:'{python}' '{path}'", references)
    assert scorer.score([pictured(photo) for photo in references.photos.values()]) == [
        scorer.asked(photo) for photo in references.photos.values()
    ]
    folder = scorer.folder
    assert folder.is_dir()
    scorer.close()
    assert not folder.exists()
    with pytest.raises(ElevenError, match="was ended before"):
        scorer.score_impostors()


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("time.sleep(60)", "did not answer within 0.5 seconds"),
        ("print('no memory', file=sys.stderr); sys.exit(7)", r"(?s)ended with exit code 7.*no memory"),
        ("print('Loading 30%')", "'Loading 30%', which is no JSON object"),
        ("print([1])", "no JSON object"),
        ("sys.stdout.buffer.write(bytes(range(128, 256)) + b'\\n'); sys.stdout.flush()", "no JSON object"),
        ("answer({'error': 'the picture is upside down'})", "upside down"),
        ("answer({'overall': 'high'})", "overall is 'high', not a number"),
        ("answer({'overal': 1})", "overal, which no score has"),
        ("print('{\"overall\": NaN}')", "overall is nan"),
        ("answer({'prompt': 2})", "not a share"),
        ("answer({'fault': 3})", "not a text"),
    ],
)
def test_what_a_scorer_does_wrong_is_told(script, references, does, told):
    scorer = ProcessScorer(
        script(OPENED + does + "; sys.stdout.flush()"), references, scoring=0.5 if "sleep" in does else 30
    )
    start = time.monotonic()
    with pytest.raises(ElevenError, match=told) as caught:
        scorer.score_impostors()
    assert "my scorer.py" in caught.value.cause
    assert caught.value.hint
    assert time.monotonic() - start < 25
    assert scorer.lines.process.poll() is not None


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import time; time.sleep(60)", "did not answer within 1 seconds"),
        ("import nothing_of_this_name", r"(?s)exit code 1.*nothing_of_this_name"),
        ('input(); print(\'{"eleven": 2, "name": "later"}\')', "to the opening"),
        ("input(); print('{\"eleven\": 1}')", "to the opening"),
    ],
)
def test_a_scorer_that_does_not_open_is_told(script, references, code, told):
    with pytest.raises(ElevenError, match=told):
        ProcessScorer(script(code), references, starting=1 if "sleep" in code else 30)


def test_a_command_that_is_none_is_told(site, references):
    with pytest.raises(UsageError, match="cannot be started"):
        open_scorer("process:/nowhere/at-all", references)
    with pytest.raises(UsageError, match="needs a command"):
        open_scorer("process:", references)


def test_what_is_left_out_of_an_answer_cannot_be_told():
    assert score_of({}) == Score()
    assert score_of({"overall": 1, "detail": None, "fault": None}) == Score(1.0)
    assert score_of({"fault": "no cat", "prompt": 0.5}) == Score(None, None, 0.5, "no cat")
