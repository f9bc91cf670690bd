/* Drops trg_event_attendance_audit_no_update if the runbook added it, or
   its table. MySQL cannot PREPARE a DROP TRIGGER, so it stands after its guard.
   DO 0 says that it is needed, DO 1 that it has nothing to drop. A trigger that
   was there before stays: that text is no SQL, so mysql stops this file here.
   What an interrupted run added counts too: its row of the ledger was never
   finished and names what it was to add, which is there now and was not before.
   Where added is NULL, nobody knows what it was to add.
   The file fails where runbook_ledger does not exist: nobody recorded what was
   added, so nothing may be dropped. */
SET @object = 'trigger trg_event_attendance_audit_no_update';
SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.TRIGGERS
    WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME = 'trg_event_attendance_audit_no_update') THEN 'absent'
  WHEN EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'attendance' AND undone_at IS NULL
      AND ((FIND_IN_SET('trigger:trg_event_attendance_audit_no_update', added) OR finished_at IS NULL AND added IS NULL AND target = 'event_attendance_audit')
          AND (finished_at IS NOT NULL OR NOT FIND_IN_SET('trigger:trg_event_attendance_audit_no_update', before_objects))
        OR FIND_IN_SET('table:event_attendance_audit', added)
          AND (finished_at IS NOT NULL OR NOT FIND_IN_SET('table:event_attendance_audit', before_objects)))) THEN 'added by the runbook'
  ELSE 'was there before, stays'
END;
SET @ddl = CASE @found
  WHEN 'absent' THEN 'DO 1'
  WHEN 'added by the runbook' THEN 'DO 0'
  ELSE 'stays: trg_event_attendance_audit_no_update was there before'
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;
DROP TRIGGER IF EXISTS trg_event_attendance_audit_no_update;
