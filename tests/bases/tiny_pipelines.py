"""Tiny random pipelines of each family, with the parts that the real ones have, as diffusers folders."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    PNDMScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

FAMILIES = ("sd1", "sd2", "sdxl", "sd3", "flux")
WIDTH = 32
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = ("p h", "ph o", "t o</w>", "pho to</w>", "o f</w>", "c a", "ca t</w>")


def tiny_pipeline(family: str, folder: Path) -> Path:
    """The folder, with a pipeline of that family saved in it; always the same weights. About a megabyte."""
    with torch.random.fork_rng():
        torch.manual_seed(FAMILIES.index(family))
        BUILD[family]().save_pretrained(folder)
    return folder


def clip_tokenizer() -> CLIPTokenizer:
    """A byte-level tokenizer that joins a few words only, of at most 77 tokens."""
    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))]
    words = [*letters, *(letter + "</w>" for letter in letters), *(merge.replace(" ", "") for merge in MERGES)]
    vocabulary = {word: number for number, word in enumerate([*words, START, END])}
    pairs = [tuple(merge.split()) for merge in MERGES]
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=77)


def t5_tokenizer() -> T5Tokenizer:
    """A tokenizer of single letters."""
    letters = [(chr(code), -3.0) for code in range(33, 127)]
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), ("▁", -2.0)]
    return T5Tokenizer(vocab=[*special, *letters], extra_ids=0, model_max_length=32)


def clip(tokenizer: CLIPTokenizer, *, projected: bool = False, act: str = "quick_gelu") -> CLIPTextModel:
    """A CLIP text encoder of three layers."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        projection_dim=WIDTH,
        hidden_act=act,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def t5(width: int) -> T5EncoderModel:
    """A T5 encoder of two layers."""
    config = T5Config(vocab_size=98, d_model=width, d_kv=8, d_ff=2 * WIDTH, num_layers=2, num_heads=4)
    config.feed_forward_proj, config.is_gated_act, config.dense_act_fn = "gated-gelu", True, "gelu_new"
    return T5EncoderModel(config).eval()


def vae(channels: int = 4, **more: float) -> AutoencoderKL:
    """A picture encoder that halves the sides."""
    return AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=channels,
        sample_size=32,
        **more,
    ).eval()


def unet(**more: object) -> UNet2DConditionModel:
    """A denoiser with cross attention in one of its two levels."""
    told: dict[str, object] = {
        "sample_size": 16,
        "block_out_channels": (16, WIDTH),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "cross_attention_dim": WIDTH,
        "attention_head_dim": 2,
        "norm_num_groups": 8,
    }
    return UNet2DConditionModel(**(told | more)).eval()


def sd1() -> DiffusionPipeline:
    """Stable Diffusion 1: convolutions around the attention, noise predicted."""
    words = clip_tokenizer()
    return StableDiffusionPipeline(
        vae=vae(),
        text_encoder=clip(words),
        tokenizer=words,
        unet=unet(),
        scheduler=PNDMScheduler(**NOISE, skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sd2() -> DiffusionPipeline:
    """Stable Diffusion 2: linear layers around the attention, velocity predicted."""
    words = clip_tokenizer()
    return StableDiffusionPipeline(
        vae=vae(),
        text_encoder=clip(words, act="gelu"),
        tokenizer=words,
        unet=unet(use_linear_projection=True, attention_head_dim=(2, 4)),
        scheduler=DDIMScheduler(**NOISE, prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl() -> DiffusionPipeline:
    """Stable Diffusion XL: two text encoders, and the size as a condition."""
    words = clip_tokenizer()
    return StableDiffusionXLPipeline(
        vae=vae(scaling_factor=0.13025),
        text_encoder=clip(words),
        text_encoder_2=clip(words, projected=True, act="gelu"),
        tokenizer=words,
        tokenizer_2=clip_tokenizer(),
        unet=unet(
            use_linear_projection=True,
            attention_head_dim=(2, 4),
            transformer_layers_per_block=(1, 2),
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + WIDTH,
            cross_attention_dim=2 * WIDTH,
        ),
        scheduler=EulerDiscreteScheduler(**NOISE),
    )


def sd3() -> DiffusionPipeline:
    """Stable Diffusion 3: a transformer, three text encoders."""
    words = clip_tokenizer()
    denoiser = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=2 * WIDTH,
        caption_projection_dim=WIDTH,
        pooled_projection_dim=2 * WIDTH,
        out_channels=16,
        pos_embed_max_size=32,
    )
    return StableDiffusion3Pipeline(
        transformer=denoiser.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(16, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=clip(words, projected=True),
        tokenizer=words,
        text_encoder_2=clip(words, projected=True, act="gelu"),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=t5(2 * WIDTH),
        tokenizer_3=t5_tokenizer(),
    )


def flux() -> DiffusionPipeline:
    """FLUX.1: double and single blocks, the guidance as a condition."""
    words = clip_tokenizer()
    denoiser = FluxTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=vae(16, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=clip(words),
        tokenizer=words,
        text_encoder_2=t5(WIDTH),
        tokenizer_2=t5_tokenizer(),
        transformer=denoiser.eval(),
    )


BUILD = {"sd1": sd1, "sd2": sd2, "sdxl": sdxl, "sd3": sd3, "flux": flux}
