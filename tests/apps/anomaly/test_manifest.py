"""Lists of pictures: which table is one, and what it says of each."""

import pytest
from gantools.apps.anomaly import layouts

from gantools.errors import UserError

from .test_layouts import put


def test_manifest(tmp_path):
    put(tmp_path, "a/1.png", "a/2.png", "b/3.png", *(f"c/{i}.png" for i in range(17)))
    rows = ["image_path;split;diagnosis;patient;kvp"]
    rows += ["a/1.png;train;normal;p1;80", "a/2.png;val;normal;p2;80", "b/3.png;test;mass;p3;90"]
    rows += [f"c/{i}.png;test;no finding;q{i};{i}" for i in range(17)] + [
        "c/lost.png;test;mass;z;1"
    ]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    found = layouts.find(tmp_path)
    assert found.layout == "manifest"
    (lost,) = (item for item in found.items if item.trouble)
    assert (lost.name, lost.part, lost.label, lost.group) == ("c/lost.png", "test", 1, "z")
    assert "no such file" in lost.trouble
    first = found.items[0]
    assert (first.name, first.part, first.label, first.group) == ("a/1.png", "train", 0, "p1")
    assert first.facts == (("kvp", 80.0),)
    assert [i.name for i in found.items if i.kind == "mass"] == ["b/3.png", "c/lost.png"]
    assert len(found.of("val")) == 1
    assert "21 groups" in found.description


def passed_over(found):
    """Return why each table beside the pictures is not read."""
    told = [note.partition("beside the pictures is not read: ") for note in found.notes]
    assert all(
        start.startswith("warning:") and "--manifest" in why for start, _, why in told if why
    )
    return [why.partition(". Give")[0] for _, _, why in told if why]


def test_manifest_needs_nine_of_ten_files(tmp_path):
    put(tmp_path, "1.png", "2.png")
    (tmp_path / "list.csv").write_text("file\n1.png\n2.png\nlost.png\n")
    found = layouts.find(tmp_path)
    assert found.layout == "flat"
    assert passed_over(found) == ["no column of it names existing files in 90 % of its rows"]
    with pytest.raises(UserError, match="90 %"):
        layouts.find(tmp_path, manifest=tmp_path / "list.csv")


def test_a_table_in_another_encoding_stops_nothing_unless_it_is_named(tmp_path):
    put(tmp_path, "1.png", "2.png")
    (tmp_path / "notes.csv").write_bytes("Größe,Maß\n1,2\n".encode("latin-1"))
    found = layouts.find(tmp_path)
    assert found.layout == "flat"
    (why,) = passed_over(found)
    assert "Cannot read" in why and "utf-8" in why
    with pytest.raises(UserError, match="Cannot read"):
        layouts.find(tmp_path, manifest=tmp_path / "notes.csv")


def test_every_table_that_is_not_read_is_told_of(tmp_path):
    put(tmp_path, "1.png", "2.png")
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("file,label\n1.png,0\n2.png,1\n")
    found = layouts.find(tmp_path)
    assert [item.label for item in found.items] == [0, 1]
    assert passed_over(found) == ["a.csv lists them"]
    for i in range(5):
        (tmp_path / f"{i}.csv").write_text("x\n1\n")
    found = layouts.find(tmp_path)
    assert found.layout == "flat"
    assert any(note.startswith("warning: 7 tables (0.csv") for note in found.notes)
    assert not any("warning" in note for note in layouts.find(tmp_path / "a.csv").notes)


NAMES = {
    "below the list": ("a/1.png", "b/2.png", "3.png"),
    "without a folder": ("1.png", "2.png", "3.png"),
    "without a suffix": ("a/1", "b/2", "3"),
    "without both": ("1", "2", "3"),
}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("heading", ["image", "id"])
def test_pictures_are_listed_by_names_that_only_one_has(tmp_path, kind, heading):
    put(tmp_path, "img/a/1.png", "img/b/2.png", "img/3.png", "masks/3.png")
    names = NAMES[kind]
    rows = [f"{name} ,{i % 2},{40 + i}" for i, name in enumerate(names)]
    (tmp_path / "labels.csv").write_text("\n".join([f"{heading},label,age", *rows]))
    found = layouts.find(tmp_path)
    assert (found.layout, passed_over(found)) == ("manifest", [])
    assert {item.name: item.label for item in found.items} == {
        "img/a/1.png": 0, "img/b/2.png": 1, "img/3.png": 0
    }  # fmt: skip
    assert not any(item.trouble for item in found.items)


def test_names_that_several_pictures_have_list_none(tmp_path):
    put(tmp_path, "a/1.png", "b/1.png", *(f"a/{i}.png" for i in range(30, 60)))
    (tmp_path / "labels.csv").write_text("image,label\n1.png,0\n")
    assert layouts.find(tmp_path).layout == "flat"
    ages = "\n".join(f"{30 + i % 20},{i % 2}" for i in range(60))
    (tmp_path / "labels.csv").write_text("age,label\n" + ages)  # each is the name of a picture
    found = layouts.find(tmp_path)
    assert found.layout == "flat" and len(passed_over(found)) == 1


def test_numbers_as_classes_zero_is_normal(tmp_path):
    put(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "m.csv").write_text("file,class,split\n1.png,0,train\n2.png,2,test\n3.png,1,test\n")
    assert [item.label for item in layouts.find(tmp_path).items] == [0, 1, 1]


@pytest.mark.parametrize("words", [("False", "True", "true"), ("0.0", "1.0", "1.0")])
@pytest.mark.parametrize("heading", ["anomaly", "defect"])
def test_truths_as_labels(tmp_path, words, heading):
    put(tmp_path, "a/1.png", "a/2.png", "a/3.png", "a/4.png")
    rows = [f"a/{i + 1}.png,{word}" for i, word in enumerate((*words, ""))]
    (tmp_path / "m.csv").write_text("\n".join([f"file,{heading}", *rows]))
    items = layouts.find(tmp_path).items
    assert [item.label for item in items] == [0, 1, 1, None]
    assert {item.kind for item in items} == {"a"}


def test_rows_of_a_list_without_a_file(tmp_path):
    put(tmp_path, *(f"{i}.png" for i in range(30)))
    rows = ["file,label", *(f"{i}.png,0" for i in range(30)), ",", ",1"]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    found = layouts.find(tmp_path)
    lost = [item for item in found.items if item.trouble]
    assert [(item.name, item.label) for item in lost] == [("row 32 of list.csv", 1)]


def test_a_large_table_is_not_read_whole_to_see_that_it_lists_no_files(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 5000)
    limits = []
    read = layouts.lists.read_rows
    monkeypatch.setattr(
        layouts.lists, "read_rows", lambda f, n=None: limits.append(n) or read(f, n)
    )
    assert layouts.find(tmp_path).layout == "table"
    assert limits == [layouts.lists.PROBE]


def test_pictures_listed_in_other_words_are_not_left_out(tmp_path):
    put(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "list.csv").write_text("file\nb/../a/1.png\n./b/2.png\n")
    assert layouts.find(tmp_path).skipped == ()


def test_a_picture_that_is_listed_twice_is_one_item(tmp_path):
    put(tmp_path, "a/1.png", "a/2.png", "a/3.png")
    rows = ["a/1.png,0,train,none", "a/2.png,0,train,none", "a/1.png,1,test,mass"]
    rows += ["./a/1.png,1,train,node", "a/3.png,,train,", "a/3.png,0,train,none"]
    (tmp_path / "m.csv").write_text("\n".join(["file,label,split,finding", *rows]))
    found = layouts.find(tmp_path)
    assert [(i.name, i.label, i.part, i.kind) for i in found.items] == [
        ("a/1.png", 1, "test", "mass"), ("a/2.png", 0, "train", "none"),
        ("a/3.png", 0, "train", "none"),
    ]  # fmt: skip
    assert any(note.startswith("3 rows list a picture again") for note in found.notes)


def test_words_of_a_split_are_known_or_refused(tmp_path):
    put(tmp_path, "1.png", "2.png", "3.png")

    def parts(heading, *words):
        rows = [f"{i + 1}.png,{word}" for i, word in enumerate(words)]
        (tmp_path / "m.csv").write_text("\n".join([f"file,{heading}", *rows]))
        found = layouts.find(tmp_path)
        return [item.part for item in found.items], " ".join(found.notes)

    assert parts("split", "train", "evaluation", "eval")[0] == ["train", "test", "test"]
    assert parts("split", "Training", "", "VAL")[0] == ["train", "train", "val"]
    for heading, word in (("split", "evaluatoin"), ("part", "calib"), ("subset", "B")):
        with pytest.raises(UserError, match=f"column '{heading}'.*Received: {word}. Change"):
            parts(heading, "train", word, "test")
    with pytest.raises(UserError, match="Received: A, B"):
        parts("split", "A", "B", "A")
    for heading in ("fold", "Part", "set"):
        found, told = parts(heading, "0", "1", "2")
        assert found == ["train"] * 3
        assert f"Column '{heading}' is not used" in told
    assert parts("fold,split", "0,train", "1,test", "2,test")[0] == ["train", "test", "test"]


def test_a_manifest_that_would_not_be_read_is_refused(tmp_path):
    put(tmp_path, "1.png", "2.png")
    (tmp_path / "list.csv").write_text("file\n1.png\n")
    with pytest.raises(UserError, match="--manifest .* would not be read by the layout 'flat'"):
        layouts.find(tmp_path, "flat", manifest=tmp_path / "list.csv")
    assert layouts.find(tmp_path, "manifest", manifest=tmp_path / "list.csv").layout == "manifest"
