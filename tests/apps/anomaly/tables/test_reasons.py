import numpy as np
import pytest
from gantools.apps.anomaly.detectors.references import Knn
from gantools.apps.anomaly.tables.reasons import Reasons
from gantools.apps.anomaly.tables.transform import TableTransform


def machines(n, seed):
    """Temperature follows load; the site has nothing to do with either."""
    rng = np.random.default_rng(seed)
    load = rng.uniform(0, 100, n)
    return {
        "load": load,
        "temperature": 20 + 0.5 * load + rng.normal(size=n),
        "site": rng.choice(["north", "south"], n).astype(object),
        "noise": rng.normal(size=n),
    }


@pytest.fixture(scope="module")
def reasons():
    table = machines(400, 0)
    transform = TableTransform.fit(table)
    detector = Knn().fit(transform.transform(table))
    return Reasons(detector.score, transform, table)


def odd(**cells):
    table = machines(3, 1)
    for name, value in cells.items():
        table[name][1] = value
    return table


def test_a_far_value_is_named_first(reasons):
    ((first, *_),) = reasons.explain(odd(noise=9.0), [1])
    assert first.column == "noise" and first.value == "9" and first.z > 3 and first.drop > 1
    assert abs(float(first.typical)) < 0.5 and abs(float(first.nearest)) < 4


def test_an_unseen_category_is_named_first(reasons):
    ((first, *_),) = reasons.explain(odd(site="moon"), [1])
    assert first.column == "site" and first.value == "moon"
    assert first.nearest in ("north", "south") and first.typical in ("north", "south")


def test_a_missing_cell_is_named(reasons):
    ((first, *_),) = reasons.explain(odd(load=np.nan), [1])
    assert first.column == "load" and first.value == "missing"


def test_values_that_do_not_fit_together(reasons):
    """Both values are ordinary; only together they are odd, and z has their signs."""
    found = reasons.explain(odd(load=10.0, temperature=65.0), [1], top=2)[0]
    z = {reason.column: reason.z for reason in found}
    assert set(z) == {"load", "temperature"} and z["temperature"] > 3 and z["load"] < -3


def test_only_the_asked_rows_and_so_many_columns(reasons):
    table = odd(noise=9.0)
    both = reasons.explain(table, [1, 0], top=3)
    assert [len(row) for row in both] == [3, 3]
    (alone,) = reasons.explain(table, [1], top=3)
    assert [r.column for r in both[0]] == [r.column for r in alone]
    np.testing.assert_allclose([r.z for r in both[0]], [r.z for r in alone], rtol=1e-6)
    assert both[0][0].drop > both[1][0].drop


def test_z_of_normals_is_standard(reasons):
    x = reasons.transform.transform(machines(2000, 5))
    z = reasons.residual_z(x)
    for column, name in zip(z.T, reasons.transform.slices, strict=True):
        if name != "site":  # of several numbers the farthest: wider by design
            assert np.std(column) == pytest.approx(1, abs=0.25), name


def test_columns_that_never_change_are_no_error():
    table = {"a": np.full(40, 3.0), "b": np.full(40, "x", object)}
    transform = TableTransform.fit(table)
    detector = Knn().fit(transform.transform(table))
    found = Reasons(detector.score, transform, table)
    ((first, *_),) = found.explain({"a": np.array([3.0, 9.0]), "b": np.array(["x", "x"])}, [1])
    assert (first.column, first.value) == ("a", "9")
