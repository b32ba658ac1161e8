"""Some layers of each family, where its original layout keeps them: written by hand, not taken from Eleven's tables."""

from __future__ import annotations

from dataclasses import dataclass

UNET, TE_SD1 = "model.diffusion_model.", "cond_stage_model.transformer.text_model.encoder.layers."
TE1, TE2 = "conditioner.embedders.0.transformer.text_model.encoder.layers.", "conditioner.embedders.1.model."
TE_SD2 = "cond_stage_model.model.transformer.resblocks."
BLOCK = "transformer_blocks.0.attn1.to_q"


@dataclass(frozen=True)
class At:
    """One layer: the adapter's name and shape, and the checkpoint's key and rows; a diff where `full`."""

    adapter: str
    shape: tuple[int, ...]
    key: str
    rows: tuple[tuple[int, int], ...] = ()
    turned: bool = False
    full: bool = False


FAMILIES: dict[str, tuple[dict[str, tuple[int, ...]], tuple[At, ...]]] = {
    "sd1": (
        {
            f"{UNET}input_blocks.4.1.{BLOCK}.weight": (640, 640),
            f"{UNET}input_blocks.1.0.in_layers.2.weight": (320, 320, 3, 3),
            f"{UNET}input_blocks.4.1.proj_in.weight": (640, 640, 1, 1),
            f"{TE_SD1}3.self_attn.q_proj.weight": (768, 768),
            f"model_ema.diffusion_modelinput_blocks41{BLOCK.replace('.', '')}weight": (640, 640),
        },
        (
            At(
                "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q",
                (640, 640),
                f"{UNET}input_blocks.4.1.{BLOCK}.weight",
            ),
            At(
                "lora_unet_down_blocks_0_resnets_0_conv1",
                (320, 320, 3, 3),
                f"{UNET}input_blocks.1.0.in_layers.2.weight",
            ),
            At(
                "lora_unet_down_blocks_1_attentions_0_proj_in",
                (640, 640, 1, 1),
                f"{UNET}input_blocks.4.1.proj_in.weight",
                full=True,
            ),
            At(
                "lora_te_text_model_encoder_layers_3_self_attn_q_proj",
                (768, 768),
                f"{TE_SD1}3.self_attn.q_proj.weight",
            ),
        ),
    ),
    "sd2": (
        {f"{TE_SD2}1.attn.in_proj_weight": (3072, 1024), f"{TE_SD2}2.attn.in_proj_weight": (3072, 1024)},
        (
            At(
                "lora_te_text_model_encoder_layers_1_self_attn_k_proj",
                (1024, 1024),
                f"{TE_SD2}1.attn.in_proj_weight",
                rows=((1024, 2048),),
            ),
            At(
                "lora_te_text_model_encoder_layers_1_self_attn_q_proj",
                (1024, 1024),
                f"{TE_SD2}1.attn.in_proj_weight",
                rows=((0, 1024),),
                full=True,
            ),
            At(
                "lora_te_text_model_encoder_layers_2_self_attn_v_proj",
                (1024, 1024),
                f"{TE_SD2}2.attn.in_proj_weight",
                rows=((2048, 3072),),
            ),
        ),
    ),
    "sdxl": (
        {
            f"{UNET}input_blocks.4.1.{BLOCK}.weight": (640, 640),
            f"{TE1}0.mlp.fc1.weight": (3072, 768),
            f"{TE2}transformer.resblocks.5.attn.in_proj_weight": (3840, 1280),
            f"{TE2}text_projection": (1280, 1280),
        },
        (
            At(
                "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q",
                (640, 640),
                f"{UNET}input_blocks.4.1.{BLOCK}.weight",
            ),
            At("lora_te1_text_model_encoder_layers_0_mlp_fc1", (3072, 768), f"{TE1}0.mlp.fc1.weight"),
            At(
                "lora_te2_text_model_encoder_layers_5_self_attn_q_proj",
                (1280, 1280),
                f"{TE2}transformer.resblocks.5.attn.in_proj_weight",
                rows=((0, 1280),),
            ),
            At(
                "lora_te2_text_model_encoder_layers_5_self_attn_v_proj",
                (1280, 1280),
                f"{TE2}transformer.resblocks.5.attn.in_proj_weight",
                rows=((2560, 3840),),
            ),
            At("lora_te2_text_projection", (1280, 1280), f"{TE2}text_projection", turned=True),
        ),
    ),
    "sd3": (
        {
            f"{UNET}joint_blocks.2.x_block.attn.qkv.weight": (4608, 1536),
            f"{UNET}final_layer.adaLN_modulation.1.weight": (3072, 1536),
        },
        (
            At(
                "transformer.transformer_blocks.2.attn.to_v",
                (1536, 1536),
                f"{UNET}joint_blocks.2.x_block.attn.qkv.weight",
                rows=((3072, 4608),),
            ),
            At(
                "transformer.norm_out.linear",
                (3072, 1536),
                f"{UNET}final_layer.adaLN_modulation.1.weight",
                rows=((1536, 3072), (0, 1536)),
            ),
        ),
    ),
    "flux": (
        {f"{UNET}img_in.weight": (3072, 64)},
        (At("transformer.x_embedder", (3072, 64), f"{UNET}img_in.weight"),),
    ),
}
BIASES: dict[str, tuple[At, ...]] = {
    "sd1": (
        At("lora_unet_down_blocks_1_attentions_0_proj_in", (640,), f"{UNET}input_blocks.4.1.proj_in.bias"),
        At(
            "lora_te_text_model_final_layer_norm",
            (768,),
            "cond_stage_model.transformer.text_model.final_layer_norm.bias",
        ),
    ),
    "sd2": (
        At(
            "lora_te_text_model_encoder_layers_7_self_attn_k_proj",
            (1024,),
            f"{TE_SD2}7.attn.in_proj_bias",
            rows=((1024, 2048),),
        ),
    ),
    "sdxl": (
        At(
            "lora_te2_text_model_encoder_layers_5_self_attn_k_proj",
            (1280,),
            f"{TE2}transformer.resblocks.5.attn.in_proj_bias",
            rows=((1280, 2560),),
        ),
    ),
    "sd3": (At("transformer.proj_out", (64,), f"{UNET}final_layer.linear.bias"),),
    "flux": (
        At(
            "transformer.transformer_blocks.0.attn.to_v",
            (3072,),
            f"{UNET}double_blocks.0.img_attn.qkv.bias",
            rows=((6144, 9216),),
        ),
        At(
            "transformer.single_transformer_blocks.3.proj_mlp",
            (12288,),
            f"{UNET}single_blocks.3.linear1.bias",
            rows=((9216, 21504),),
        ),
        At(
            "transformer.norm_out.linear",
            (6144,),
            f"{UNET}final_layer.adaLN_modulation.1.bias",
            rows=((3072, 6144), (0, 3072)),
        ),
    ),
}
