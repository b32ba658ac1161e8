"""A base is called by what its layers are, whatever class its pipeline has."""

from __future__ import annotations

import pytest
from skeletons import skeleton_pipeline

from eleven.bases.families import family_of
from eleven.layers.family import family


@pytest.mark.parametrize("name", ["lab", "sd1", "sd2", "sdxl", "sd3"])
def test_the_layers_tell_the_family(name):
    assert family_of(skeleton_pipeline(family(name))) == name


def test_a_pipeline_like_none_is_called_by_its_class():
    pipeline = skeleton_pipeline(family("lab"))
    pipeline.unet.register_parameter("more", pipeline.vae.get_parameter("quant_conv.weight"))
    assert family_of(pipeline) == "SimpleNamespace"
