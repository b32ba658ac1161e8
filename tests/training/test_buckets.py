from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from eleven.training.buckets import batches, bucket, fitted

SIDES = st.integers(1, 5000)


@given(width=SIDES, height=SIDES, tiles=st.integers(1, 16), step=st.sampled_from([8, 16, 64]))
def test_a_bucket_fits_the_base_and_the_memory(width, height, tiles, step):
    found = bucket((width, height), tiles * step, step)
    assert all(side % step == 0 and side > 0 for side in found)
    assert found[0] * found[1] <= (tiles * step) ** 2
    assert max(found) <= 2 * tiles * step


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((100, 100), (512, 512)), ((3000, 2000), (640, 384)), ((2000, 3000), (384, 640)), ((9000, 100), (704, 320))],
)
def test_buckets_of_photos(size, wanted):
    width, height = bucket(size, 512, 64)
    assert abs((width / height) / (wanted[0] / wanted[1]) - 1) < 0.12


def test_a_wide_photo_is_cropped_in_the_middle():
    picture = Image.new("RGB", (300, 100), "black")
    picture.paste("white", (100, 0, 200, 100))
    found = fitted(picture, (64, 64))
    assert found.size == (64, 64)
    assert min(found.crop((4, 0, 60, 64)).convert("L").get_flattened_data()) > 250


def test_batches_hold_one_size_and_every_photo_equally_often():
    sizes = [(8, 8)] * 6 + [(8, 16)] * 2
    found = batches(sizes, 3, 400, seed=1)
    assert all(len({sizes[index] for index in chosen}) == 1 and len(chosen) == 3 for chosen in found)
    counts = Counter(index for chosen in found for index in chosen)
    assert max(counts.values()) - min(counts.values()) < 60
    assert found == batches(sizes, 3, 400, seed=1) != batches(sizes, 3, 400, seed=2)


def test_a_size_takes_every_photo_before_any_again():
    found = [index for chosen in batches([(8, 8)] * 5, 1, 20, seed=0) for index in chosen]
    assert all(sorted(found[begin : begin + 5]) == list(range(5)) for begin in range(0, 20, 5))
