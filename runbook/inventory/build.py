"""From the checked values of an environment to the frozen `Environment`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from runbook.application import Health
from runbook.environment import (
    Address,
    Backup,
    Database,
    Environment,
    Host,
    Policy,
    Replica,
    Secret,
    Timeouts,
    Tls,
)
from runbook.inventory import shape
from runbook.inventory.files import beginning
from runbook.inventory.kinds import InFile
from runbook.inventory.mistakes import Gathered, Place
from runbook.inventory.records import Fields, Key
from runbook.inventory.sections import (
    deploy,
    logs,
    manual,
    notify,
    runner,
    smoke,
    validate,
    watch,
    windows,
)
from runbook.inventory.words import has_invisible_characters

T = TypeVar("T")
LONGEST_FILE = 4096


def build(name: str, at: Place, fields: Fields, root: Path, *, files: bool = True) -> Environment:
    """Return the environment; relative paths are taken from the folder `root`.

    Reads the files that hold a value (`{file: …}`) and looks whether the other
    files that are named are there; passwords and private keys are left alone.
    Raises InventoryError with every file that is missing or wrong; what the
    environment is about is its advice. Without `files` it does not mind.
    """
    builder = _Builder(fields, root)
    environment = builder.environment(name, f"{at.file}:{at.line}")
    if files:
        builder.tell_missing()
        builder.mistakes.report(advice=f"{name} is: {environment.about}")
    return environment


def _places(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield where each written value stands, by the path of its key."""
    if isinstance(value, Fields):
        for name, place in value.places.items():
            yield f"{path}{name}", f"{place.file}:{place.line}"
        value = value.values
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _places(each, f"{path}{name}.")


class _Builder:
    """Builds one environment, and goes on after a file that is missing or wrong."""

    def __init__(self, fields: Fields, root: Path) -> None:
        self.fields = fields
        self.root = root
        self.mistakes = Gathered()
        self.missing: dict[Path, dict[str, Place]] = {}

    def environment(self, name: str, source: str) -> Environment:
        fields = self.fields
        health, timeouts = fields[shape.HEALTH], fields[shape.TIMEOUTS]
        return Environment(
            name=name,
            about=fields[shape.ABOUT],
            change=self._there(fields, shape.CHANGE, Path.is_dir) or self.root,
            hosts=tuple(self._host(*item) for item in fields[shape.HOSTS].items()),
            database=self._database(fields[shape.DATABASE]),
            backup=self._backup(fields[shape.BACKUP]),
            health=tuple(
                Health(each, check[shape.HEALTH_ROLE], check[shape.HEALTH_COMMAND])
                for each, check in health.items()
            ),
            deploy=deploy.deploy(fields[deploy.DEPLOY]),
            runner=runner.runner(fields[runner.RUNNER]),
            validation=validate.validation(fields[validate.VALIDATE]),
            manual=manual.manual(fields[manual.MANUAL]),
            smoke=smoke.smoke(fields[smoke.SMOKE]),
            logs=logs.logs(fields[logs.LOGS]),
            monitor=logs.monitor(fields[logs.MONITOR]),
            notify=notify.notify(fields[notify.NOTIFY], self._secret),
            windows=windows.windows(fields[windows.WINDOWS]),
            watch=watch.watch(fields[watch.WATCH]),
            timeouts=Timeouts(**{key.name: timeouts[key] for key in shape.EVERY_TIMEOUT}),
            policy=_policy(fields[shape.POLICY]),
            state=self._path(fields[shape.STATE]),
            source=source,
            places=dict(_places(fields)),
        )

    def _host(self, name: str, host: Fields) -> Host:
        key = host[shape.SSH_KEY]
        return Host(
            name=name,
            roles=host[shape.ROLES],
            address=host[shape.ADDRESS],
            port=self._value(host[shape.SSH_PORT]),
            user=host[shape.SSH_USER],
            key=None if key is None else self._path(key),
            known_hosts=self._there(host, shape.KNOWN_HOSTS),
            jump=host[shape.JUMP],
            ssh_config=self._there(host, shape.SSH_CONFIG),
        )

    def _database(self, database: Fields) -> Database:
        tls = database[shape.TLS]
        return Database(
            name=database[shape.DATABASE_NAME],
            via=database[shape.VIA],
            address=self._address(database),
            user=database[shape.DATABASE_USER],
            password=self._secret(database[shape.PASSWORD]),
            tls=None
            if tls is None
            else Tls(self._there(tls, shape.TLS_CA), tls[shape.TLS_HOSTNAME]),
            replicas=tuple(
                Replica(name, replica[shape.VIA], self._address(replica))
                for name, replica in database[shape.REPLICAS].items()
            ),
        )

    def _backup(self, backup: Fields) -> Backup:
        return Backup(
            host=backup[shape.BACKUP_HOST],
            folder=self._value(backup[shape.FOLDER]) or "",
            keep=backup[shape.KEEP],
            max_age=backup[shape.MAX_AGE],
            snapshot=backup[shape.SNAPSHOT],
        )

    def _address(self, server: Fields) -> Address:
        return Address(server[shape.SERVER], self._value(server[shape.SERVER_PORT]) or 0)

    def _secret(self, secret: Secret) -> Secret:
        return replace(secret, file=self._path(str(secret.file))) if secret.file else secret

    def _path(self, written: str) -> Path:
        return self.root / os.path.expanduser(written)  # noqa: PTH111 - leaves an unknown ~x alone

    def _there(
        self,
        fields: Fields,
        key: Key[str] | Key[str | None],
        is_there: Callable[[Path], bool] = Path.is_file,
    ) -> Path | None:
        """Return the path at `key`; one that is written and not there is a mistake."""
        written = fields[key]
        if written is None:
            return None
        path = self._path(written)
        if not is_there(path):
            what = "folder" if is_there is Path.is_dir else "file"
            self._misses(path, fields.where(key), f"there is no {what} {path}")
        return path

    def _value(self, value: T | InFile[T]) -> T | None:
        """Return the value itself, or what its file holds; None after a mistake."""
        if not isinstance(value, InFile):
            return value
        path = self._path(value.path)
        try:
            held = beginning(path, LONGEST_FILE).data.decode().strip()
            if has_invisible_characters(held):
                raise ValueError
            parsed: T = value.word.parse(held)
        except FileNotFoundError:
            self._misses(path, value.place, f"there is no file {path}")
        except OSError as error:
            self.mistakes.add(value.place.error(f"cannot read {path}: {error.strerror}"))
        except ValueError:
            message = f"expected {value.word.expected} in the file {path}"
            self.mistakes.add(value.place.error(message))
        else:
            return parsed
        return None

    def _misses(self, path: Path, at: Place, message: str) -> None:
        """Keep that `path` is not there, under the outermost folder that is not there either."""
        absent = path
        while not absent.parent.exists():
            absent = absent.parent
        self.missing.setdefault(absent, {}).setdefault(message, at)

    def tell_missing(self) -> None:
        """Make a mistake of every missing file; of a whole missing folder, one."""
        for absent, wanted in self.missing.items():
            message, at = next(iter(wanted.items()))
            if len(wanted) > 1:
                message = f"there is no {absent}, which holds {len(wanted)} of the files named here"
            self.mistakes.add(at.error(message))


def _policy(policy: Fields) -> Policy:
    return Policy(
        confirm=policy[shape.CONFIRM],
        max_transaction_age=policy[shape.TRANSACTION_AGE],
        max_replica_lag=policy[shape.REPLICA_LAG],
        chunk_time=policy[shape.CHUNK_TIME],
        never=policy[shape.NEVER],
    )
