"""How often the spike rule is wrong, and how soon it finds one: python -m bench.spikes

For each kind of traffic: the mean number of false alarms in 48 hours after
fourteen days of baseline, and the median of the minutes until twice, thrice and
ten times as many errors are found. Every trial is fixed by its seed, so the
table is the same on every machine.
"""

from __future__ import annotations

import argparse
import statistics

from bench.traffic import KINDS, trial

RATES = (0.02, 0.5, 5.0, 50.0)


def main() -> None:
    """Print one row a kind and rate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--days", type=int, default=14)
    chosen = parser.parse_args()
    print(f"{'errors':<30} {'a minute':>8} {'false/48 h':>10} {'x2':>6} {'x3':>6} {'x10':>6}")
    for kind in KINDS:
        for rate in RATES:
            done = [trial(kind, rate, seed, chosen.days) for seed in range(chosen.trials)]
            alarms = sum(one.alarms for one in done) / len(done)
            found = [_median([one.found[times] for one in done]) for times in (2, 3, 10)]
            print(f"{kind:<30} {rate:>8} {alarms:>10.2f} {found[0]:>6} {found[1]:>6} {found[2]:>6}")


def _median(minutes: list[int | None]) -> str:
    middle = statistics.median(10**9 if one is None else one for one in minutes)
    return "> 1 d" if middle > 10**6 else f"{middle:.0f}"


if __name__ == "__main__":
    main()
