"""Puts the trained parts together as a diffusers folder: src/eleven/lab/base, and the eye beside it.

UNet and autoencoder are in half precision; the text encoder is not, since transformers keeps the precision of a file,
and diffusers alone would run the one in half and the other in single.

python tools/lab/ship.py --work DIR [--to FOLDER]
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from train_unet import latents_of, make_scheduler, make_unet, trained_autoencoder
from words import make_text_encoder, make_tokenizer

LAB = Path(__file__).resolve().parents[2] / "src" / "eleven" / "lab"


def assembled(work: Path) -> StableDiffusionPipeline:
    """The pipeline with the averaged weights."""
    weights = torch.load(work / "base.pt", weights_only=True)["average"]
    tokenizer, unet, vae = make_tokenizer(), make_unet(), trained_autoencoder(work)
    text = make_text_encoder(tokenizer)
    for name, network in (("unet.", unet), ("text.", text)):
        network.load_state_dict(
            {key.removeprefix(name): weight for key, weight in weights.items() if key.startswith(name)}
        )
    vae.register_to_config(scaling_factor=latents_of(work)[1])
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text.eval(),
        tokenizer=tokenizer,
        unet=unet.eval(),
        scheduler=make_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def main() -> None:
    """Writes the folder and copies the eye, where it is trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="where the training scripts kept their states")
    parser.add_argument("--to", type=Path, default=LAB / "base")
    options = parser.parse_args()
    pipeline = assembled(options.work)
    pipeline.unet.half()
    pipeline.vae.half()
    pipeline.save_pretrained(options.to)
    if (eye := options.work / "eye.safetensors").exists():
        shutil.copyfile(eye, LAB / "eye.safetensors")
    size = sum(path.stat().st_size for path in options.to.rglob("*") if path.is_file())
    print(f"{options.to}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
