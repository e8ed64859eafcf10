"""A package's README names compilers and folders of the library's own system."""

from __future__ import annotations

import pytest

from deploy_rpc.package_systems import android_folder, cross_compiler


@pytest.mark.parametrize(
    ("triple", "compiler"),
    [
        ("aarch64-linux-gnu", "`aarch64-linux-gnu-gcc` or `zig cc -target aarch64-linux-gnu`"),
        ("x86_64-pc-linux-gnu", "`x86_64-linux-gnu-gcc` or `zig cc -target x86_64-linux-gnu`"),
        ("armv7-linux-gnueabihf", "`arm-linux-gnueabihf-gcc` or "
         "`zig cc -target arm-linux-gnueabihf`"),
        ("armv7-linux-musleabihf", "`zig cc -target arm-linux-musleabihf`"),
        ("aarch64-linux-android", "`aarch64-linux-android21-clang` of the NDK"),
    ],
)  # fmt: skip
def test_the_compiler_for_a_triple(triple: str, compiler: str) -> None:
    assert cross_compiler(triple) == compiler


@pytest.mark.parametrize(
    ("triple", "folder"),
    [
        ("aarch64-linux-android", "arm64-v8a"),
        ("x86_64-linux-android", "x86_64"),
        ("aarch64-linux-gnu", None),
        ("armv7-linux-musleabihf", None),
    ],
)
def test_only_android_has_a_folder_in_an_app(triple: str, folder: str | None) -> None:
    assert android_folder(triple) == folder
