"""A recipe as a study writes it: the second file carries more detail, and both the same look."""

from __future__ import annotations

from eleven.effects import Effect, effects_to_toml
from eleven.files.hashes import identity
from eleven.mix import Mix, Part


def recipe_with_effects(folder, name="mix.toml"):
    """The name of a recipe of a.safetensors and b.safetensors, 0.7 each."""
    files = [folder / f"{one}.safetensors" for one in "ab"]
    parts = tuple(Part(file=file.name, sha256=identity(file), strength=0.7) for file in files)
    slopes = {"overall": 0.1, "overall_error": 0.001, "detail_error": 0.001}
    effects = [
        Effect.model_validate(slopes | {"sha256": part.sha256, "detail": detail})
        for part, detail in zip(parts, (0.1, 0.3), strict=True)
    ]
    (folder / name).write_text(f"{Mix(parts=parts).to_toml()}\n{effects_to_toml(effects)}", "utf-8")
    return name
