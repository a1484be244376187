"""A fitted model as one ONNX file from pixels to p."""
