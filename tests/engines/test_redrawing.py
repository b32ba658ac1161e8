import numpy as np

from eleven.bases.opening import open_base
from eleven.engines.redrawing import redraw
from eleven.lab.people import concept


def test_a_photo_comes_back_as_the_base_can_draw_it():
    base = open_base("lab")
    photos = concept("ada").photos(3)
    redrawn = redraw(base, photos)
    off = [np.abs(a.astype(float) - b).mean() for a, b in zip(photos, redrawn, strict=True)]
    others = [np.abs(photos[0].astype(float) - b).mean() for b in redrawn[1:]]
    assert all(one.shape == (96, 96, 3) and one.dtype == np.uint8 for one in redrawn)
    assert max(off) < 8 < min(others)


def test_photos_of_any_shape_are_brought_to_the_base_size():
    wide = np.full((40, 300, 3), 90, np.uint8)
    (redrawn,) = redraw(open_base("lab"), [wide])
    height, width = redrawn.shape[:2]
    assert height % 8 == width % 8 == 0
    assert width > 5 * height
    assert abs(int(redrawn.mean()) - 90) < 12
