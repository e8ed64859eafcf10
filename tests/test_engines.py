"""Every engine that is not measured comes with the reason."""

from __future__ import annotations

import pytest

from bench import engines
from bench.engines import QUANTISED_PEERS, missing_engines, unmeasured_engines


def test_missing_engines_come_with_what_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    assert missing_engines() == {
        "onnxruntime": "not installed: pip install onnxruntime",
        "ncnn": "not installed: pip install ncnn pnnx",
        "mnn": "not installed: pip install MNN",
        "litert": "not installed: pip install ai_edge_litert litert_quantizer",
        "openvino": "not installed: pip install openvino",
        "pytorch": "not installed: pip install torch",
        "pytorch-compile": "not installed: pip install torch",
    }


def test_peers_without_a_quantiser_are_named() -> None:
    reasons = unmeasured_engines(QUANTISED_PEERS, "int8")
    assert reasons["ncnn"] == "not offered in int8: its wheel has no quantiser"
    assert {"mnn", "pytorch"} < reasons.keys()
    assert not reasons.keys() & set(QUANTISED_PEERS) - missing_engines().keys()


def test_a_compiler_is_needed_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.shutil, "which", lambda _: None)
    assert missing_engines(["pytorch-compile"]) == {
        "pytorch-compile": "needs a C++ compiler: g++ or clang++"
    }
