"""What each number format takes of a modelled core's cycles, and of memory."""

from __future__ import annotations

from bench.readme_sections.committed import committed_report, made, markdown

TARGET = "neoverse-n1"
HEADINGS = ("model", "number format", "level", "modelled", "of float32", "library")


def number_formats_section() -> str:
    """A row a model, format and level; the share is of the same model at the same level."""
    cycles, sizes = committed_report("fusion", TARGET), committed_report("size", TARGET)
    taken = {_key(row): row["median"] for row in cycles.rows}
    of_library = {_key(row): row["median"] for row in sizes.rows}
    rows = []
    for row in cycles.rows:
        model, dtype, level = _key(row)
        size = of_library.get(_key(row))
        rows.append(
            (
                model,
                dtype,
                level,
                f"{row['median']:.2f} {row['unit']}",
                f"{row['median'] / taken[model, 'float32', level]:.3f}",
                f"{size:,} bytes" if size else "",
            )
        )
    conditions = (
        f"Modelled on {TARGET}, one thread, of one input and random weights; {made(cycles)}; reports: "
        f"`{cycles.name}`, `{sizes.name}`."
    )
    return "\n".join([*markdown(HEADINGS, rows), "", conditions])


def _key(row: dict) -> tuple[str, str, str]:
    dtype = row["target"].removeprefix(TARGET).removeprefix("-") or "float32"
    return row["model"], dtype, row["level"]
