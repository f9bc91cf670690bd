"""The turn of one host in a deploy: what is sent to it, in which order, and what puts it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runbook.application import Deploy
from runbook.environment import Environment
from runbook.hosts import jobs, releases
from runbook.hosts.releases import Release, Texts
from runbook.plan.steps import Command, Expect, Job, Step, Survey, Wait

PHASE = "deploy"
FETCH = "fetch"
"""The block of what happens on every host before the first one is restarted."""


@dataclass(frozen=True)
class Turn:
    """The steps of one host, and what a look found there."""

    environment: Environment
    deploy: Deploy
    host: Release
    release: str

    @property
    def texts(self) -> Texts:
        """What is sent to the host."""
        return releases.texts(self.environment, self.deploy, self.host.name, self.release)

    @property
    def done(self) -> bool:
        """Whether it runs the release, is well, and no turn of it was cut off."""
        return self.host.runs == self.release and not self.host.ill and self.host.turn is None

    def brought(self) -> tuple[Step, ...]:
        """Fetch the release, compare it, install it; of a host that is done, only that it is."""
        texts, host = self.texts, self.host
        if self.done:
            found = "runs it and is well; no restart"
            return (replace(self._well(self.release), found=found, done=True),)
        fetch = self._job(FETCH, texts.fetch, f"fetch {self._name}", host.fetched)
        compare = Expect(
            phase=PHASE,
            title=f"what was fetched is {self._name}",
            where=host.name,
            text=texts.fetched,
            origin=self.environment.at("deploy.fetched"),
            timeout=self.environment.timeouts.command,
            block=FETCH,
            expected=self.release,
        )
        if not texts.install:
            return (fetch, compare)
        install = self._job("install", texts.install, f"install {self._name}", host.installed)
        return (fetch, compare, install)

    def switched(self, block: str) -> tuple[Step, ...]:
        """Make the host run the release."""
        texts = self.texts
        note = self._command(texts.begin(self.host.back), "its turn begins", block)
        titles = {"activate": f"activate {self._name}", "restart": "restart"}
        switch = texts.switch(self.release).items()
        steps = (self._command(text, titles[key], block, key) for key, text in switch)
        found = (
            f"goes back to {self.host.back}" if self.host.back else "nothing to go back to is known"
        )
        noted = self.host.turn == (self.release, self.host.back)
        return (replace(note, found=found, done=noted), *steps)

    def settled(self, block: str) -> tuple[Step, ...]:
        """Wait until the host is well with the release."""
        end = self._command(self.texts.end, "its turn has ended", block)
        return (replace(self._well(self.release), block=block), end)

    def put_back(self, block: str) -> tuple[Step, ...]:
        """Make the host run again what ran before, should its block fail."""
        texts = self.texts.put_back(self.host.back) if self.host.back else {}
        back = f"put back {releases.short(self.host.back)}"
        titles = {
            key: back if number == 0 else f"put back: {key}" for number, key in enumerate(texts)
        }
        steps = (self._command(text, titles[key], block, key) for key, text in texts.items())
        return self._rescue(*steps)

    def settled_back(self, block: str) -> tuple[Step, ...]:
        """Wait until the host is well with what ran before."""
        if not self.host.back:
            return ()
        end = self._command(self.texts.end, "its turn has ended", block)
        return self._rescue(replace(self._well(self.host.back), block=block), end)

    def _rescue(self, *steps: Step) -> tuple[Step, ...]:
        return tuple(
            replace(step, rescues=(step.block,), found=f"only if {step.block} fails")
            for step in steps
        )

    @property
    def _name(self) -> str:
        return releases.short(self.release)

    def _job(self, name: str, command: str, title: str, done: bool) -> Job:
        job = self.texts.job(name)
        return Job(
            phase=PHASE,
            title=title,
            where=self.host.name,
            text=jobs.task(job, command, once=name != FETCH),
            watch=jobs.watch(job),
            origin=self.environment.at(f"deploy.{name}"),
            found="done already" if done else "",
            done=done,
            timeout=self.environment.timeouts.job,
            block=FETCH,
        )

    def _command(self, text: str, title: str, block: str, key: str = "") -> Command:
        """Return a command, by `key` one of the inventory's, else one of this program's own."""
        return Command(
            phase=PHASE,
            title=title,
            where=self.host.name,
            text=text,
            origin=self.environment.at(f"deploy.{key}") if key else "",
            timeout=self.environment.timeouts.command,
            block=block,
        )

    def _well(self, release: str) -> Wait:
        texts = self.texts
        return Wait(
            phase=PHASE,
            title=f"well, and runs {releases.short(release)}",
            where=self.host.name,
            text="\n".join((*texts.healthy, texts.current)),
            origin=self.environment.at("deploy.current"),
            timeout=self.deploy.healthy_within,
            estimate=self.deploy.healthy_within,
            checks=texts.healthy,
            report=texts.current,
            logs=texts.logs,
            expected=release,
            every=self.deploy.every,
            steady=self.deploy.steady,
        )


def survey(turns: Sequence[Turn]) -> Survey:
    """Return the step that asks what runs on every host, as their own turns ask it."""
    asked = tuple((turn.host.name, turn.texts.current) for turn in turns)
    return Survey(
        phase=PHASE,
        title="what runs where",
        where=", ".join(name for name, _ in asked),
        text="\n".join(dict.fromkeys(text for _, text in asked)),
        asked=asked,
        timeout=turns[0].environment.timeouts.command,
    )
