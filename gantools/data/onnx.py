"""ONNX files written by hand: nested protocol-buffer messages, so that nothing must be installed.

Source: onnx.proto3 of github.com/onnx/onnx, the field numbers of ModelProto, GraphProto, NodeProto,
TensorProto, AttributeProto and OperatorSetIdProto.
"""

import struct

import numpy as np

OPSET = 15  # what every engine reads
AXES_ARE_INPUTS = 18  # the opset from which reductions take them so
IR_9 = 19  # the opset from which files are of IR version 9, before of 8
LEARNING, LEARNING_OPSET = "ai.onnx.ml", 2  # the domain of LabelEncoder
TYPES = {  # onnx.TensorProto.DataType
    "float32": 1, "uint8": 2, "int64": 7, "string": 8, "bool": 9, "float16": 10, "float64": 11,
}  # fmt: skip


class Graph:
    """Nodes and constants under construction; every tensor is known by its name.

    Args:
        opset: Version of the operations.
        prefix: Of the names that are made up here, where others could be the same.
    """

    def __init__(self, opset=OPSET, prefix=""):
        self.opset, self.prefix = opset, prefix
        self.nodes, self.constants, self.count, self.domains = [], [], 0, {}

    def constant(self, array, name=None):
        """Add an array of one of `TYPES` and return its name; texts are an array of objects."""
        array = np.asarray(array)
        name = name or f"{self.prefix}constant_{len(self.constants)}"
        body = b"".join(_number(1, size) for size in array.shape)
        if array.dtype == object:
            body += _number(2, TYPES["string"]) + _bytes(8, name)
            body += b"".join(_bytes(6, text) for text in array.ravel())
        else:
            body += _number(2, TYPES[array.dtype.name]) + _bytes(8, name)
            data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
            body += _bytes(9, data.tobytes())
        self.constants.append(body)
        return name

    def numbers(self, *values):
        """Add a list of integers and return its name."""
        name = f"{self.prefix}numbers_{len(self.constants)}"
        return self.constant(np.array(values, np.int64), name)

    def node(self, operation, *inputs, out=None, **attributes):
        """Add an operation and return the name of its result, or of each of several.

        Args:
            operation: Name in ONNX, for example "Conv".
            *inputs: Names of tensors, "" for one that is left out.
            out: Name of the result; None makes one up; names of several results.
            **attributes: Floats, ints, texts, sequences of ints or of texts, or a `body`. The axes
                of a reduction are given so for every opset.
        """
        if operation.startswith("Reduce") and self.opset >= AXES_ARE_INPUTS:
            axes = attributes.pop("axes", None)
            inputs = inputs if axes is None else (*inputs, self.numbers(*axes))
        self.count += 1
        out = out or f"{self.prefix}{operation}_{self.count}"
        body = b"".join(_bytes(1, name) for name in inputs)
        body += b"".join(_bytes(2, name) for name in ([out] if isinstance(out, str) else out))
        body += _bytes(3, f"{self.prefix}node_{self.count}") + _bytes(4, operation)
        body += b"".join(_bytes(5, _attribute(*item)) for item in attributes.items())
        if operation == "LabelEncoder":
            body += _bytes(7, LEARNING)
            self.domains[LEARNING] = LEARNING_OPSET
        self.nodes.append(body)
        return out

    def place(self, texts, known):
        """Add a look-up of texts and return the name of their places in `known`, int64.

        Args:
            texts: Name of a tensor of texts.
            known: List of distinct texts; any other text has the place `len(known)`.
        """
        return self.node(
            "LabelEncoder", texts, keys_strings=list(known),
            values_int64s=list(range(len(known))), default_int64=len(known),
        )  # fmt: skip

    def reshape(self, x, *shape, out=None):
        """Add a reshape: 0 keeps a side, one -1 is found."""
        return self.node("Reshape", x, self.numbers(*shape), out=out)

    def cut(self, values, axis, start, end):
        """Add a cut of `values` to `start:end` along `axis` and return its name."""
        return self.node("Slice", values, *(self.numbers(n) for n in (start, end, axis)))

    def convolution(self, values, name, kernel, *bias, pads=(0, 0, 0, 0)):
        """Add a convolution with the constant `name`, kernel `(out, in, y, x)`; return its name."""
        constants = [self.constant(kernel, name)]
        constants += [self.constant(values, f"{name}/bias") for values in bias]
        return self.node("Conv", values, *constants, pads=pads)

    def file(self, name, inputs, outputs, kind="float32", facts=None):
        """Return the bytes of the model.

        Args:
            name: Name of the graph.
            inputs, outputs: Name -> shape; a side None is any size.
            kind: One of `TYPES`, of all inputs and outputs; or name -> kind of those that are not
                float32.
            facts: Key -> text, kept with the model.
        """
        model = _number(1, 8 if self.opset < IR_9 else 9) + _bytes(2, "gantools")
        model += _bytes(7, self.body(name, inputs, outputs, kind))
        for domain, version in {"": self.opset, **self.domains}.items():
            model += _bytes(8, _bytes(1, domain) + _number(2, version))
        pairs = (facts or {}).items()
        return model + b"".join(_bytes(14, _bytes(1, k) + _bytes(2, text)) for k, text in pairs)

    def body(self, name, inputs, outputs, kind="float32"):
        """Return the bytes of the graph alone: what an operation such as Loop repeats.

        Such a graph knows the tensors of the one around it. Args: as for `file`.
        """
        kinds = {} if isinstance(kind, str) else kind
        default = kind if isinstance(kind, str) else "float32"
        known = [
            [_value(name, shape, kinds.get(name, default)) for name, shape in several.items()]
            for several in (inputs, outputs)
        ]
        graph = b"".join(_bytes(1, node) for node in self.nodes) + _bytes(2, name)
        graph += b"".join(_bytes(5, constant) for constant in self.constants)
        graph += b"".join(_bytes(11, value) for value in known[0])
        return graph + b"".join(_bytes(12, value) for value in known[1])


def same_padding(side, kernel, stride):
    """Return (before, after) of TensorFlow's "same" padding on an axis; an odd pixel is after."""
    needed = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    return needed // 2, needed - needed // 2


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


def _value(name, shape, kind):
    """Return a ValueInfoProto: a named tensor type; None is any size."""
    dims = b"".join(_bytes(1, b"" if size is None else _number(1, size)) for size in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, TYPES[kind]) + _bytes(2, dims)))


def _attribute(name, value):
    """Return an AttributeProto of a float, a number, a text, a graph, or several texts or ints."""
    if isinstance(value, float):
        body, kind = _varint(2 << 3 | 5) + struct.pack("<f", value), 1
    elif isinstance(value, int):
        body, kind = _number(3, value), 2
    elif isinstance(value, str):
        body, kind = _bytes(4, value), 3
    elif isinstance(value, bytes):
        body, kind = _bytes(6, value), 5
    elif any(isinstance(item, str) for item in value):
        body, kind = b"".join(_bytes(9, item) for item in value), 8
    else:
        body, kind = b"".join(_number(8, item) for item in value), 7
    return _bytes(1, name) + body + _number(20, kind)
