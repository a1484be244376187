"""What a job says of how its scores were made."""

from types import SimpleNamespace

import numpy as np
import pytest
from gantools.apps.anomaly.calibration.calibrate import Rule
from gantools.apps.anomaly.reporting import wording


def told(kind, ranking, **settings):
    """Return the sentences of the section "method" as one text."""
    model = {"kind": kind, "fit": 80, "calibration": (20, 30), "settings": {"seed": 3, **settings}}
    judge = SimpleNamespace(ranking=ranking, is_grouped=False, is_crossed=False)
    return " ".join(wording.method(SimpleNamespace(model=model, judge=judge)))


@pytest.mark.parametrize(
    ("kind", "ranking", "settings", "wanted", "drawn"),
    [("restorer", ("place_top", "ssim"), {}, "learnt to undo damage on normals", False),
     ("restorer", ("near_top",), {}, "those of the most similar normals there", True),
     ("encoder", ("enc_near_few",), {}, "features of EfficientNet-Lite0", False),
     ("encoder", ("enc_near_few",), {"restoration": True}, "EfficientNet-Lite0", True),
     ("alad", ("alad",), {"faithful": True}, "alad of the literature, as published, ranks", False)],
)  # fmt: skip
def test_what_ranks_and_what_only_draws(kind, ranking, settings, wanted, drawn):
    text = told(kind, ranking, **settings)
    assert wanted in text and (wording.DRAWN in text) == drawn
    assert f"Parts that rank, with equal weight: {', '.join(ranking)}." in text
    assert "Fitted on 80 normals; 20 others scale the parts and 30 more give" in text


@pytest.mark.parametrize(("few", "first"), [("", "A row beats"), ("Too few", "0 of 9 items look")])
def test_that_a_row_is_better_comes_first_where_it_can_be_known(few, first):
    scored = SimpleNamespace(p=np.full(9, 0.5), groups={}, errors={}, halves=())
    judge = SimpleNamespace(sentence=lambda rule: "", seen_groups=lambda groups: [False] * 9)
    outcome = SimpleNamespace(
        scored=scored, judge=judge, lights=(), items=[SimpleNamespace(group=None)] * 9,
        group_rules=lambda *_: {},
    )  # fmt: skip
    found = SimpleNamespace(few=few, sentence=few or "A row beats", difference=(-0.2, -1, -0.1))
    lines = wording.sentences(outcome, Rule.of(99, 0.05), found)
    assert lines[0].startswith(first) and found.sentence in lines[:2]
