"""The application's releases, as tags of a bare git repository: good ones and bad ones."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox import packages, programs
from sandbox.packages import made_once
from sandbox.processes import StartFailed

SOURCE = Path(__file__).with_name("backend")
MIGRATIONS = SOURCE.parent.parent / "sql" / "attendance" / "migrate"
ATTRIBUTES = "backend/release.json export-subst\n"
"""Its .gitattributes, by which an archive says its commit. No file of `SOURCE`, where it would act
on an archive of this project as well."""
FIRST, LATEST = "v1.0.0", "v1.1.1"
GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "The application's developers",
    "GIT_AUTHOR_EMAIL": "developers@example.test",
    "GIT_COMMITTER_NAME": "The application's developers",
    "GIT_COMMITTER_EMAIL": "developers@example.test",
    "GIT_AUTHOR_DATE": "2025-12-17T12:00:00Z",
    "GIT_COMMITTER_DATE": "2025-12-17T12:00:00Z",
}
"""Commits are the same everywhere, whatever is configured on this machine."""


@dataclass(frozen=True)
class Release:
    """A release: how it differs from what is in `SOURCE`."""

    tag: str
    about: str
    without: tuple[str, ...] = ()
    """Folders that it does not have."""
    edits: tuple[tuple[str, str, str], ...] = ()
    """A file, a text that stands there once, and what stands there instead."""


RELEASES = (
    Release(FIRST, "before the change", without=("backend/migrations", "backend/__tests__")),
    Release("v1.1.0", "brings the migrations of the change"),
    Release(LATEST, "the same; a release to go on to"),
    Release(
        "v1.2.0-ill",
        "starts, and then its health fails",
        edits=(("backend/health.js", "await reachable();", "throw new Error('no queue');"),),
    ),
    Release(
        "v1.2.0-crash",
        "ends as soon as it is started",
        edits=(
            ("backend/server.js", "const server =", "throw new Error('no key');\nconst server ="),
        ),
    ),
    Release(
        "v1.2.0-idle",
        "its migration runner exits 0 and did nothing",
        edits=(("backend/scripts/migrate.js", "name.endsWith('.sql')", "name.endsWith('.ddl')"),),
    ),
    Release(
        "v1.2.0-unaudited",
        "flags absences without an audit row: its integration tests fail",
        edits=(
            (
                "backend/repositories/eventRepository.js",
                "await audit(connection, rows, { ignore: true });",
                "return rows;",
            ),
        ),
    ),
)


def repository() -> Path:
    """Return a bare repository with all `RELEASES`, made once. Not to be written to."""
    parts = [
        RELEASES,
        ATTRIBUTES,
        *((path, (SOURCE / path).read_bytes()) for path in _files(SOURCE)),
    ]
    parts += [(path, (MIGRATIONS / path).read_bytes()) for path in _files(MIGRATIONS)]
    key = hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
    return made_once(
        packages.cache() / f"application-{key}.git", "the application's repository", _build
    )


def git(*words: str | Path) -> str:
    """Run git and return its output. Raises `StartFailed`."""
    done = subprocess.run(
        [programs.git(), *words],
        env=os.environ | GIT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise StartFailed(f"git {words[0]}: {done.stderr.strip()[-500:]}")
    return done.stdout


def _build(repository: Path) -> None:
    git("init", "--quiet", "--bare", "--initial-branch=main", repository)
    tree = repository / "tree"
    there: tuple[str | Path, ...] = (f"--git-dir={repository}", f"--work-tree={tree}")
    for release in RELEASES:
        _lay(tree, release)
        git(*there, "add", "--all")
        git(*there, "commit", "--quiet", f"--message={release.about}")
        git(*there, "tag", release.tag)
    git(*there, "update-ref", "refs/heads/main", f"refs/tags/{LATEST}")
    shutil.rmtree(tree)
    (repository / "index").unlink()


def _lay(tree: Path, release: Release) -> None:
    """Write the files of a release into `tree`, in place of those of another."""
    shutil.rmtree(tree, ignore_errors=True)
    for path in _files(SOURCE):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes((SOURCE / path).read_bytes())
    (tree / ".gitattributes").write_text(ATTRIBUTES, encoding="utf-8")
    shutil.copytree(MIGRATIONS, tree / "backend" / "migrations")
    for folder in release.without:
        shutil.rmtree(tree / folder)
    for name, text, instead in release.edits:
        before = (tree / name).read_text(encoding="utf-8")
        if before.count(text) != 1:
            raise ValueError(f"{name} of {release.tag}: {text!r} does not stand there once")
        (tree / name).write_text(before.replace(text, instead), encoding="utf-8")
    about = tree / "backend" / "release.json"
    about.write_text(
        json.dumps(json.loads(about.read_text(encoding="utf-8")) | {"release": release.tag}) + "\n",
        encoding="utf-8",
    )


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in `folder`, but for what npm and jest made there."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] not in {"node_modules", ".jest"}:
            yield inside
