import numpy as np
from gantools.apps.anomaly.scans.foreground import foreground


def test_foreground_of_a_disc_and_of_a_texture():
    y, x = np.mgrid[:64, :64]
    disc = ((y - 30) ** 2 + (x - 34) ** 2 < 400) & ~((y - 30) ** 2 + (x - 34) ** 2 < 25)
    noise = np.random.default_rng(0).normal(0, 0.02, (64, 64))
    picture = (np.where(disc, 0.5, -0.98) + noise).clip(-1, 1).astype(np.float32)[..., None]
    found = foreground(picture)
    filled = (y - 30) ** 2 + (x - 34) ** 2 < 400
    assert (found == filled).mean() > 0.95  # a ring of one pixel is blurred in
    assert found[30, 34]  # the hole belongs to it
    texture = np.random.default_rng(1).uniform(-0.5, 0.5, (64, 64, 1)).astype(np.float32)
    assert foreground(texture).all()
