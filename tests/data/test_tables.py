import gzip

import numpy as np
import pytest

from gantools.data.tables import column, from_frame, number, read_table
from gantools.errors import MISSING_EXTRA, UserError


def write(tmp_path, text, name="t.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def test_numbers_text_and_missing_cells(tmp_path):
    text = 'a,b,"c, d",e\n1,x,?,\n2.5,,NA,7\n nan ,"y ""z""",3,1e3\n'
    table = read_table(write(tmp_path, text))
    assert list(table) == ["a", "b", "c, d", "e"]
    np.testing.assert_array_equal(table["a"], [1, 2.5, np.nan])
    assert table["b"].tolist() == ["x", "", 'y "z"']
    np.testing.assert_array_equal(table["c, d"], [np.nan, np.nan, 3])
    np.testing.assert_array_equal(table["e"], [np.nan, 7, 1000])


def test_mixed_column_stays_text(tmp_path):
    table = read_table(write(tmp_path, "a\n1\n2\nthree\nnull\n"))
    assert table["a"].tolist() == ["1", "2", "three", ""]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_is_found(tmp_path, delimiter):
    table = read_table(write(tmp_path, f"\ufeffa{delimiter}b\r\n1{delimiter}u\r\n"))
    assert list(table) == ["a", "b"] and table["b"][0] == "u"


def test_no_heading_and_doubled_names(tmp_path):
    assert list(read_table(write(tmp_path, "1,x\n2,y\n"))) == ["column 1", "column 2"]
    assert list(read_table(write(tmp_path, "a,a,\n1,2,3\n"))) == ["a", "a_2", "column 3"]


def test_gzip_blank_lines_and_many_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("gantools.data.tables.BLOCK", 10)
    rows = "".join(f"{i},{'ab'[i % 2]}\n\n" for i in range(35))
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(f"n,t\n{rows}".encode()))
    table = read_table(path)
    assert table["n"].tolist() == list(range(35)) and set(table["t"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "empty"), ("a,b\n", "no rows"), ("a,b\n1,2\n1,2,3\n", "row 3 has 3 cells")],
)
def test_unusable_tables_get_a_sentence(tmp_path, text, words):
    with pytest.raises(UserError, match=words):
        read_table(write(tmp_path, text))


def test_unreadable_files_get_a_sentence(tmp_path):
    with pytest.raises(UserError, match="Cannot read"):
        read_table(tmp_path / "missing.csv")
    with pytest.raises(UserError, match="UTF-8"):
        read_table(write(tmp_path, "ä\nö\n", encoding="latin-1"))
    (tmp_path / "t.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(UserError, match="Cannot read"):
        read_table(tmp_path / "t.csv.gz")


def test_arrays_of_any_dtype():
    assert column(np.array([True, False])).tolist() == [1, 0]
    dates = np.array(["2024-05-31T14:00", "NaT"], "datetime64[s]")
    assert column(dates).tolist() == ["2024-05-31T14:00:00", ""]
    assert column(np.array(["a", None, float("nan")], object)).tolist() == ["a", "", ""]
    np.testing.assert_array_equal(column(np.array([1, None], object)), [1, np.nan])
    assert list(from_frame({"x": [1, 2], "y": ["a", "b"]})) == ["x", "y"]


def test_parquet_needs_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"gantools\[tables\]") as error:
        read_table(tmp_path / "t.parquet")
    assert error.value.code == MISSING_EXTRA


def test_parquet_equals_csv(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    data = {"n": [1.5, None, 3], "i": [1, 2, 3], "t": ["a", None, "b"], "b": [True, False, True]}
    parquet.write_table(pa.table(data), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    twin = read_table(write(tmp_path, "n,i,t,b\n1.5,1,a,1\n,2,,0\n3,3,b,1\n"))
    assert list(table) == list(twin)
    for name in table:
        np.testing.assert_array_equal(table[name], twin[name])
    write(tmp_path, "no parquet", "u.parquet")
    with pytest.raises(UserError, match="Cannot read"):
        read_table(tmp_path / "u.parquet")


@pytest.mark.parametrize("name", ["Na", "None", "inf", "null"])
def test_names_that_read_like_missing_values_are_names(tmp_path, name):
    path = tmp_path / "glass.csv"
    path.write_text(f"RI,{name},Mg\n1.5,13.6,4.4\n1.6,13.1,3.2\n")
    columns = read_table(path)
    assert list(columns) == ["RI", name, "Mg"]
    assert columns[name].tolist() == [13.6, 13.1]


NUMBERS = {
    "7": 7, "-7": -7, "+0.50": 0.5, "0": 0, "-0.5": -0.5, "1e05": 1e5, "1E+05": 1e5, "5.": 5,
    "inf": np.inf, "9007199254740992": 2**53, "12345678901234567.25": 12345678901234568,
}  # fmt: skip
NAMES = ["007", "-01", "00.5", "7_4", "1_000.5", "12345678901234567", "9" * 5000, "1,5", "x"]


def test_identifiers_are_no_numbers():
    assert {text: number(text) for text in NUMBERS} == NUMBERS
    assert [text for text in NAMES if number(text) is not None] == []
    assert all(np.isnan(number(text)) for text in ("", " NA ", "null", "?"))


def test_identifiers_keep_every_digit(tmp_path):
    text = "a,b,c,d\n007,90000000000000001,1_23,1\n7,90000000000000003,12_3,2\n"
    table = read_table(write(tmp_path, text))
    assert table["a"].tolist() == ["007", "7"]
    assert table["b"].tolist() == ["90000000000000001", "90000000000000003"]
    assert table["c"].tolist() == ["1_23", "12_3"]
    assert table["d"].tolist() == [1, 2]
    whole = np.array([2**60, 2**60 + 1])
    for form in (whole, whole.astype(np.uint64), whole.astype(object)):
        assert len(set(column(form).tolist())) == 2
    assert column(np.array([2**53, -(2**53)])).dtype == np.float64


def test_texts_of_the_file_are_kept_on_demand(tmp_path):
    path = write(tmp_path, "code,defect,x\n 01,none,1\n1.50,NA,2\n")
    table = read_table(path, lambda name: name != "x")
    assert {name: texts.tolist() for name, texts in table.texts.items()} == {
        "code": ["01", "1.50"], "defect": ["none", "NA"],
    }  # fmt: skip
    assert np.isnan(table["defect"]).all()
    assert not read_table(path).texts
    frame = from_frame({"code": np.array(["1", "1.50"], object), "x": [1, 2]}, lambda name: True)
    assert frame["code"].tolist() == [1, 1.5]
    assert list(frame.texts) == ["code"]  # numbers have no other text
    assert frame.texts["code"].tolist() == ["1", "1.50"]


def test_rows_have_the_numbers_of_a_spreadsheet(tmp_path):
    assert read_table(write(tmp_path, "a,b\n1,2\n\n\n3,4\n")).records.tolist() == [2, 5]
    assert read_table(write(tmp_path, "1,2\n3,4\n")).records.tolist() == [1, 2]
    assert read_table(write(tmp_path, "\n\na,b\n1,2\n")).records.tolist() == [4]
    assert read_table(write(tmp_path, '"a\nb",c\n"x\ny",2\n3,4\n')).records.tolist() == [2, 3]
    with pytest.raises(UserError, match="row 5 has 1 cells"):
        read_table(write(tmp_path, "a,b\n1,2\n\n\n3\n"))
    assert from_frame({"a": [1, 2]}).records.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ('"Weight, kg";"Height, cm"', ["Weight, kg", "Height, cm"]),
        ('"Gewicht\n(kg, netto)";"Alter\n(a,b,c)"', ["Gewicht\n(kg, netto)", "Alter\n(a,b,c)"]),
        ('"say ""a, b, c""";b', ['say "a, b, c"', "b"]),
        ('5" pipe;a "b" d', ['5" pipe', 'a "b" d']),
        ('"a";"b,c,d"', ["a", "b,c,d"]),
    ],
)
def test_what_divides_cells_is_outside_quotes(tmp_path, head, names):
    table = read_table(write(tmp_path, f"{head}\n1;2\n3;4\n"))
    assert list(table) == names
    assert table[names[1]].tolist() == [2, 4]


COMMAS = {"3,5": 3.5, "-0,25": -0.25, "+1,0": 1, "1.234,5": 1234.5, "1,5E-03": 0.0015, "7": 7}


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("heading", [True, False])
def test_decimal_commas_where_no_comma_divides(tmp_path, delimiter, heading):
    rows = [f"{text}{delimiter}x{delimiter}" for text in COMMAS]
    if heading:
        rows.insert(0, delimiter.join(["size", "word", "void"]))
    table = read_table(write(tmp_path, "\n".join(rows)), lambda name: True)
    name = next(iter(table))
    assert name == ("size" if heading else "column 1") and len(table) == 3
    assert table[name].tolist() == list(COMMAS.values())
    strange = read_table(write(tmp_path, "\n".join([*rows, f"n,5{delimiter}x{delimiter}"])))
    assert [number(text) for text in strange[name]] == [*COMMAS.values(), None]


def test_commas_that_may_be_of_thousands_or_names_stay_texts(tmp_path):
    text = "a\tb\n1,234\t1,2\n5,000\t0,125\n"
    table = read_table(write(tmp_path, text))
    assert table["a"].tolist() == ["1,234", "5,000"] and table["b"].tolist() == [1.2, 0.125]
    table = read_table(write(tmp_path, text.replace("\t", ";")))
    assert table["a"].tolist() == [1.234, 5]
    table = read_table(write(tmp_path, 'a,b\n"1,5",2\n"2,5",3\n'))
    assert table["a"].tolist() == ["1,5", "2,5"]
    table = read_table(write(tmp_path, "a;b\n1,2,3;007,5\n,5;1,\n"))
    assert table["a"].tolist() == ["1,2,3", ",5"] and table["b"].tolist() == ["007,5", "1,"]


def test_a_quote_that_nobody_closed_is_not_searched_for_ever(tmp_path):
    rows = "".join(f"{i};{i}\n" for i in range(300))
    with pytest.raises(UserError, match="row 1|no rows"):
        read_table(write(tmp_path, f'"a;b;c\n{rows}'))


def test_missing_values_of_pandas():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({
        "word": pd.array(["x", None], "string"), "truth": pd.array([True, None], "boolean"),
        "whole": pd.array([2**60 + 1, None], "Int64"), "any": np.array([pd.NA, 1], object),
        "class": pd.Categorical(["x", None]), "small": pd.array([1, None], "Int64"),
    })  # fmt: skip
    table = from_frame(frame)
    assert table["word"].tolist() == ["x", ""] == table["class"].tolist()
    assert table["whole"].tolist() == ["1152921504606846977", ""]
    for name in ("truth", "small"):
        np.testing.assert_array_equal(table[name], [1, np.nan])
    np.testing.assert_array_equal(table["any"], [np.nan, 1])


def test_frames_that_are_no_tables_get_a_sentence():
    pd = pytest.importorskip("pandas")
    with pytest.raises(UserError, match="Column 'a' is there 2 times"):
        from_frame(pd.DataFrame(np.zeros((3, 2)), columns=["a", "a"]))
    with pytest.raises(UserError, match="'a' has 3, 'b' has 2"):
        from_frame({"a": [1, 2, 3], "b": [1, 2]})
    for cells in ([[1, 2], [3, 4]], [[1], [2, 3]], pd.Series([[1], [2, 3]]), np.zeros((2, 2))):
        with pytest.raises(UserError, match="Column 'b' has"):
            from_frame({"a": [1, 2], "b": cells})


def test_parquet_of_other_types(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    data = {
        "word": pa.array(["x", "y", None]).dictionary_encode(),
        "id": pa.array([2**60 + 1, None, 3]),
        "truth": pa.array([True, None, False]),
        "void": pa.array([None] * 3),
    }
    parquet.write_table(pa.table(data), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert table["word"].tolist() == ["x", "y", ""]
    assert table["id"].tolist() == ["1152921504606846977", "", "3"]
    np.testing.assert_array_equal(table["truth"], [1, np.nan, 0])
    assert np.isnan(table["void"]).all()
    for lists in ([[1.0, 2], [3.0], None], [{"q": 1}] * 3):
        parquet.write_table(pa.table({"a": [1, 2, 3], "emb": lists}), tmp_path / "l.parquet")
        with pytest.raises(UserError, match="Column 'emb' has cells of several values"):
            read_table(tmp_path / "l.parquet")
    parquet.write_table(pa.table({"a": pa.array([], "int64")}), tmp_path / "e.parquet")
    with pytest.raises(UserError, match="no rows"):
        read_table(tmp_path / "e.parquet")
