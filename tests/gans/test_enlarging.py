"""What the games that enlarge pictures share."""

from gantools.gans.enlarging import generator_weights


def test_weights_are_those_of_the_terms_that_there_are():
    settings = {"adversarial": 1e-3, "matching": 0.1, "pretrain": 10, "vgg": None}
    weights = generator_weights(settings, vgg=0.006, pixels=0.5)
    assert {name: (w.start, w.end) for name, w in weights.items()} == {
        "adv": (0.0, 1e-3), "matching": (0.0, 0.1), "pixels": (1.0, 1.0),
    }  # fmt: skip
    weights = generator_weights({**settings, "vgg": "path"}, vgg=0.006, pixels=0.5)
    assert {name: (w.start, w.end) for name, w in weights.items()} == {
        "adv": (0.0, 1e-3), "vgg": (0.0, 0.006), "pixels": (1.0, 0.5),
    }  # fmt: skip
