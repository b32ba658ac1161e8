"""Writes src/eleven/layers/tables/*.tsv: every parameter of every known component, from diffusers' own classes.

Run `python tools/list_layers.py [COMPONENT …]`; weights are never made (torch's meta device) and nothing is fetched.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import layer_rules as rules
from layer_components import COMPONENTS

TABLES = Path(__file__).parents[1] / "src" / "eleven" / "layers" / "tables"
HEADER = "name\tshape\tblock\toriginal\trows"
NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")

Shapes = Mapping[str, tuple[int, ...]]


class Row(NamedTuple):
    """One line of a table, all text."""

    name: str
    shape: str
    block: str
    original: str
    rows: str


def diffusers_model(name: str, **config: object) -> Shapes:
    """Names and shapes of the parameters of a diffusers class."""
    import diffusers

    return parameters(lambda: getattr(diffusers, name)(**config))


def clip(*, layers: int, width: int, projected: bool = False, **lab: int) -> Shapes:
    """Names and shapes of a CLIP text encoder, with `text_model.` in front as every file has it.

    The lab's differs in the width inside a layer, and in how many words and places it has.
    """
    import transformers

    config = transformers.CLIPTextConfig(
        hidden_size=width,
        intermediate_size=lab.get("inner", 4 * width),
        num_hidden_layers=layers,
        projection_dim=width,
        vocab_size=lab.get("words", 49408),
        max_position_embeddings=lab.get("length", 77),
    )
    names = parameters(lambda: transformers.CLIPTextModelWithProjection(config))
    return {name: shape for name, shape in names.items() if projected or not name.startswith("text_projection")}


def t5() -> Shapes:
    """Names and shapes of the encoder of T5 v1.1 XXL."""
    import transformers

    config = transformers.T5Config(
        d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=24, feed_forward_proj="gated-gelu"
    )
    return parameters(lambda: transformers.T5EncoderModel(config))


def parameters(build: Callable[[], object]) -> Shapes:
    """Names and shapes of the parameters of the model that `build` makes, without memory for them."""
    import torch

    with torch.device("meta"):
        model = build()
    return {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}  # pyright: ignore


def table(shapes: Shapes, rule: rules.Rules) -> list[Row]:
    """The rows of one component: each parameter with its block, and its key and rows in the original layout."""
    spelled = {name: rules.original(name, rule.names).partition("#") for name in shapes}
    ends: dict[tuple[str, str], int] = {}
    whole: dict[str, int] = {}
    for name, (key, _, part) in sorted(spelled.items(), key=lambda item: item[1][2]):
        ends[key, part] = whole.get(key, 0) + shapes[name][0]
        whole[key] = ends[key, part]
    lines = []
    for name, shape in shapes.items():
        key, _, part = spelled[name]
        rows = rows_text(part, ends[key, part], shape[0])
        block = next((text.expand(at) for text, at in matches(name, key, rule.blocks)), "")
        size = "" if rule.shapeless else "x".join(map(str, shape))
        lines.append(Row(name, size, block, "" if key == name else key, rows))
    return lines


class Template(NamedTuple):
    """A block's name with `{}` for the first number that its pattern found, counted from `offset`."""

    text: str

    def expand(self, found: re.Match[str]) -> str:
        """The block's name."""
        return self.text.format(*(int(number) for number in found.groups()))


def matches(name: str, key: str, blocks: rules.Blocks) -> Iterable[tuple[Template, re.Match[str]]]:
    """Each rule for blocks that fits the name or the original key."""
    for pattern, text in blocks:
        for candidate in (key, name):
            if found := re.match(pattern, candidate):
                yield Template(text), found


def rows_text(part: str, end: int, count: int) -> str:
    """The table's text for the rows of the original tensor that hold a parameter."""
    if part == "swap":
        return f"{count // 2}:{count},0:{count // 2}"
    return part if part in ("", "T") else f"{end - count}:{end}"


def collapse(lines: list[Row]) -> list[Row]:
    """Rows of numbered blocks as one template row each: `blocks.{0:28}.attn` stands for 28 rows."""
    left = dict.fromkeys(lines)
    out: list[Row] = []
    while left:
        first = next(iter(left))
        runs = [run for at in NUMBER.finditer(first.name) if (run := numbered(first, at.span(), left))]
        template, members = max(runs, key=lambda run: len(run[1]), default=(first, [first]))
        if len(members) == 1:
            template = first
        out.append(template)
        for member in members:
            del left[member]
    return out


def numbered(first: Row, span: tuple[int, int], left: Mapping[Row, None]) -> tuple[Row, list[Row]]:
    """The longest run of rows that differ from `first` only by this number, as a template and its rows."""
    start = int(first.name[slice(*span)])
    pattern = Row(*(with_slot(text, first, span, field) for field, text in zip(Row._fields, first, strict=True)))
    members = [first]
    while (row := Row(*(text.format(start + len(members)) for text in pattern))) in left:
        members.append(row)
    name = pattern.name.replace("{}", f"{{{start}:{start + len(members)}}}")
    return pattern._replace(name=name), members


def with_slot(text: str, first: Row, span: tuple[int, int], field: str) -> str:
    """A field with `{}` in place of the number that varies, as far as it occurs there once."""
    number = first.name[slice(*span)]
    if field == "name":
        return text[: span[0]] + "{}" + text[span[1] :]
    if field == "block":
        return f"{text[:1]}{{:02}}" if re.fullmatch(rf"[DSRC]{int(number):02}", text) else text
    if field == "original":
        which = len(NUMBER.findall(first.name[: span[1] + 1])) - 1
        found = list(NUMBER.finditer("." + text))
        same = [at for at in found if at.group() == number]
        if which < len(found) and found[which] in same:
            same = [found[which]]
        return text if not same else text[: same[0].start() - 1] + "{}" + text[same[0].end() - 1 :]
    return text


def text_of(component: str) -> str:
    """The table of one component as the file holds it."""
    build, rule = COMPONENTS[component]
    lines = collapse(table(build(sys.modules[__name__]), rule))
    return "\n".join([HEADER, *("\t".join(line).rstrip("\t") for line in lines)]) + "\n"


def main(components: list[str]) -> None:
    """Writes the tables of these components, or of all."""
    TABLES.mkdir(exist_ok=True)
    for component in components or COMPONENTS:
        path = TABLES / f"{component}.tsv"
        path.write_text(text_of(component), encoding="utf-8", newline="\n")
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
