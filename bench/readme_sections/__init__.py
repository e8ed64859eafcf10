"""The tables of README.md and docs/: `SECTIONS` makes each, by the name that its markers have."""

from __future__ import annotations

from functools import partial

from bench.committed_reports import WITH_AVX2
from bench.readme_sections.ablation import ablation_section
from bench.readme_sections.accuracy import accuracy_section
from bench.readme_sections.engines_here import engines_here_section, int8_engines_section
from bench.readme_sections.footprint import footprint_section
from bench.readme_sections.groups import groups_section
from bench.readme_sections.headline import headline_section
from bench.readme_sections.independent import independent_section
from bench.readme_sections.ladder import ladder_section
from bench.readme_sections.largest_kernels import largest_kernels_section
from bench.readme_sections.light_models import light_models_section
from bench.readme_sections.model_check import model_check_section
from bench.readme_sections.modelled_peers import modelled_peers_section
from bench.readme_sections.number_formats import number_formats_section
from bench.readme_sections.numerics import numerics_section
from bench.readme_sections.pictures import pictures_section
from bench.readme_sections.published_times import published_times_section
from bench.readme_sections.sensitivity import sensitivity_section
from bench.readme_sections.sizes import size_section
from bench.readme_sections.spaces import spaces_section
from bench.readme_sections.table8 import table8_section
from bench.readme_sections.threads import threads_section

SECTIONS = {
    "headline": headline_section,
    "ablation": ablation_section,
    "sizes": size_section,
    "footprint": footprint_section,
    "model-check": model_check_section,
    "published-times": published_times_section,
    "peers": modelled_peers_section,
    "tuning": spaces_section,
    "results": ladder_section,
    "results-avx2": partial(ladder_section, WITH_AVX2),
    "engines": engines_here_section,
    "engines-480x640": partial(engines_here_section, "host-480x640"),
    "engines-avx2": partial(engines_here_section, WITH_AVX2),
    "engines-int8": int8_engines_section,
    "table8": table8_section,
    "groups": groups_section,
    "threads": threads_section,
    "threads-avx2": partial(threads_section, WITH_AVX2),
    "kernels": largest_kernels_section,
    "kernels-avx2": partial(largest_kernels_section, WITH_AVX2),
    "independent": independent_section,
    "pictures": pictures_section,
    "numerics": numerics_section,
    "light-models": light_models_section,
    "accuracy": accuracy_section,
    "number-formats": number_formats_section,
    "sensitivity": sensitivity_section,
}
