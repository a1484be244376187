import pytest

from gantools.errors import REQUIREMENT, USAGE, UserError
from gantools.metrics.required import check_names, check_reached

SETS = {"a": {"psnr": 31.5, "niqe": 5.0}, "b": {"psnr": 28.25, "niqe": float("nan")}}


def test_reached():
    check_reached(SETS, [("psnr", 28.25)])
    check_reached({"a": SETS["a"]}, [("niqe", 5.0), ("psnr", 31.5)], lower=("niqe",))
    check_reached(SETS, [])


@pytest.mark.parametrize(
    ("required", "told"),
    [
        ([("psnr", 28.3)], "b: psnr is 28.25, at least 28.3 is required."),
        ([("niqe", 4.9)], "a: niqe is 5, at most 4.9 is required; b: niqe could not be measured"),
        ([("gain", 0)], "a: gain could not be measured, at least 0 is required; b: gain"),
    ],
)
def test_not_reached(required, told):
    with pytest.raises(UserError, match=told) as caught:
        check_reached(SETS, required, lower=("niqe",))
    assert caught.value.code == REQUIREMENT


@pytest.mark.parametrize(
    ("required", "told"),
    [
        (("auroc", 0.9), "no figure 'auroc'. Expected one of niqe, psnr"),
        (("psnr", float("nan")), "finite"),
    ],
)
def test_names(required, told):
    check_names([("psnr", 30.0)], {"psnr", "niqe"})
    with pytest.raises(UserError, match=told) as caught:
        check_names([required], {"psnr", "niqe"})
    assert caught.value.code == USAGE
