import pytest
from gantools.apps.superres import model, tiles
from gantools.apps.superres.estimate import PROCESS, estimate, tile_for
from gantools.apps.superres.upscaler import Upscaler

from gantools.errors import UserError


def test_a_smaller_budget_makes_smaller_tiles():
    network = model.load("fast", 4)
    sides = [tile_for(mega << 20, network) for mega in (200, 300, 500, 1000, 4000)]
    assert sides == sorted(sides)
    assert sides[-1] == tiles.LARGEST
    assert sides[0] < 300
    assert all(side % tiles.STEP == 0 for side in sides)
    with pytest.raises(UserError, match="needs at least"):
        tile_for(PROCESS, network)


def test_more_pixels_need_more(make_network):
    upscaler = Upscaler(make_network())
    small = estimate(upscaler, 100, 100, 3, (400, 400))
    large = estimate(upscaler, 3000, 3000, 3, (12000, 12000))
    assert large.seconds > 50 * small.seconds
    assert small.memory < large.memory
    assert large.memory < 1 << 30  # bands, not the whole
    whole = estimate(upscaler, 3000, 3000, 3, (12000, 12000), whole=True)
    assert whole.memory - large.memory == 2 * 12000 * 12000 * 3
    assert small.largest == 400 * 400 * 3
