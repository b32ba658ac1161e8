"""The lab's concepts: their photos are theirs, differ from each other, and can be written for training."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eleven.errors import UsageError
from eleven.lab.captions import is_old
from eleven.lab.people import CONCEPTS, REFERENCES, TRAINING, concept, write_photos
from eleven.lab.person import FRECKLED


def test_one_is_old_and_one_is_no_person():
    ada, otto, minka = (concept(name) for name in ("ada", "otto", "minka"))
    assert is_old(otto.person)
    assert otto.person.freckles > FRECKLED
    assert not is_old(ada.person)
    assert minka.person.kind == "cat"


def test_names_that_nobody_has_are_told():
    with pytest.raises(UsageError, match="nobody called 'bob'") as told:
        concept("bob")
    assert "ada, otto, minka" in told.value.hint


@pytest.mark.parametrize("one", CONCEPTS, ids=lambda one: one.name)
def test_photos_are_many_and_all_different(one):
    photos = one.photos(TRAINING + REFERENCES)
    assert len(photos) == len(one.captions) == 36
    assert len({photo.tobytes() for photo in photos}) == 36
    assert all(caption.startswith(f"photo of {one.trigger}, ") for caption in one.captions)
    assert len(set(one.captions)) > 20


def test_written_photos_are_the_photos_with_their_captions(tmp_path):
    one = concept("minka")
    written = write_photos(one, tmp_path / "references", first=TRAINING, count=REFERENCES)
    assert [path.name for path in written] == [f"{number}.png" for number in range(24, 36)]
    for path, pixels, caption in zip(written, one.photos(12, 24), one.captions[24:], strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), pixels)
        assert path.with_suffix(".txt").read_text("utf-8") == caption
