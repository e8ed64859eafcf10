"""Two reports are judged by their samples; what is deterministic is judged exactly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from bench.comparison import (
    ONLY_NEW,
    ONLY_OLD,
    SAME,
    UNDECIDED,
    compare,
    context_warnings,
    judge,
    p_values,
)
from bench.reports import ReportError
from bench.rows import Row
from tests.report_rows import a_report, a_row

THRESHOLD = 0.05


def noisy(median: float, spread: float = 0.01, rounds: int = 9, seed: int = 0) -> list[float]:
    """Samples about `median`, seeded."""
    return list(median * (1 + spread * np.random.default_rng(seed).standard_normal(rounds)))


def modelled(cycles: float) -> Row:
    return a_row([cycles], kind="modelled", unit="Mcycles")


@pytest.mark.parametrize(
    ("new", "verdict", "is_regression"),
    [
        (noisy(10, seed=1), SAME, False),
        (noisy(8, seed=1), "faster", False),
        (noisy(12, seed=1), "slower", True),
        (noisy(10.3, spread=0.002, seed=1), "slower", False),  # real, and within the threshold
        (noisy(10.5, spread=0.2, seed=1), UNDECIDED, False),
        (noisy(20, rounds=4), UNDECIDED, False),  # four samples prove nothing
    ],
)
def test_a_measured_row_is_judged_by_all_its_samples(
    new: list[float], verdict: str, is_regression: bool
) -> None:
    result = judge(a_row(noisy(10, spread=0.005)), a_row(new), THRESHOLD)
    assert (result.verdict, result.is_regression) == (verdict, is_regression)


def test_the_change_is_of_the_medians_and_lies_in_its_interval() -> None:
    old, new = a_row(noisy(10)), a_row(noisy(12, seed=1))
    result = judge(old, new, THRESHOLD)
    assert result.change == new["median"] / old["median"] - 1
    assert result.interval[0] < result.change < result.interval[1]
    assert result.interval[0] > 0.1
    assert result.interval[1] < 0.3
    assert result.p_value < 0.001
    assert judge(old, new, THRESHOLD) == result, "the resampling is seeded"


def test_noise_alone_is_hardly_ever_a_verdict() -> None:
    verdicts = [
        judge(a_row(noisy(10, seed=2 * n)), a_row(noisy(10, seed=2 * n + 1)), THRESHOLD).verdict
        for n in range(50)
    ]
    assert verdicts.count("faster") + verdicts.count("slower") <= 2  # one in a hundred expected


@pytest.mark.parametrize(
    ("cycles", "verdict", "is_regression"),
    [(38.5, SAME, False), (38.6, "slower", False), (38.4, "faster", False), (42, "slower", True)],
)
def test_a_modelled_row_is_compared_exactly(
    cycles: float, verdict: str, is_regression: bool
) -> None:
    result = judge(modelled(38.5), modelled(cycles), THRESHOLD)
    assert (result.verdict, result.is_regression) == (verdict, is_regression)
    assert result.interval is result.p_value is None


def test_more_is_better_of_a_rate_and_worse_of_memory() -> None:
    rates = [a_row(noisy(median, seed=median), unit="GFLOP/s") for median in (240, 200)]
    assert judge(*rates, THRESHOLD).verdict == "lower"
    assert judge(*rates, THRESHOLD).is_regression
    assert judge(*reversed(rates), THRESHOLD).verdict == "higher"
    sizes = [a_row([size], unit="bytes") for size in (1000, 1200)]
    assert judge(*sizes, THRESHOLD).verdict == "larger"
    assert judge(*sizes, THRESHOLD).is_regression


@pytest.mark.parametrize(
    ("unit", "up", "down"),
    [
        ("% top-1", "higher", "lower, a regression"),
        ("rank correlation", "higher", "lower, a regression"),
        ("of the logits' range", "further, a regression", "nearer"),
        ("of the layer's deviation", "further, a regression", "nearer"),
        ("s", "slower, a regression", "faster"),
        ("MB", "larger, a regression", "smaller"),
    ],
)
def test_what_is_worse_depends_on_the_unit(unit: str, up: str, down: str) -> None:
    little, much = (a_row(noisy(median, seed=median), unit=unit) for median in (50, 60))
    for old, new, expected in ((little, much, up), (much, little, down)):
        result = judge(old, new, THRESHOLD)
        told = f"{result.verdict}, a regression" if result.is_regression else result.verdict
        assert told == expected


def test_a_unit_that_nobody_knows_is_refused() -> None:
    rows = [a_row(noisy(median), unit="degrees") for median in (10, 20)]
    with pytest.raises(
        ReportError, match=r"'degrees', a unit that nobody knows .* known are s, ms"
    ):
        judge(*rows, THRESHOLD)


def test_samples_that_are_all_alike_are_the_same() -> None:
    row = a_row([3.5] * 11, unit="MB")
    assert judge(row, row, THRESHOLD).verdict == SAME
    assert judge(row, a_row([4.0] * 11, unit="MB"), THRESHOLD).verdict == "larger"


def test_a_median_of_nought_has_no_change() -> None:
    nothing = a_row([0.0])
    assert judge(nothing, nothing, THRESHOLD).verdict == SAME
    assert judge(nothing, a_row([1.0]), THRESHOLD).verdict == UNDECIDED


def test_rows_are_paired_by_what_they_are_about() -> None:
    old = a_report(a_row(level="stock"), a_row(kernel="conv"), a_row(threads=2))
    new = a_report(a_row(threads=2), a_row(kernel="pool"), a_row(level="stock"))
    verdicts = [(each.row, each.verdict) for each in compare(old, new, THRESHOLD)]
    assert [verdict for _, verdict in verdicts] == [UNDECIDED, ONLY_NEW, UNDECIDED, ONLY_OLD]
    assert verdicts[1][0]["kernel"] == "pool"
    assert verdicts[3][0]["kernel"] == "conv"


def test_of_many_rows_that_did_not_change_none_is_a_verdict_by_chance() -> None:
    seeds = [2 * n for n in range(300)]
    old, new = (
        a_report(*(a_row(noisy(10, seed=seed + of), kernel=f"k{seed}") for seed in seeds))
        for of in (0, 1)
    )
    pairs = dict(enumerate(zip(old.rows, new.rows, strict=True)))
    assert min(mannwhitneyu(a["samples"], b["samples"]).pvalue for a, b in pairs.values()) < 0.01
    assert min(p_values(pairs).values()) > 0.01


def test_a_change_is_found_among_rows_that_did_not_change() -> None:
    medians = [10, 10, 10, 12]
    old = a_report(*(a_row(noisy(10, seed=n), kernel=f"k{n}") for n in range(4)))
    new = a_report(*(a_row(noisy(m, seed=9 + n), kernel=f"k{n}") for n, m in enumerate(medians)))
    *others, changed = compare(old, new, THRESHOLD)
    assert (changed.verdict, changed.is_regression) == ("slower", True)
    assert {each.verdict for each in others} <= {SAME, UNDECIDED}


def test_one_kernel_of_sixty_that_takes_twice_as_long_is_found_by_nine_samples() -> None:
    old, new = (
        a_report(*(a_row(noisy(10, seed=2 * n + of), kernel=f"k{n}") for n in range(59)), last)
        for of, last in enumerate(a_row(noisy(m, seed=200), kernel="last") for m in (10, 20))
    )
    *others, changed = compare(old, new, THRESHOLD)
    assert (changed.verdict, changed.is_regression) == ("slower", True)
    assert {each.verdict for each in others} <= {SAME, UNDECIDED}


@pytest.mark.parametrize(
    ("old", "new"),
    [([10.0, 10.1] * 5, [10.1, 12.0] * 5), (noisy(10, rounds=400), noisy(10, rounds=400, seed=1))],
)
def test_equal_samples_and_very_many_are_judged_by_the_normal_law(
    old: list[float], new: list[float]
) -> None:
    expected = mannwhitneyu(old, new, method="asymptotic").pvalue
    assert judge(a_row(old), a_row(new), THRESHOLD).p_value == expected


def test_a_kernel_of_the_same_name_and_other_macs_is_another_one() -> None:
    old, new = (a_report(a_row(), a_row(kernel="pointwise4", macs=macs)) for macs in (1_000, 2_000))
    verdicts = [each.verdict for each in compare(old, new, THRESHOLD)]
    assert verdicts == [UNDECIDED, ONLY_NEW, ONLY_OLD]


def test_variants_are_paired_by_the_layers_that_they_keep() -> None:
    nothing, one = ({"suite": "sensitivity", "layer": None, "kept": k} for k in ([], ["stem1"]))
    old = a_report(modelled(2) | nothing, modelled(3) | one)
    new = a_report(modelled(3) | one, modelled(2) | nothing)
    assert [each.verdict for each in compare(old, new, THRESHOLD)] == [SAME, SAME]


def test_repetitions_are_paired_in_their_order() -> None:
    old, new = a_report(modelled(1), modelled(2)), a_report(modelled(1), modelled(2), modelled(3))
    assert [each.verdict for each in compare(old, new, THRESHOLD)] == [SAME, SAME, ONLY_NEW]


def test_measured_and_modelled_rows_are_no_pair() -> None:
    with pytest.raises(ReportError, match="no row in common"):
        compare(a_report(a_row()), a_report(a_row(kind="modelled")), THRESHOLD)


def test_another_machine_is_warned_of() -> None:
    old, new = a_report(a_row()), a_report(a_row(), cpu="Other CPU", load_before=5.0)
    told = " ".join(context_warnings(old, new))
    assert "other cpu: 'Some CPU AVX2' in old, 'Other CPU' in new" in told
    assert "new was measured under load: 5 on 2 cores" in told


def test_modelled_cycles_do_not_depend_on_the_machine_but_on_the_compiler() -> None:
    old = a_report(modelled(1))
    new = a_report(modelled(1), cpu="Other CPU", versions={"apache-tvm": "0.28.0"})
    told = list(context_warnings(old, new))
    assert told == ["other apache-tvm: 0.27.0 in old, 0.28.0 in new"]


def test_the_same_conditions_are_no_warning() -> None:
    assert not list(context_warnings(a_report(a_row()), a_report(a_row())))
