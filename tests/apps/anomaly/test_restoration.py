"""A restorer beside the encoder: it draws for the cards and ranks nothing."""

import numpy as np
import pytest
from gantools.apps.anomaly import Detector, fitted, job, layouts
from gantools.apps.anomaly.detectors import efficientnet, redrawing
from gantools.apps.anomaly.detectors.redrawing import Redrawing
from gantools.apps.anomaly.settings import Settings

from gantools import cli
from gantools.errors import DONE, USAGE, UserError


def run(*args):
    return cli.main(["anomaly", *map(str, args)])


class Short(Redrawing):
    """One whose steps do not depend on the clock."""

    def __init__(self, view, size="tiny", steps=20, **options):
        super().__init__(view, size, steps=steps, **options)


@pytest.mark.skipif(not efficientnet.is_installed(), reason="needs the extra [encoder]")
def test_the_cards_show_a_restoration_and_the_scores_stay(tile_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(redrawing, "Redrawing", Short)
    looked, lines, shares = job.look(layouts.find(tile_folder)), [], []
    plain = job.fit(looked, Settings("encoder"))
    drawn = job.fit(
        looked, Settings("encoder", restoration=True), say=lines.append, progress=shares.append
    )
    assert any("A restorer for the cards is trained on the same, 2 minutes." in t for t in lines)
    assert shares == sorted(shares) and shares[-1] == 1.0  # the encoder's own are not among them
    items, reader = looked.collection.of("test"), looked.reader
    one, other = (model.score(reader, items) for model in (plain, drawn))
    assert one.scores.tobytes() == other.scores.tobytes()
    picture = fitted.loading.to_levels(reader.pixels(items[0]), drawn.levels)
    assert plain.restored(picture) is None and drawn.restored(picture).shape == (32, 32, 1)
    drawn.save(tmp_path / "model")
    again = fitted.Fitted.load(tmp_path / "model")
    assert np.array_equal(again.restored(picture), drawn.restored(picture))
    test, model, out = tile_folder / "test", tmp_path / "model", tmp_path / "out"
    assert run("score", "--data", test, "--model", model, "-o", out, "-q") == DONE
    report = (out / "report.html").read_text()
    assert report.count('class="restored"') == 20
    assert "drawn by a restoration GAN, which ranks nothing" in report


def test_it_is_for_the_encoder_only_and_no_other_model_takes_its_place(tile_folder, tmp_path,
                                                                       capsys):  # fmt: skip
    for name in ("restorer", "references", "alad"):
        with pytest.raises(UserError, match=f"--restoration is for the encoder.*{name}"):
            Settings(name, restoration=True)
    assert Settings(restoration=True).changed(Settings().to_dict()) == ["restoration False -> True"]
    with pytest.raises(UserError, match="--restoration draws pictures"):
        Detector(restoration=True).fit(np.random.default_rng(0).normal(size=(100, 3)))
    out = tmp_path / "out"
    options = ("--data", tile_folder, "-o", out, "--detector", "references")
    assert run(*options, "--restoration") == USAGE
    assert "--restoration is for the encoder" in capsys.readouterr().err
    assert run(*options, "--faithful") == USAGE
    assert "--faithful: expected --detector anogan" in capsys.readouterr().err
    assert not (out / "report.html").exists()
