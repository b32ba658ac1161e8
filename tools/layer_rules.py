"""How the original checkpoints name what diffusers names, component by component; read by list_layers.py.

A rule is (pattern of diffusers' name, original name); the first that fits is used. `#2` after it means the third part
of a fused tensor, `#swap` the two halves exchanged, `#T` transposed. Layouts: ldm and sgm (CompVis, Stability-AI),
OpenCLIP, flux (Black Forest Labs), MMDiT (Stability-AI/sd3.5), Z-Image and Lumina (ComfyUI's single files), Krea 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

Replacement = str | Callable[[re.Match[str]], str]
Names = tuple[tuple[str, Replacement], ...]
Blocks = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Rules:
    """How one component's parameters are named in the original layout and grouped into blocks."""

    names: Names = ()
    blocks: Blocks = ()
    shapeless: bool = False


def original(name: str, names: Names) -> str:
    """The original key of a parameter by the first rule that fits, else its own name."""
    for pattern, replacement in names:
        if found := re.fullmatch(pattern, name):
            return replacement(found) if callable(replacement) else found.expand(replacement)
    return name


END = r"\.(weight|bias)"
RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}  # fmt: skip


def ldm_block(found: re.Match[str]) -> str:
    """A UNet block: three steps a level, the last for resampling (CompVis ldm, diffusionmodules/openaimodel.py)."""
    side, level, kind, index, rest = found.groups()
    step, up = 3 * int(level) + int(index), side == "up"
    where = f"output_blocks.{step}" if up else f"input_blocks.{step + 1}"
    if kind in ("resnets", "attentions"):
        return f"{where}.{0 if kind == 'resnets' else 1}.{ldm_inner(kind, rest)}"
    return (
        f"output_blocks.{step + 2}.{{}}.{rest}" if up else f"input_blocks.{step + 3}.0.op.{rest.removeprefix('conv.')}"
    )


def ldm_inner(kind: str, rest: str) -> str:
    """What is inside a residual block; attentions keep their names."""
    head, _, tail = rest.partition(".")
    return f"{RESNET[head]}.{tail}" if kind == "resnets" else rest


def ldm_upsampler(found: re.Match[str], plain: str) -> str:
    """The upsampling comes after the attention, where the level has one."""
    return ldm_block(found).format(1 if found.group(2) in plain else 2)


def ldm_middle(found: re.Match[str]) -> str:
    """The middle block: residual, attention, residual."""
    kind, index, rest = found.groups()
    return f"middle_block.{1 if kind == 'attentions' else 2 * int(index)}.{ldm_inner(kind, rest)}"


def ldm(plain: str) -> Names:
    """The UNet's rules; `plain` are the up levels without attention."""
    return (
        (r"(up)_blocks\.(\d)\.(upsamplers)\.(\d)\.(.*)", partial(ldm_upsampler, plain=plain)),
        (r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", ldm_block),
        (r"mid_block\.(\w+)\.(\d)\.(.*)", ldm_middle),
        (r"conv_in\.(.*)", r"input_blocks.0.0.\1"),
        (rf"time_embedding\.linear_1{END}", r"time_embed.0.\1"),
        (rf"time_embedding\.linear_2{END}", r"time_embed.2.\1"),
        (rf"add_embedding\.linear_1{END}", r"label_emb.0.0.\1"),
        (rf"add_embedding\.linear_2{END}", r"label_emb.0.2.\1"),
        (rf"conv_norm_out{END}", r"out.0.\1"),
        (rf"conv_out{END}", r"out.2.\1"),
    )


UNET_BLOCKS: Blocks = (
    (r"input_blocks\.(\d+)\.", "IN{:02}"),
    (r"middle_block\.", "MID"),
    (r"output_blocks\.(\d+)\.", "OUT{:02}"),
    (r"", "OTHER"),
)


LAB_BLOCKS: Blocks = (
    (r"down_blocks\.(\d+)\.", "IN{:02}"),
    (r"mid_block\.", "MID"),
    (r"up_blocks\.(\d+)\.", "OUT{:02}"),
    (r"", "OTHER"),
)


def vae_inner(found: re.Match[str]) -> str:
    """A VAE block; the decoder counts its levels from the other end."""
    side, level, kind, index, rest = found.groups()
    where = f"{side}.{level if side == 'encoder.down' else 3 - int(level)}"
    if kind != "resnets":
        return f"{where}.{'downsample' if kind == 'downsamplers' else 'upsample'}.{rest}"
    return f"{where}.block.{index}.{rest.replace('conv_shortcut', 'nin_shortcut')}"


VAE: Names = (
    (r"(encoder\.down|decoder\.up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", vae_inner),
    (r"(\w+)\.mid_block\.resnets\.0\.(.*)", r"\1.mid.block_1.\2"),
    (r"(\w+)\.mid_block\.resnets\.1\.(.*)", r"\1.mid.block_2.\2"),
    (r"(\w+)\.mid_block\.attentions\.0\.group_norm\.(.*)", r"\1.mid.attn_1.norm.\2"),
    (r"(\w+)\.mid_block\.attentions\.0\.to_out\.0\.(.*)", r"\1.mid.attn_1.proj_out.\2"),
    (r"(\w+)\.mid_block\.attentions\.0\.to_(\w)\.(.*)", r"\1.mid.attn_1.\2.\3"),
    (r"(\w+)\.conv_norm_out\.(.*)", r"\1.norm_out.\2"),
)


def parts(pattern: str, names: Iterable[str], fused: str) -> Names:
    """One rule for each part of a fused tensor, in order."""
    return tuple((pattern.replace("PART", re.escape(name)), f"{fused}#{part}") for part, name in enumerate(names))


QKV, ADDED = ("to_q", "to_k", "to_v"), ("add_q_proj", "add_k_proj", "add_v_proj")
LAYERS, RESBLOCKS = r"text_model\.encoder\.layers\.(\d+)\.", r"transformer.resblocks.\1."
OPENCLIP: Names = (
    (r"text_model\.embeddings\.token_embedding\.weight", "token_embedding.weight"),
    (r"text_model\.embeddings\.position_embedding\.weight", "positional_embedding"),
    (rf"text_model\.final_layer_norm{END}", r"ln_final.\1"),
    (r"text_projection\.weight", "text_projection#T"),
    (rf"{LAYERS}layer_norm(\d){END}", rf"{RESBLOCKS}ln_\2.\3"),
    (rf"{LAYERS}mlp\.fc1{END}", rf"{RESBLOCKS}mlp.c_fc.\2"),
    (rf"{LAYERS}mlp\.fc2{END}", rf"{RESBLOCKS}mlp.c_proj.\2"),
    (rf"{LAYERS}self_attn\.out_proj{END}", rf"{RESBLOCKS}attn.out_proj.\2"),
    *parts(rf"{LAYERS}self_attn\.PART{END}", ("q_proj", "k_proj", "v_proj"), rf"{RESBLOCKS}attn.in_proj_\2"),
)

DOUBLE, SINGLE = r"transformer_blocks\.(\d+)\.", r"single_transformer_blocks\.(\d+)\."
FLUX: Names = (
    (rf"{SINGLE}norm\.linear{END}", r"single_blocks.\1.modulation.lin.\2"),
    *parts(rf"{SINGLE}(?:attn\.)?PART{END}", (*QKV, "proj_mlp"), r"single_blocks.\1.linear1.\2"),
    (rf"{SINGLE}attn\.norm_q\.weight", r"single_blocks.\1.norm.query_norm.scale"),
    (rf"{SINGLE}attn\.norm_k\.weight", r"single_blocks.\1.norm.key_norm.scale"),
    (rf"{SINGLE}proj_out{END}", r"single_blocks.\1.linear2.\2"),
    (rf"{DOUBLE}norm1\.linear{END}", r"double_blocks.\1.img_mod.lin.\2"),
    (rf"{DOUBLE}norm1_context\.linear{END}", r"double_blocks.\1.txt_mod.lin.\2"),
    *parts(rf"{DOUBLE}attn\.PART{END}", QKV, r"double_blocks.\1.img_attn.qkv.\2"),
    *parts(rf"{DOUBLE}attn\.PART{END}", ADDED, r"double_blocks.\1.txt_attn.qkv.\2"),
    (rf"{DOUBLE}attn\.norm_q\.weight", r"double_blocks.\1.img_attn.norm.query_norm.scale"),
    (rf"{DOUBLE}attn\.norm_k\.weight", r"double_blocks.\1.img_attn.norm.key_norm.scale"),
    (rf"{DOUBLE}attn\.norm_added_q\.weight", r"double_blocks.\1.txt_attn.norm.query_norm.scale"),
    (rf"{DOUBLE}attn\.norm_added_k\.weight", r"double_blocks.\1.txt_attn.norm.key_norm.scale"),
    (rf"{DOUBLE}attn\.to_out\.0{END}", r"double_blocks.\1.img_attn.proj.\2"),
    (rf"{DOUBLE}attn\.to_add_out{END}", r"double_blocks.\1.txt_attn.proj.\2"),
    (rf"{DOUBLE}ff\.net\.0\.proj{END}", r"double_blocks.\1.img_mlp.0.\2"),
    (rf"{DOUBLE}ff\.net\.2{END}", r"double_blocks.\1.img_mlp.2.\2"),
    (rf"{DOUBLE}ff_context\.net\.0\.proj{END}", r"double_blocks.\1.txt_mlp.0.\2"),
    (rf"{DOUBLE}ff_context\.net\.2{END}", r"double_blocks.\1.txt_mlp.2.\2"),
    (rf"time_text_embed\.timestep_embedder\.linear_1{END}", r"time_in.in_layer.\1"),
    (rf"time_text_embed\.timestep_embedder\.linear_2{END}", r"time_in.out_layer.\1"),
    (rf"time_text_embed\.text_embedder\.linear_1{END}", r"vector_in.in_layer.\1"),
    (rf"time_text_embed\.text_embedder\.linear_2{END}", r"vector_in.out_layer.\1"),
    (rf"time_text_embed\.guidance_embedder\.linear_1{END}", r"guidance_in.in_layer.\1"),
    (rf"time_text_embed\.guidance_embedder\.linear_2{END}", r"guidance_in.out_layer.\1"),
    (rf"distilled_guidance_layer\.layers\.(\d+)\.linear_1{END}", r"distilled_guidance_layer.layers.\1.in_layer.\2"),
    (rf"distilled_guidance_layer\.layers\.(\d+)\.linear_2{END}", r"distilled_guidance_layer.layers.\1.out_layer.\2"),
    (r"distilled_guidance_layer\.norms\.(\d+)\.weight", r"distilled_guidance_layer.norms.\1.scale"),
    (rf"context_embedder{END}", r"txt_in.\1"),
    (rf"x_embedder{END}", r"img_in.\1"),
    (rf"norm_out\.linear{END}", r"final_layer.adaLN_modulation.1.\1#swap"),
    (rf"proj_out{END}", r"final_layer.linear.\1"),
)
DOUBLE_SINGLE: Blocks = ((rf"{SINGLE}", "S{:02}"), (rf"{DOUBLE}", "D{:02}"), (r"", "OTHER"))


def mmdit(last: int) -> Names:
    """The rules of SD 3; in the last block the text side is normalised as the final layer is."""
    return (
        (rf"transformer_blocks\.({last})\.norm1_context\.linear{END}",
         r"joint_blocks.\1.context_block.adaLN_modulation.1.\2#swap"),
        (rf"{DOUBLE}norm1\.linear{END}", r"joint_blocks.\1.x_block.adaLN_modulation.1.\2"),
        (rf"{DOUBLE}norm1_context\.linear{END}", r"joint_blocks.\1.context_block.adaLN_modulation.1.\2"),
        *parts(rf"{DOUBLE}attn\.PART{END}", QKV, r"joint_blocks.\1.x_block.attn.qkv.\2"),
        *parts(rf"{DOUBLE}attn2\.PART{END}", QKV, r"joint_blocks.\1.x_block.attn2.qkv.\2"),
        *parts(rf"{DOUBLE}attn\.PART{END}", ADDED, r"joint_blocks.\1.context_block.attn.qkv.\2"),
        (rf"{DOUBLE}(attn2?)\.norm_([qk])\.weight", r"joint_blocks.\1.x_block.\2.ln_\3.weight"),
        (rf"{DOUBLE}attn\.norm_added_([qk])\.weight", r"joint_blocks.\1.context_block.attn.ln_\2.weight"),
        (rf"{DOUBLE}(attn2?)\.to_out\.0{END}", r"joint_blocks.\1.x_block.\2.proj.\3"),
        (rf"{DOUBLE}attn\.to_add_out{END}", r"joint_blocks.\1.context_block.attn.proj.\2"),
        (rf"{DOUBLE}ff\.net\.0\.proj{END}", r"joint_blocks.\1.x_block.mlp.fc1.\2"),
        (rf"{DOUBLE}ff\.net\.2{END}", r"joint_blocks.\1.x_block.mlp.fc2.\2"),
        (rf"{DOUBLE}ff_context\.net\.0\.proj{END}", r"joint_blocks.\1.context_block.mlp.fc1.\2"),
        (rf"{DOUBLE}ff_context\.net\.2{END}", r"joint_blocks.\1.context_block.mlp.fc2.\2"),
        (rf"time_text_embed\.timestep_embedder\.linear_1{END}", r"t_embedder.mlp.0.\1"),
        (rf"time_text_embed\.timestep_embedder\.linear_2{END}", r"t_embedder.mlp.2.\1"),
        (rf"time_text_embed\.text_embedder\.linear_1{END}", r"y_embedder.mlp.0.\1"),
        (rf"time_text_embed\.text_embedder\.linear_2{END}", r"y_embedder.mlp.2.\1"),
        (rf"pos_embed\.proj{END}", r"x_embedder.proj.\1"),
        (rf"norm_out\.linear{END}", r"final_layer.adaLN_modulation.1.\1#swap"),
        (rf"proj_out{END}", r"final_layer.linear.\1"),
    )  # fmt: skip


Z_IMAGE: Names = (
    (r"all_x_embedder\.2-1\.(.*)", r"x_embedder.\1"),
    (r"all_final_layer\.2-1\.(.*)", r"final_layer.\1"),
    *parts(rf"(.*)\.attention\.PART{END}", QKV, r"\1.attention.qkv.\2"),
    (rf"(.*)\.attention\.to_out\.0{END}", r"\1.attention.out.\2"),
    (r"(.*)\.attention\.norm_([qk])\.weight", r"\1.attention.\2_norm.weight"),
)
LUMINA2: Names = (
    (r"time_caption_embed\.caption_embedder\.(.*)", r"cap_embedder.\1"),
    (rf"time_caption_embed\.timestep_embedder\.linear_1{END}", r"t_embedder.mlp.0.\1"),
    (rf"time_caption_embed\.timestep_embedder\.linear_2{END}", r"t_embedder.mlp.2.\1"),
    (rf"norm_out\.linear_1{END}", r"final_layer.adaLN_modulation.1.\1"),
    (rf"norm_out\.linear_2{END}", r"final_layer.linear.\1"),
    *parts(rf"(.*)\.attn\.PART{END}", QKV, r"\1.attention.qkv.\2"),
    (rf"(.*)\.attn\.to_out\.0{END}", r"\1.attention.out.\2"),
    (r"(.*)\.attn\.norm_([qk])\.weight", r"\1.attention.\2_norm.weight"),
    (rf"(.*)\.feed_forward\.linear_(\d){END}", r"\1.feed_forward.w\2.\3"),
    (rf"(.*)\.norm1\.linear{END}", r"\1.adaLN_modulation.1.\2"),
    (r"(.*)\.norm1\.norm\.weight", r"\1.attention_norm1.weight"),
    (r"(.*)\.norm(\d)\.weight", r"\1.attention_norm\2.weight"),
)
LAYERED: Blocks = (
    (r"layers\.(\d+)\.", "D{:02}"),
    (r"noise_refiner\.(\d+)\.", "R{:02}"),
    (r"context_refiner\.(\d+)\.", "C{:02}"),
    (r"", "OTHER"),
)

KREA_ATTENTION = (("to_q", "wq"), ("to_k", "wk"), ("to_v", "wv"), (r"to_out\.0", "wo"), ("to_gate", "gate"))
KREA2: Names = (
    *((rf"transformer_blocks\.(.*)\.attn\.{new}{END}", rf"blocks.\1.attn.{old}.\2") for new, old in KREA_ATTENTION),
    *((rf"text_fusion\.(.*)\.attn\.{new}{END}", rf"txtfusion.\1.attn.{old}.\2") for new, old in KREA_ATTENTION),
    (rf"transformer_blocks\.(.*)\.ff\.(\w+){END}", r"blocks.\1.mlp.\2.\3"),
    (rf"text_fusion\.(.*)\.ff\.(\w+){END}", r"txtfusion.\1.mlp.\2.\3"),
    (rf"text_fusion\.projector{END}", r"txtfusion.projector.\1"),
    (rf"img_in{END}", r"first.\1"),
    (rf"final_layer\.linear{END}", r"last.linear.\1"),
    (rf"time_embed\.linear_1{END}", r"tmlp.0.\1"),
    (rf"time_embed\.linear_2{END}", r"tmlp.2.\1"),
    (rf"time_mod_proj{END}", r"tproj.1.\1"),
    (rf"txt_in\.linear_1{END}", r"txtmlp.1.\1"),
    (rf"txt_in\.linear_2{END}", r"txtmlp.3.\1"),
)
