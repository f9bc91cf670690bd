"""The step in hand, live at the bottom of a terminal: one line, or a chart of the logs."""

from __future__ import annotations

from rich.console import Console
from rich.live import Live
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from runbook.events import Measured
from runbook.telling.chart import Chart
from runbook.visible import clean

_SHORTENED = Column(ratio=1, no_wrap=True, overflow="ellipsis")
_WHOLE = Column(no_wrap=True)
"""Of a line that does not fit, the title gives way, not how far it is."""


class Bottom:
    """What a terminal shows of the step in hand; elsewhere, nothing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: Progress | Live | None = None
        self._chart: Chart | None = None

    def start(self, title: str, *, chart: bool) -> None:
        """Show a step from now on, in place of what was shown."""
        self.stop()
        title = clean(title)
        if not self._console.is_terminal or self._console.quiet:
            return
        if chart:
            self._chart = Chart(title)
            self._shown = Live(
                self._chart, console=self._console, refresh_per_second=2, transient=True
            )
        else:
            self._shown = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False, table_column=_SHORTENED),
                TextColumn("{task.fields[note]}", markup=False, style="dim", table_column=_WHOLE),
                TimeElapsedColumn(table_column=_WHOLE),
                console=self._console,
                transient=True,
                expand=True,
            )
            self._shown.add_task(title, total=None, note="")
        self._shown.start()

    def stop(self) -> None:
        """Show nothing any more."""
        if self._shown:
            self._shown.stop()
        self._shown = self._chart = None

    def note(self, text: str) -> bool:
        """Show how far the step is; return whether there is anything to show it on."""
        text = clean(text)
        if self._chart:
            self._chart.note = text
        elif isinstance(self._shown, Progress):
            self._shown.update(self._shown.task_ids[0], note=text)
        return self._shown is not None

    def add(self, event: Measured) -> None:
        """Take a minute of the logs into the chart."""
        if self._chart:
            self._chart.add(event)
