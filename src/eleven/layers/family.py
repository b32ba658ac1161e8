"""Families of base models: their components, layers, and where checkpoints keep each layer; a visible table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Literal

from eleven.layers.layer import Layer, Ranges
from eleven.layers.table import Row, heads, rows

Layout = Literal["diffusers", "original", "rootless", "dated"]
Role = Literal["denoiser", "text", "vae"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a checkpoint keeps one layer: key, rows of that tensor (None for all), and whether it lies transposed."""

    key: str
    ranges: Ranges | None = None
    transposed: bool = False


DATED = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
"""What diffusers before 0.13 called the parts of the VAE's attention."""


def respelled(name: str, layout: Layout) -> str:
    """A diffusers name as another of its versions, or of transformers', writes it."""
    if layout == "rootless":
        return name.removeprefix("text_model.")
    part = next((part for part in DATED if layout == "dated" and part in name), None)
    return name.replace(part, DATED[part]) if part else name


@dataclass(frozen=True, eq=False)
class Component:
    """One part of a pipeline: its folder's name, its table, and what the dialects call it.

    `checkpoints` are pairs of a key prefix and the layout behind it, the usual one first; `inputs` are modules whose
    input width differs between variants of the family (inpainting). `given` are the rows where no file holds the table.
    """

    folder: str
    table: str
    role: Role
    block: str = ""
    kohya: str = ""
    onetrainer: str = ""
    comfyui: str = ""
    checkpoints: tuple[tuple[str, Layout], ...] = ()
    inputs: frozenset[str] = field(default_factory=frozenset)
    given: tuple[Row, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every parameter."""
        return self.given or rows(self.table)

    @cache  # noqa: B019 - components are the constants below, or live as long as a pipeline
    def heads(self) -> tuple[str, ...]:
        """The first words of every name, in both spellings."""
        if not self.given:
            return heads(self.table)
        return tuple({name.partition(".")[0] for row in self.given for name in (row.name, row.original)})

    @cache  # noqa: B019 - components are the constants below
    def layers(self) -> Mapping[str, Layer]:
        """Every parameter by name."""
        made = (Layer(f"{self.folder}.{row.name}", row.shape, row.block or self.block) for row in self.rows)
        return MappingProxyType({layer.name: layer for layer in made})

    def keys(self, prefix: str, layout: Layout) -> Mapping[str, Source]:
        """Where a checkpoint of this layout keeps each layer."""
        if layout == "original":
            listed = {row.name: Source(prefix + row.original, row.ranges, row.transposed) for row in self.rows}
        else:
            listed = {row.name: Source(prefix + respelled(row.name, layout)) for row in self.rows}
        return {f"{self.folder}.{name}": source for name, source in listed.items()}


@dataclass(frozen=True, eq=False)
class Family:
    """A base architecture; `architecture` is its ModelSpec id, `kohya` the layout that kohya's files spell."""

    name: str
    title: str
    architecture: str
    components: tuple[Component, ...]
    kohya: Layout = "original"

    @cache  # noqa: B019 - families are the constants below
    def layers(self) -> Mapping[str, Layer]:
        """Every parameter of every component by its name."""
        return MappingProxyType({name: layer for part in self.components for name, layer in part.layers().items()})

    @cache  # noqa: B019
    def modules(self) -> Mapping[str, Layer]:
        """The weight of every module by the module's name, which is the layer's without `.weight`."""
        layers = self.layers().items()
        return MappingProxyType({name.removesuffix(".weight"): at for name, at in layers if name.endswith(".weight")})

    @cache  # noqa: B019
    def sources(self) -> Mapping[str, Source]:
        """Where the family's usual single file keeps each layer."""
        parts = [part.keys(*part.checkpoints[0]) for part in self.components]
        return MappingProxyType({name: source for part in parts for name, source in part.items()})


def unet(table: str) -> Component:
    """The denoiser of the SD families."""
    checkpoints: tuple[tuple[str, Layout], ...] = (
        ("model.diffusion_model.", "original"),
        ("unet.", "diffusers"),
        ("", "diffusers"),
        ("", "original"),
        ("diffusion_model.", "original"),
    )
    return Component(
        "unet",
        table,
        "denoiser",
        kohya="unet",
        onetrainer="unet",
        comfyui="diffusion_model",
        checkpoints=checkpoints,
        inputs=frozenset({"conv_in"}),
    )


def transformer(table: str, *inputs: str) -> Component:
    """The denoiser of the newer families."""
    checkpoints: tuple[tuple[str, Layout], ...] = (
        ("model.diffusion_model.", "original"),
        ("", "original"),
        ("transformer.", "diffusers"),
        ("", "diffusers"),
        ("diffusion_model.", "original"),
    )
    return Component(
        "transformer",
        table,
        "denoiser",
        kohya="unet",
        onetrainer="transformer",
        comfyui="diffusion_model",
        checkpoints=checkpoints,
        inputs=frozenset(inputs),
    )


def text(number: int, table: str, calls: tuple[str, str, str], *original: str) -> Component:
    """A text encoder: `calls` are kohya's, OneTrainer's and ComfyUI's names, `original` the checkpoints' prefixes."""
    folder = "text_encoder" if number == 1 else f"text_encoder_{number}"
    kohya, onetrainer, comfyui = calls
    prefixes = (f"text_encoders.{comfyui}.transformer.", f"{folder}.", "")
    cut = (*original, f"{folder}.", "") if table.startswith("clip") else ()
    checkpoints: list[tuple[str, Layout]] = [(prefix, "original") for prefix in original]
    checkpoints.extend((prefix, "diffusers") for prefix in prefixes)
    checkpoints.extend((prefix, "rootless") for prefix in cut)
    return Component(
        folder,
        table,
        "text",
        block="TE" if number == 1 else f"TE{number}",
        kohya=kohya,
        onetrainer=onetrainer,
        comfyui=f"text_encoders.{comfyui}.transformer",
        checkpoints=tuple(checkpoints),
    )


def vae(table: str) -> Component:
    """The picture encoder and decoder, which adapters leave alone but checkpoints hold."""
    original: list[tuple[str, Layout]] = [(prefix, "original") for prefix in ("first_stage_model.", "vae.", "")]
    layouts: tuple[Layout, ...] = ("diffusers", "dated")
    diffusers: list[tuple[str, Layout]] = [(prefix, layout) for layout in layouts for prefix in ("vae.", "")]
    return Component("vae", table, "vae", block="VAE", checkpoints=(*original, *diffusers))


CLIP_L_SD3, CLIP_G_SD3 = ("te1", "te1", "clip_l"), ("te2", "te2", "clip_g")
SD3_TEXT = (
    text(1, "clip_l_projected", CLIP_L_SD3),
    text(2, "clip_g", CLIP_G_SD3),
    text(3, "t5", ("te3", "te3", "t5xxl")),
)


def sd3(name: str, title: str, architecture: str, table: str) -> Family:
    """A member of the SD 3 line, which share everything but the denoiser."""
    return Family(name, title, architecture, (transformer(table, "pos_embed.proj"), *SD3_TEXT, vae("vae16")))


FAMILIES: tuple[Family, ...] = (
    Family(
        "sd1",
        "Stable Diffusion 1",
        "stable-diffusion-v1",
        (unet("unet_sd1"), text(1, "clip_l", ("te", "te", "clip_l"), "cond_stage_model.transformer."), vae("vae")),
        kohya="diffusers",
    ),
    Family(
        "sd2",
        "Stable Diffusion 2",
        "stable-diffusion-v2-768-v",
        (unet("unet_sd2"), text(1, "clip_h", ("te", "te", "clip_h"), "cond_stage_model.model."), vae("vae")),
        kohya="diffusers",
    ),
    Family(
        "sdxl",
        "Stable Diffusion XL",
        "stable-diffusion-xl-v1-base",
        (
            unet("unet_sdxl"),
            text(1, "clip_l", ("te1", "te1", "clip_l"), "conditioner.embedders.0.transformer."),
            text(2, "clip_g", ("te2", "te2", "clip_g"), "conditioner.embedders.1.model."),
            vae("vae"),
        ),
    ),
    Family(
        "flux",
        "FLUX.1",
        "flux-1-dev",
        (
            transformer("flux", "x_embedder"),
            text(1, "clip_l", ("te1", "te1", "clip_l")),
            text(2, "t5", ("te3", "te2", "t5xxl")),
            vae("vae16"),
        ),
    ),
    sd3("sd3", "Stable Diffusion 3 medium", "stable-diffusion-v3-medium", "sd3"),
    sd3("sd35-medium", "Stable Diffusion 3.5 medium", "stable-diffusion-v3.5-medium", "sd35_medium"),
    sd3("sd35-large", "Stable Diffusion 3.5 large", "stable-diffusion-v3.5-large", "sd35_large"),
    Family(
        "chroma",
        "Chroma",
        "chroma",
        (transformer("chroma", "x_embedder"), text(1, "t5", ("te3", "te1", "t5xxl")), vae("vae16")),
    ),
    Family("qwen-image", "Qwen-Image", "qwen-image", (transformer("qwen_image", "img_in"),)),
    Family("z-image", "Z-Image", "z-image", (transformer("z_image"), vae("vae16"))),
    Family("lumina2", "Lumina Image 2", "lumina-2", (transformer("lumina2"), vae("vae16"))),
    Family("krea2", "Krea 2", "krea-2", (transformer("krea2"),)),
    Family(
        "lab",
        "the concept lab",
        "eleven-lab-v1",
        (
            unet("unet_lab"),
            text(1, "clip_lab", ("te", "te", "clip_lab"), "cond_stage_model.transformer."),
            vae("vae_lab"),
        ),
        kohya="diffusers",
    ),
    Family("anima", "Anima", "anima", (transformer("anima"), text(1, "qwen3", ("te", "te", "qwen3_06b")))),
)


def family(name: str) -> Family | None:
    """The family of this name, or None."""
    return next((known for known in FAMILIES if known.name == name), None)
