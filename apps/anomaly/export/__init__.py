"""A fitted model as one ONNX file from pixels or cells to p."""
