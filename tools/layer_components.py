"""The components that list_layers.py lists: how to build each, and the rules for its names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layer_rules import (
    DOUBLE_SINGLE,
    FLUX,
    KREA2,
    LAB_BLOCKS,
    LAYERED,
    LUMINA2,
    OPENCLIP,
    UNET_BLOCKS,
    VAE,
    Z_IMAGE,
    Rules,
    ldm,
    mmdit,
)


def anima() -> dict[str, tuple[int, ...]]:
    """The names of Anima (Cosmos-Predict2 2B blocks); what files show of the shapes is not enough to list them."""
    attention = [f"{kind}_attn.{part}" for kind in ("self", "cross") for part in
                 ("q_proj", "k_proj", "v_proj", "output_proj", "q_norm", "k_norm")]  # fmt: skip
    modulation = [f"adaln_modulation_{part}.{step}" for part in ("self_attn", "cross_attn", "mlp") for step in (1, 2)]
    inside = [*attention, *modulation, "mlp.layer1", "mlp.layer2"]
    return {f"blocks.{block}.{part}.weight": (0,) for block in range(28) for part in inside}


def qwen3() -> dict[str, tuple[int, ...]]:
    """The names of Qwen3 0.6B, Anima's text encoder, without the `model.` that transformers puts in front."""
    attention = [f"self_attn.{part}" for part in ("q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm")]
    inside = [
        *attention,
        "mlp.gate_proj",
        "mlp.up_proj",
        "mlp.down_proj",
        "input_layernorm",
        "post_attention_layernorm",
    ]
    listed = [f"layers.{layer}.{part}.weight" for layer in range(28) for part in inside]
    return dict.fromkeys(["embed_tokens.weight", *listed, "norm.weight"], (0,))


COMPONENTS: dict[str, tuple[Callable[[Any], dict[str, tuple[int, ...]]], Rules]] = {
    "unet_sd1": (lambda of: of.diffusers_model("UNet2DConditionModel", cross_attention_dim=768),
                 Rules(ldm("0"), UNET_BLOCKS)),
    "unet_sd2": (lambda of: of.diffusers_model("UNet2DConditionModel", cross_attention_dim=1024,
                                               attention_head_dim=(5, 10, 20, 20), use_linear_projection=True),
                 Rules(ldm("0"), UNET_BLOCKS)),
    "unet_sdxl": (lambda of: of.diffusers_model(
        "UNet2DConditionModel", cross_attention_dim=2048, attention_head_dim=(5, 10, 20), use_linear_projection=True,
        block_out_channels=(320, 640, 1280), transformer_layers_per_block=(1, 2, 10), addition_embed_type="text_time",
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), addition_time_embed_dim=256,
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        projection_class_embeddings_input_dim=2816), Rules(ldm("2"), UNET_BLOCKS)),
    "vae": (lambda of: of.diffusers_model("AutoencoderKL", **VAE_SIZES), Rules(VAE)),
    "vae16": (lambda of: of.diffusers_model("AutoencoderKL", **VAE_SIZES, latent_channels=16, use_quant_conv=False,
                                            use_post_quant_conv=False), Rules(VAE)),
    "clip_l": (lambda of: of.clip(layers=12, width=768), Rules()),
    "clip_l_projected": (lambda of: of.clip(layers=12, width=768, projected=True), Rules()),
    "clip_h": (lambda of: of.clip(layers=24, width=1024), Rules(OPENCLIP)),
    "clip_g": (lambda of: of.clip(layers=32, width=1280, projected=True), Rules(OPENCLIP)),
    "t5": (lambda of: of.t5(), Rules()),
    "sd3": (lambda of: of.diffusers_model("SD3Transformer2DModel", num_layers=24, num_attention_heads=24,
                                          caption_projection_dim=1536), Rules(mmdit(23), DOUBLE_SINGLE)),
    "sd35_medium": (lambda of: of.diffusers_model(
        "SD3Transformer2DModel", num_layers=24, num_attention_heads=24, caption_projection_dim=1536, qk_norm="rms_norm",
        dual_attention_layers=tuple(range(13)), pos_embed_max_size=384), Rules(mmdit(23), DOUBLE_SINGLE)),
    "sd35_large": (lambda of: of.diffusers_model(
        "SD3Transformer2DModel", num_layers=38, num_attention_heads=38, caption_projection_dim=2432, qk_norm="rms_norm",
        pos_embed_max_size=192), Rules(mmdit(37), DOUBLE_SINGLE)),
    "flux": (lambda of: of.diffusers_model("FluxTransformer2DModel", guidance_embeds=True), Rules(FLUX, DOUBLE_SINGLE)),
    "chroma": (lambda of: of.diffusers_model("ChromaTransformer2DModel"), Rules(FLUX, DOUBLE_SINGLE)),
    "qwen_image": (lambda of: of.diffusers_model("QwenImageTransformer2DModel"), Rules((), DOUBLE_SINGLE)),
    "z_image": (lambda of: of.diffusers_model("ZImageTransformer2DModel"), Rules(Z_IMAGE, LAYERED)),
    "lumina2": (lambda of: of.diffusers_model("Lumina2Transformer2DModel", cap_feat_dim=2304), Rules(LUMINA2, LAYERED)),
    "krea2": (lambda of: of.diffusers_model("Krea2Transformer2DModel"), Rules(KREA2, DOUBLE_SINGLE)),
    "unet_lab": (lambda of: of.diffusers_model(
        "UNet2DConditionModel", in_channels=8, out_channels=8, block_out_channels=(64, 128, 160), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 3, up_block_types=("CrossAttnUpBlock2D",) * 3,
        norm_num_groups=16, cross_attention_dim=96,
        attention_head_dim=4), Rules((), LAB_BLOCKS)),
    "clip_lab": (lambda of: of.clip(layers=3, width=96, inner=288, words=669, length=40), Rules()),
    "vae_lab": (lambda of: of.diffusers_model("AutoencoderKL", **LAB_VAE), Rules()),
    "anima": (lambda _: anima(), Rules((), ((r"blocks\.(\d+)\.", "D{:02}"),), shapeless=True)),
    "qwen3": (lambda _: qwen3(), Rules((), (), shapeless=True)),
}  # fmt: skip
LAB_VAE: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (8, 16, 64, 96), "layers_per_block": 1, "latent_channels": 8, "norm_num_groups": 1,
    "mid_block_add_attention": False,
}  # fmt: skip
VAE_SIZES: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2,
}  # fmt: skip
