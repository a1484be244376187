import numpy as np
import pytest
from gantools.apps.superres.engine import open_engine
from gantools.apps.superres.family import family
from gantools.apps.superres.foreign_onnx import open_graph
from gantools.apps.superres.upscaler import Upscaler

from gantools.data.onnx import TYPES, Graph
from gantools.errors import UserError


def graph_file(path, *, size=(None, None), last=False, dtype="float32", scale=2, reach=3):
    """Write a graph: a blur of known reach, then each pixel repeated."""
    graph = Graph()
    values = "tile"
    if dtype == "uint8":
        values = graph.node("Cast", values, to=TYPES["float32"])
    values = graph.node("Transpose", values, perm=(0, 3, 1, 2)) if last else values
    side = 2 * reach + 1
    kernel = np.zeros((3, 3, side, side), np.float32)
    kernel[range(3), range(3)] = np.random.default_rng(0).random((side, side)) / side**2 * 2
    values = graph.convolution(values, "k", kernel, pads=(reach,) * 4)
    factors = graph.constant(np.array([1, 1, scale, scale], np.float32), "factors")
    values = graph.node(
        "Resize", values, "", factors, mode="nearest", nearest_mode="floor",
        coordinate_transformation_mode="asymmetric")  # fmt: skip
    values = graph.node("Transpose", values, perm=(0, 2, 3, 1)) if last else values
    values = graph.node("Cast", values, to=TYPES[dtype]) if dtype == "uint8" else values
    graph.node("Identity", values, out="picture")
    shapes = []
    for factor in (1, scale):
        sides = [side and factor * side for side in size]
        shapes.append((1, *sides, 3) if last else (1, 3, *sides))
    path.write_bytes(graph.file("any", {"tile": shapes[0]}, {"picture": shapes[1]}, dtype))
    return path


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_factor_reach_and_layout_are_found(tmp_path, last, dtype):
    graph = open_graph(graph_file(tmp_path / "2x_any.onnx", last=last, dtype=dtype))
    assert (graph.scale, graph.plan.radius, graph.fixed) == (2, 3, None)
    assert (graph.last, graph.bytes) == (last, dtype == "uint8")
    assert family(tmp_path / "2x_any.onnx").scales == (2,)


@pytest.mark.parametrize("size", [(None, None), (64, 64)])
@pytest.mark.parametrize("engine", ["auto", "onnxruntime"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_go_through_in_tiles(tmp_path, size, engine, dtype, picture):
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")
    graph = open_graph(graph_file(tmp_path / "a.onnx", size=size))
    pixels = picture(90, 120, dtype=dtype)
    run = lambda **how: np.concatenate(  # noqa: E731
        [b.copy() for b in Upscaler(graph, engine, **how).bands(pixels)]
    ).astype(float)
    made = run(projection=False)
    assert made.shape == (180, 240, 3)
    assert (made[::2, ::2] == made[1::2, 1::2]).all()  # pixels were repeated
    tiled = run(projection=False, largest=64)
    step = np.iinfo(dtype).max / 255
    assert np.abs(tiled - made)[8:-8, 8:-8].max() <= (1 if dtype == np.uint8 else 0.01 * step)
    low = pixels.astype(float).mean()
    assert abs(run().mean() - low) < abs(made.mean() - low)  # the projection brings colours back


def test_what_is_no_such_graph(tmp_path):
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(UserError, match="it is no ONNX file"):
        open_graph(tmp_path / "text.onnx")
    with pytest.raises(UserError, match="No such file"):
        family(tmp_path / "none.onnx")
    graph = open_graph(graph_file(tmp_path / "a.onnx"))
    with pytest.raises(UserError, match="ONNX files run on openvino or onnxruntime"):
        open_engine(graph, "opencv")
    with pytest.raises(UserError, match="run on the processor. Leave out --device gpu"):
        open_engine(graph, device="gpu")
