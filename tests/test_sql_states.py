"""The attendance change from every partial state: there, and back to the very same."""

from __future__ import annotations

from itertools import product

import pytest

from sandbox.sandbox import Sandbox
from tests.conftest import FLAVOURS
from tests.schemas import ATTENDANCE, Schema, base, schema, sql_files

ADD = "ALTER TABLE event_participants ADD "
PARTS = {
    "column:event_participants.attendance_status": ADD
    + "attendance_status ENUM('unknown','present','late','absent') NULL DEFAULT 'unknown'",
    "column:event_participants.attendance_marked_at": ADD + "attendance_marked_at TIMESTAMP NULL",
    "column:event_participants.attendance_marked_by": ADD + "attendance_marked_by INT",
    "column:event_participants.attendance_notes": ADD + "attendance_notes TEXT",
    "column:event_participants.attendance_updated_at": ADD + "attendance_updated_at TIMESTAMP NULL",
    "index:event_participants.idx_participants_event_attendance": ADD
    + "INDEX idx_participants_event_attendance (event_id, attendance_status)",
    "table:event_attendance_audit": """\
CREATE TABLE event_attendance_audit (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  event_id INT NOT NULL, participant_id INT NOT NULL, user_id INT, marked_by INT,
  action ENUM('check_in','correction','mark_absent','finalize_attended') NOT NULL,
  previous_status ENUM('unknown','present','late','absent'),
  new_status ENUM('unknown','present','late','absent'),
  reason TEXT, dedupe_key VARCHAR(191) UNIQUE,
  performed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""",
}
"""Every part of the attendance change as somebody may have added it by hand."""
NAMES = tuple(PARTS)
STATUS, INDEX, TABLE = NAMES[0], NAMES[5], NAMES[6]

State = tuple[str, ...]
STATES: list[State] = [
    tuple(name for name, there in zip(NAMES, flags, strict=True) if there)
    for flags in product((False, True), repeat=len(NAMES))
]
STATES = [state for state in STATES if INDEX not in state or STATUS in state]
FEW = [
    (),
    NAMES,
    (STATUS,),
    (TABLE,),
    (STATUS, INDEX),
    NAMES[:5],
    (*NAMES[1:5], TABLE),
    (NAMES[1], NAMES[3]),
]


@pytest.fixture(params=FLAVOURS)
def server(request: pytest.FixtureRequest) -> Sandbox:
    """Return each server in turn."""
    found: Sandbox = request.getfixturevalue(f"{request.param}_server")
    return found


def round_trip(of: Schema, state: State) -> None:
    """Check that migrate brings `state` to its end, and rollback back to the very same."""
    of.run(*(PARTS[name] for name in state))
    before, objects = of.definitions(), of.objects()
    file, backfill = sql_files(ATTENDANCE / "migrate")
    chosen = of.chosen(file)
    assert of.chosen(backfill) == []
    assert [choice.text == "DO 0" for choice in chosen] == [
        True,  # event_participants itself
        *(name in state for name in NAMES),
    ]
    assert [choice.found == "absent" for choice in chosen[1:]] == [n not in state for n in NAMES]
    for folder in ("verify", "export"):
        of.apply(ATTENDANCE / folder)
    of.apply(ATTENDANCE / "migrate")
    migrated = of.definitions()
    of.apply(ATTENDANCE / "migrate")
    assert of.definitions() == migrated
    assert of.wrong(ATTENDANCE / "verify") == {}
    added = of.added_since(objects)
    assert added == sorted(set(NAMES) - set(state))
    of.record("attendance", added)
    of.apply(ATTENDANCE / "rollback")
    assert of.definitions() == before


@pytest.mark.parametrize("state", FEW, ids=lambda state: str(len(state)))
def test_there_and_back_from_some_partial_states(server: Sandbox, state: State) -> None:
    """From a partial state only what is missing is added, and only that goes again."""
    with schema(server, base(ATTENDANCE)) as made:
        round_trip(made, state)


@pytest.mark.wide
@pytest.mark.parametrize("part", range(8))
def test_there_and_back_from_every_partial_state(server: Sandbox, part: int) -> None:
    """From each of the 96 possible partial states, migrate and rollback come out right."""
    assert len(STATES) == 96
    for state in STATES[part::8]:
        with schema(server, base(ATTENDANCE)) as made:
            round_trip(made, state)
