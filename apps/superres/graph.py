"""A writer of ONNX files: nested protocol-buffer messages, made by hand.

Nothing has to be installed to serve a network, and nothing else writes the few messages needed.
"""

import struct

import numpy as np

OPSET, IR_VERSION = 15, 8
FLOAT, UINT8, INT64 = 1, 2, 7  # onnx.TensorProto.DataType


class Graph:
    """Nodes and constants under construction."""

    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, name, array):
        """Add an array of float32 or int64 and return its name."""
        array = np.asarray(array)
        kind = {"float32": FLOAT, "int64": INT64}[array.dtype.name]
        body = b"".join(_number(1, size) for size in array.shape) + _number(2, kind)
        data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
        self.constants.append(body + _bytes(8, name) + _bytes(9, data))
        return name

    def numbers(self, *values):
        """Add a list of integers and return its name."""
        return self.constant(f"numbers_{len(self.constants)}", np.array(values, np.int64))

    def node(self, operation, inputs, out=None, **attributes):
        """Add an operation and return the name of its result."""
        self.count += 1
        out = out or f"{operation}_{self.count}"
        body = b"".join(_bytes(1, name) for name in inputs) + _bytes(2, out)
        body += _bytes(3, f"node_{self.count}") + _bytes(4, operation)
        body += b"".join(_bytes(5, _attribute(*item)) for item in attributes.items())
        self.nodes.append(body)
        return out

    def cut(self, values, axis, start, end):
        """Add a cut of `values` to `start:end` along `axis` and return its name."""
        return self.node("Slice", [values, *(self.numbers(n) for n in (start, end, axis))])

    def convolution(self, values, name, kernel, *bias, pads=(0, 0, 0, 0)):
        """Add a convolution with the constant `name`, kernel `(out, in, y, x)`; return its name."""
        constants = [self.constant(name, kernel)]
        constants += [self.constant(f"{name}/bias", values) for values in bias]
        return self.node("Conv", [values, *constants], pads=pads)

    def file(self, name, kind, shape_in, shape_out):
        """Return the bytes of the model with the input "tile" and the output "picture"."""
        graph = b"".join(_bytes(1, node) for node in self.nodes) + _bytes(2, name)
        graph += b"".join(_bytes(5, constant) for constant in self.constants)
        graph += _bytes(11, _value("tile", kind, shape_in))
        graph += _bytes(12, _value("picture", kind, shape_out))
        opset = _bytes(1, "") + _number(2, OPSET)
        model = _number(1, IR_VERSION) + _bytes(2, "gantools")
        return model + _bytes(7, graph) + _bytes(8, opset)


def split(kernel):
    """Return float32 `kernel` as two that bfloat16 holds, whose sum it is to 16 bits.

    Whole levels, 0 to 255, are exact in bfloat16; with such weights their sums are, too.
    """
    coarse = (kernel.view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32)
    return coarse, kernel - coarse


def _varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def _number(field, value):
    return _varint(field << 3) + _varint(value % (1 << 64))


def _bytes(field, value):
    value = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _value(name, kind, shape):
    """Return a ValueInfoProto: a named tensor type; None is any size."""
    dims = b"".join(_bytes(1, b"" if size is None else _number(1, size)) for size in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, dims)))


def _attribute(name, value):
    """Return an AttributeProto of a float, a number, a text or several numbers."""
    if isinstance(value, float):
        body, kind = _varint(2 << 3 | 5) + struct.pack("<f", value), 1
    elif isinstance(value, int):
        body, kind = _number(3, value), 2
    elif isinstance(value, str):
        body, kind = _bytes(4, value), 3
    else:
        body, kind = b"".join(_number(8, item) for item in value), 7
    return _bytes(1, name) + body + _number(20, kind)
