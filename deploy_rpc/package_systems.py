"""What a package's README says of building a program for the library's system elsewhere."""

from __future__ import annotations

ANDROID_FOLDERS = {"aarch64": "arm64-v8a", "arm": "armeabi-v7a", "x86_64": "x86_64"}
ANDROID_API = 21  # the first with 64-bit systems


def cross_compiler(triple: str) -> str:
    """The commands, in Markdown, that compile C for `triple` on another machine."""
    architecture, system = _architecture(triple), triple.split("-")[-1]
    if system.startswith("android"):
        clang = (
            "armv7a-linux-androideabi" if architecture == "arm" else f"{architecture}-linux-android"
        )
        return f"`{clang}{ANDROID_API}-clang` of the NDK"
    name = f"{architecture}-linux-{system}"
    with_zig = f"`zig cc -target {name}`"
    return with_zig if system.startswith("musl") else f"`{name}-gcc` or {with_zig}"


def android_folder(triple: str) -> str | None:
    """Where an app has libraries of `triple`, below jniLibs; None where it is not of Android."""
    is_android = triple.split("-")[-1].startswith("android")
    return ANDROID_FOLDERS.get(_architecture(triple)) if is_android else None


def _architecture(triple: str) -> str:
    """As GCC, zig and the NDK spell it."""
    first = triple.split("-")[0]
    return "aarch64" if first == "arm64" else "arm" if first.startswith("armv7") else first
