"""Importers: what a user has (a PyTorch module, an ONNX file) to a `Network` in canonical Relax."""
