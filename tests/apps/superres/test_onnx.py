import numpy as np
import pytest
from gantools.apps.superres.onnx import base_kernel, serving
from gantools.apps.superres.projection import up

from gantools.data.resample import resize
from gantools.nets import plans
from gantools.nets.plans import Plan, Step


def every_operation(scale):
    """Return a plan with each operation that there is."""
    ops = ("relu", "leaky_relu", "prelu", "silu", "gate")
    steps, last = [Step("conv", "head", ("input",), 8, kernel=5)], "head"
    for op in ops:
        steps += [Step("conv", f"{op}_c", (last,), 8), Step(op, f"{op}_a", (f"{op}_c",))]
        last = f"{op}_a"
    steps += [
        Step("add", "sum", (last, "head", "relu_a")),
        Step("concat", "both", ("sum", "head", "silu_c")),
        Step("scale", "less", ("both",), slope=0.7),
        Step("conv", "tail", ("less",), 3 * scale**2, kernel=1),
    ]
    return Plan("every", scale, tuple(steps))


def by_hand(network, pixels):
    """Run a plan in plain numpy: `(h, w, 3)` levels -> `(h s, w s, 3)` levels, not clipped."""
    results = {"input": pixels.astype(np.float64) / 255}
    for step in network.plan.steps:
        x = results[step.inputs[0]]
        if step.op == "conv":
            kernel, reach = network.arrays[f"{step.out}/kernel"], step.kernel // 2
            padded = np.pad(x, ((reach, reach), (reach, reach), (0, 0)))
            windows = np.lib.stride_tricks.sliding_window_view(
                padded, (step.kernel, step.kernel), axis=(0, 1)
            )
            y = np.einsum("hwcij,ijco->hwo", windows, kernel) + network.arrays[f"{step.out}/bias"]
        elif step.op in ("relu", "leaky_relu", "prelu"):
            slopes = {"relu": 0.0, "leaky_relu": step.slope}
            slope = slopes.get(step.op, network.arrays.get(f"{step.out}/alpha"))
            y = np.where(x > 0, x, slope * x)
        elif step.op == "add":
            y = sum(results[name] for name in step.inputs)
        elif step.op == "concat":
            y = np.concatenate([results[name] for name in step.inputs], axis=-1)
        elif step.op == "scale":
            y = step.slope * x
        else:
            y = x * (1 / (1 + np.exp(-x)) - (0.5 if step.op == "gate" else 0))
        results[step.out] = y
    scale, (height, width) = network.scale, pixels.shape[:2]
    blocks = results[network.plan.steps[-1].out].reshape(height, width, 3, scale, scale)
    residual = blocks.transpose(0, 3, 1, 4, 2).reshape(height * scale, width * scale, 3)
    return resize(pixels.astype(np.float64), scale) + 255 * residual


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_graph_is_the_plan_plus_the_exact_base(scale, make_network, picture):
    runtime = pytest.importorskip("onnxruntime")
    network = make_network(every_operation(scale))
    pixels = picture(13, 17)
    tile = np.pad(pixels, ((4, 4), (4, 4), (0, 0)), mode="symmetric")[None]
    expected = np.clip(by_hand(network, pixels), 0, 255)
    assert np.abs(expected - resize(pixels.astype(float), scale)).mean() > 0.5
    run = runtime.InferenceSession(serving(network, 13, 17, deep=True)).run
    floats = run(None, {"tile": tile.astype(np.float32)})[0]
    np.testing.assert_allclose(floats[0], expected, atol=2e-3)
    bytes_ = runtime.InferenceSession(serving(network, 13, 17)).run(None, {"tile": tile})[0]
    assert bytes_.dtype == np.uint8
    assert bytes_.shape == (1, 13 * scale, 17 * scale, 3)
    assert np.abs(bytes_[0] - expected).max() <= 0.5 + 2e-3


@pytest.mark.parametrize("deep", [False, True])
def test_the_file_is_valid_onnx(deep, make_network):
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(serving(make_network(every_operation(2)), 20, 300, deep=deep))
    onnx.checker.check_model(model, full_check=True)
    found = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert found == [1, 28, 308, 3]
    assert model.opset_import[0].version == 15


def test_shapes_agree_with_shape_inference(make_network):
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(serving(make_network(), 20, 30))
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    found = [d.dim_value for d in inferred.graph.output[0].type.tensor_type.shape.dim]
    assert found == [1, 80, 120, 3]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_base_kernel_enlarges_exactly(scale):
    rng = np.random.default_rng(scale)
    pixels = rng.random((9, 11, 3))
    kernel = base_kernel(up(scale)).astype(np.float64)
    np.testing.assert_allclose(kernel.sum(axis=(2, 3)).sum(axis=1), 1, atol=1e-6)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (5, 5), axis=(0, 1))
    blocks = np.einsum("hwcij,ocij->hwo", windows, kernel).reshape(5, 7, scale, scale, 3)
    made = blocks.transpose(0, 2, 1, 3, 4).reshape(5 * scale, 7 * scale, 3)
    whole = resize(pixels, scale)
    cut = slice(2 * scale, -2 * scale)
    np.testing.assert_allclose(made, whole[cut, cut], atol=1e-6)


def test_an_untrained_network_is_bicubic(make_network, picture):
    runtime = pytest.importorskip("onnxruntime")
    network = make_network(plans.fast(2, width=8, blocks=1), gain=0)
    tile = np.pad(picture(8, 9), ((4, 4), (4, 4), (0, 0)), mode="symmetric")
    made = runtime.InferenceSession(serving(network, 8, 9, deep=True)).run(
        None, {"tile": tile[None].astype(np.float32)}
    )[0][0]
    expected = np.clip(resize(picture(8, 9).astype(float), 2), 0, 255)
    np.testing.assert_allclose(made, expected, atol=1e-3)
