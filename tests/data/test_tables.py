import gzip

import numpy as np
import pytest

from gantools.data.tables import column, from_frame, read_table
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
