"""What columns are for: which is the label, what it says, and what is never taken for one."""

import numpy as np
import pytest
from gantools.apps.anomaly.tables import rows
from gantools.apps.anomaly.tables.rows import Roles

from gantools.errors import UserError


def column(*values):
    return np.array(values, object)


def test_labels_are_numbers_or_words():
    labels, kinds = rows.labels_of({"y": np.array([0.0, 1, 2, np.nan])}, "y")
    assert labels.tolist() == [0, 1, 1, -1]
    labels, kinds = rows.labels_of({"y": column("normal.", "smurf.", "", "Good")}, "y")
    assert labels.tolist() == [0, 1, -1, 0]
    assert kinds == ["", "smurf.", "", ""]
    assert rows.labels_of({"y": column("True", "", "false")}, "y")[0].tolist() == [1, -1, 0]
    assert rows.labels_of({"a": column("x")}, None)[0].tolist() == [-1]
    with pytest.raises(UserError, match="Column 'y' never says normal"):
        rows.labels_of({"y": column("a", "b")}, "y")


def test_rows_to_score_may_all_be_anomalous():
    labels, kinds = rows.labels_of({"y": column("attack", "", "attack")}, "y", to_score=True)
    assert labels.tolist() == [1, -1, 1]
    assert kinds == ["attack", "", "attack"]


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (("none", "scratch", "None", "NA", ""), [0, 1, 0, -1, -1]),
        (("none", "none"), [0, 0]),
        (("good", "scratch", "none"), [0, 1, -1]),  # here another word says normal
        (("0", "1", "none"), [0, 1, -1]),
    ],
)
def test_none_is_normal_unless_another_word_is(cells, labels):
    assert rows.labels_of({"defect": column(*cells)}, "defect")[0].tolist() == labels


def test_roles_by_name_by_word_and_by_model():
    columns = {
        "Label": np.array([0.0, 1]),
        "split": column("train", "test"),
        "who": column("a", "b"),
    }
    found = rows.find_roles(columns, Roles())
    assert found == Roles("Label", None, None, "split")
    assert found.drop() == ("Label", "split")
    plain = {"label": np.array([0.1, 0.2]), "part": column("left", "right")}
    assert rows.find_roles(plain, Roles()) == Roles()
    assert rows.find_roles(columns, Roles(), {"groups": "who"}).groups == "who"
    assert rows.find_roles(columns, Roles(), {"groups": "gone"}).groups is None
    with pytest.raises(UserError, match="--groups ward: the table has Label, split, who"):
        rows.find_roles(columns, Roles(groups="ward"))


MEASURED = {
    "many whole numbers": np.arange(400.0) % 25,
    "fractions": np.arange(400) % 3 / 2,
    "texts of numbers": column(*(str(i % 25) for i in range(400))),
    "one value": np.ones(400),
    "words": column(*"abc"),
}
LABELS = {
    "0 and 1": np.arange(400.0) % 2,
    "few classes": np.arange(400.0) % 10,
    "with missing": np.array([0, 1, np.nan]),
    "truths": column("true", "false", ""),
    "words": column("ok", "crack"),
    "no defect": column("none", "scratch"),
    "so far 0": np.zeros(400),
    "so far normal": column("normal", "good", ""),
}


@pytest.mark.parametrize("name", MEASURED)
def test_measured_numbers_are_no_label(name):
    assert rows.find_roles({"y": MEASURED[name]}, Roles()).label is None
    assert rows.find_roles({"y": MEASURED[name]}, Roles("y")).label == "y"


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_found(name):
    assert rows.find_roles({"y": LABELS[name]}, Roles()).label == "y"


def test_a_label_that_says_both_goes_before_one_that_says_normal_only():
    columns = {"label": np.zeros(4), "defect": column("none", "crack", "none", "none")}
    assert rows.find_roles(columns, Roles()).label == "defect"


def test_a_column_that_the_model_reads_is_no_label():
    columns = {"y": np.array([0.0, 1]), "part": column("train", "test"), "class": column("ok", "x")}
    known = {"label": None, "features": ["y", "part"]}
    assert rows.find_roles(columns, Roles(), known) == Roles("class")


def test_what_was_taken_for_the_label_is_said():
    labels = np.array([0] * 36 + [1] * 364)
    assert rows.label_note("y", labels) == "Labels: column 'y', 36 normal, 364 anomalous."
    assert rows.label_note("y", np.array([0, 1, -1])).endswith("1 normal, 1 anomalous, 1 unknown.")
    assert rows.label_note(None, labels) == ""
