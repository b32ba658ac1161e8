import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))


@pytest.mark.parametrize(
    "name", ["reference/commands.md", "concepts/methods.md", "reference/results.md", "reference/suggestion.md"]
)
def test_generated_pages_are_up_to_date(name):
    from write_reference import pages

    assert (ROOT / "docs" / name).read_text("utf-8") == pages()[name], "run tools/write_reference.py"


def test_the_recipe_in_the_reference_is_one():
    from eleven.mix import Mix

    page = (ROOT / "docs" / "reference" / "recipe.md").read_text("utf-8")
    mix = Mix.from_toml(page.partition("```toml")[2].partition("```")[0])
    assert mix.parts[1].at == {"te": 0.4, "IN04": 0.0}
    assert mix.parts[0].strength == 0.7
