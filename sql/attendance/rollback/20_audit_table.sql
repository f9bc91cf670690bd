/* Drops event_attendance_audit, with all its rows, if migrate created it.
   What an interrupted migrate added counts too: its row of the ledger was never
   finished and names what it was to add, which is there now and was not before.
   Where added is NULL, nobody knows what it was to add.
   The file fails where runbook_ledger does not exist: nobody recorded what was
   added, so nothing may be dropped. */
SET @object = 'table event_attendance_audit';
SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit') THEN 'absent'
  WHEN EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'attendance' AND undone_at IS NULL
      AND (FIND_IN_SET('table:event_attendance_audit', added) OR finished_at IS NULL AND added IS NULL AND target = 'event_attendance_audit')
      AND (finished_at IS NOT NULL OR NOT FIND_IN_SET('table:event_attendance_audit', before_objects))) THEN 'added by migrate'
  ELSE 'was there before, stays'
END;
SET @ddl = IF(@found = 'added by migrate', 'DROP TABLE event_attendance_audit', 'DO 0');
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;
