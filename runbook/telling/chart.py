"""Rates of errors as a live chart: every series as a row of bars, and how the following goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from runbook.events import Measured, Rate
from runbook.visible import clean

BARS = " ▁▂▃▄▅▆▇█"
HEIGHT = 6
MINUTES = 24 * 60
MARGIN = 34
"""Columns beside the bars of a row: its name, and its numbers."""
NARROWEST = 20


class Chart:
    """What a terminal shows while logs are followed; it grows with the events it is given."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.note = ""
        self._minutes: deque[tuple[str, dict[str, Rate]]] = deque(maxlen=MINUTES)

    def add(self, event: Measured) -> None:
        """Take in a minute."""
        self._minutes.append((event.at, {rate.series: rate for rate in event.rates}))

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Yield the chart of all series together, a row for each, and the note."""
        width = max(NARROWEST, options.max_width - MARGIN)
        shown = list(self._minutes)[-width:]
        yield Text(self.title, style="bold", overflow="ellipsis", no_wrap=True)
        if shown:
            yield from self._together(shown)
            yield self._rows(shown)
        yield Text(self.note, style="dim", overflow="ellipsis", no_wrap=True)

    def _together(self, shown: list[tuple[str, dict[str, Rate]]]) -> Iterator[Text]:
        totals = [sum(rate.count for rate in rates.values()) for _, rates in shown]
        alarming = [any(rate.alarming for rate in rates.values()) for _, rates in shown]
        most = max(1, *totals)
        for row in reversed(range(HEIGHT)):
            label = (
                f"{most * (row + 1) / HEIGHT:>8,.0f} ┤" if row in {0, HEIGHT - 1} else f"{'│':>10}"
            )
            line = Text(label, style="dim")
            for total, high in zip(totals, alarming, strict=True):
                filled = total / most * HEIGHT - row
                line.append(_bar(filled), style="red" if high else "cyan")
            yield line
        first, last = shown[0][0][11:16], shown[-1][0][11:16]
        space = max(1, len(shown) - len(first) - len(last))
        yield Text(f"{'└':>10}{first}{'─' * space}{last} UTC, a minute", style="dim")

    def _rows(self, shown: list[tuple[str, dict[str, Rate]]]) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, max_width=MARGIN - 16, overflow="ellipsis")
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        for name in dict.fromkeys(name for _, rates in shown for name in rates):
            rates = [rates.get(name) for _, rates in shown]
            most = max(1, *(rate.count for rate in rates if rate))
            bars = Text()
            for rate in rates:
                filled = rate.count / most if rate else 0.0
                bars.append(_bar(filled), style="red" if rate and rate.alarming else "cyan")
            last = next(rate for rate in reversed(rates) if rate)
            usual = "?" if last.usual is None else f"{last.usual:.1f}"
            table.add_row(Text(clean(name)), bars, f"{last.count:,} (usual {usual})")
        return table


def _bar(filled: float) -> str:
    """Return the character that is filled so far, from 0 to 1; what is not empty shows."""
    if filled <= 0:
        return BARS[0]
    return BARS[max(1, min(len(BARS) - 1, round(filled * (len(BARS) - 1))))]
