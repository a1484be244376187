import cv2
import numpy as np
import pytest

from gantools.data.onnx import Graph, same_padding


def run(content, x, outputs):
    net = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8), cv2.dnn.ENGINE_CLASSIC)
    net.setInput(x)
    return net.forward(outputs)


def small_graph():
    """Return a graph of y = leaky(w x + b) and its mean, and w and b."""
    random = np.random.default_rng(0)
    w, b = random.normal(size=(3, 4)).astype("float32"), random.normal(size=4).astype("float32")
    graph = Graph()
    y = graph.node("Gemm", "x", graph.constant(w), graph.constant(b))
    y = graph.node("LeakyRelu", y, out="y", alpha=0.2)
    graph.node("ReduceMean", y, out="mean", axes=(1,), keepdims=1)
    return graph.file("small", {"x": (2, 3)}, {"y": (2, 4), "mean": (2, 1)}), w, b


def test_opencv_reads_and_runs_the_file():
    content, w, b = small_graph()
    x = np.random.default_rng(1).normal(size=(2, 3)).astype("float32")
    y, mean = run(content, x, ["y", "mean"])
    expected = x @ w + b
    expected = np.where(expected > 0, expected, 0.2 * expected)
    np.testing.assert_allclose(y, expected, atol=1e-6)
    np.testing.assert_allclose(mean, expected.mean(axis=1, keepdims=True), atol=1e-6)


def test_the_reference_checker_accepts_the_file():
    onnx = pytest.importorskip("onnx")
    content, w, _ = small_graph()
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model)
    assert [value.name for value in model.graph.output] == ["y", "mean"]
    stored = onnx.numpy_helper.to_array(model.graph.initializer[0])
    assert np.array_equal(stored, w)


def test_attributes_of_every_kind():
    onnx = pytest.importorskip("onnx")
    graph = Graph()
    x = graph.reshape("x", 0, -1)
    graph.node("Any", x, out="y", real=0.5, whole=-1, text="CRD", several=(1, -2))
    model = onnx.load_from_string(graph.file("g", {"x": (1, 2)}, {"y": (1, 2)}))
    found = {a.name: onnx.helper.get_attribute_value(a) for a in model.graph.node[1].attribute}
    assert found == {"real": 0.5, "whole": -1, "text": b"CRD", "several": [1, -2]}
    assert onnx.numpy_helper.to_array(model.graph.initializer[0]).tolist() == [0, -1]


def test_several_results_kinds_and_facts():
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    graph = Graph()
    x = graph.node("Cast", "x", to=1)
    graph.node("TopK", x, graph.numbers(2), out=("best", "where"), axis=1)
    facts = {"recipe": "as it comes: ä"}
    shapes = {"x": (1, 3)}, {"best": (1, 2), "where": (1, 2)}
    content = graph.file("g", *shapes, {"x": "uint8", "where": "int64"}, facts)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    session = runtime.InferenceSession(content)
    best, where = session.run(None, {"x": np.array([[7, 9, 8]], np.uint8)})
    assert best.tolist() == [[9, 8]] and where.tolist() == [[1, 2]]
    assert session.get_modelmeta().custom_metadata_map == facts


def test_texts_are_looked_up_and_compared():
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    graph = Graph(20, "/")
    graph.node("Identity", graph.place("word", ["ä", "b", "c_1"]), out="place")
    graph.node("Equal", "word", graph.constant(np.array("b", object)), out="same")
    shapes = {"word": (None,)}, {"place": (None,), "same": (None,)}
    content = graph.file("g", *shapes, {"word": "string", "place": "int64", "same": "bool"})
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert {o.domain: o.version for o in model.opset_import} == {"": 20, "ai.onnx.ml": 2}
    assert all(name.startswith("/") for node in model.graph.node[:1] for name in node.output)
    words = np.array(["c_1", "ä", "", "b", "z"], object)
    place, same = runtime.InferenceSession(content).run(None, {"word": words})
    assert place.tolist() == [2, 0, 3, 1, 3] and same.tolist() == [0, 0, 0, 1, 0]


@pytest.mark.parametrize(("opset", "version"), [(15, 8), (18, 8), (20, 9)])
def test_reductions_and_loops_of_every_opset(opset, version):
    """x is halved until all of it is below 1, and then averaged."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    graph, body = Graph(opset), Graph(opset, "loop/")
    half = body.node("Mul", "loop/x", "half")  # known from around it
    most = body.node("ReduceMax", half, axes=(0,), keepdims=0)
    more = body.node("GreaterOrEqual", most, body.constant(np.float32(1)))
    ins = {"loop/step": (), "loop/more": (), "loop/x": (3,)}
    kinds = {"loop/step": "int64", "loop/more": "bool", more: "bool"}
    inner = body.body("loop", ins, {more: (), half: (3,)}, kinds)
    graph.constant(np.float32(0.5), "half")
    x = graph.node("Loop", "", graph.constant(np.array(True)), "x", body=inner)
    graph.node("ReduceMean", x, axes=(0,), keepdims=0, out="y")
    content = graph.file("g", {"x": (3,)}, {"y": ()})
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == version
    x = np.array([1, 9, 2], np.float32)
    assert runtime.InferenceSession(content).run(None, {"x": x})[0] == pytest.approx(12 / 16 / 3)


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "expected"),
    [(8, 3, 1, (1, 1)), (8, 4, 2, (1, 1)), (7, 4, 2, (1, 2)), (8, 3, 2, (0, 1)), (4, 1, 2, (0, 0))],
)
def test_same_padding_is_that_of_tensorflow(side, kernel, stride, expected):
    assert same_padding(side, kernel, stride) == expected
