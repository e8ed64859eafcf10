"""The words of C and its libraries are identifiers, each once, and no network of ours is one."""

from __future__ import annotations

import re

import pytest

from compile.aot.c_words import KEYWORDS, LIBRARY, OF_C_AND_CPP, OF_LIBRARIES
from compile.aot.symbols import c_prefix
from model.zoo import MODEL_NAMES


@pytest.mark.parametrize("text", [OF_C_AND_CPP, OF_LIBRARIES], ids=["keywords", "libraries"])
def test_the_words_are_identifiers_each_once(text: str) -> None:
    words = text.split()
    assert len(words) == len(set(words))
    assert all(re.fullmatch("[a-z][a-z0-9_]*", word) for word in words)


def test_no_word_is_in_both() -> None:
    assert not KEYWORDS & LIBRARY


@pytest.mark.parametrize("word", ["int", "co_await", "nullptr", "main", "abs", "read", "index"])
def test_what_programs_have_already_is_known(word: str) -> None:
    assert word in KEYWORDS | LIBRARY
    assert c_prefix(word) == f"net_{word}"


def test_our_own_networks_keep_their_names() -> None:
    assert not any(c_prefix(name).startswith("net_") for name in MODEL_NAMES)
