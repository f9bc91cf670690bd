/* Drops those attendance columns that migrate added, last added first. A
   column that was there before stays, with its data.
   The file fails where runbook_ledger does not exist: nobody recorded what was
   added, so nothing may be dropped. */
SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
      AND COLUMN_NAME = 'attendance_updated_at') THEN 'absent'
  WHEN EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'attendance' AND undone_at IS NULL
      AND FIND_IN_SET('column:event_participants.attendance_updated_at', added)) THEN 'added by migrate'
  ELSE 'was there before, stays'
END;
SET @ddl = IF(@found = 'added by migrate', 'ALTER TABLE event_participants DROP COLUMN attendance_updated_at, ALGORITHM=INSTANT', 'DO 0');
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
      AND COLUMN_NAME = 'attendance_notes') THEN 'absent'
  WHEN EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'attendance' AND undone_at IS NULL
      AND FIND_IN_SET('column:event_participants.attendance_notes', added)) THEN 'added by migrate'
  ELSE 'was there before, stays'
END;
SET @ddl = IF(@found = 'added by migrate', 'ALTER TABLE event_participants DROP COLUMN attendance_notes, ALGORITHM=INSTANT', 'DO 0');
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
      AND COLUMN_NAME = 'attendance_marked_by') THEN 'absent'
  WHEN EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'attendance' AND undone_at IS NULL
      AND FIND_IN_SET('column:event_participants.attendance_marked_by', added)) THEN 'added by migrate'
  ELSE 'was there before, stays'
END;
SET @ddl = IF(@found = 'added by migrate', 'ALTER TABLE event_participants DROP COLUMN attendance_marked_by, ALGORITHM=INSTANT', 'DO 0');
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
      AND COLUMN_NAME = 'attendance_marked_at') THEN 'absent'
  WHEN EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'attendance' AND undone_at IS NULL
      AND FIND_IN_SET('column:event_participants.attendance_marked_at', added)) THEN 'added by migrate'
  ELSE 'was there before, stays'
END;
SET @ddl = IF(@found = 'added by migrate', 'ALTER TABLE event_participants DROP COLUMN attendance_marked_at, ALGORITHM=INSTANT', 'DO 0');
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
      AND COLUMN_NAME = 'attendance_status') THEN 'absent'
  WHEN EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'attendance' AND undone_at IS NULL
      AND FIND_IN_SET('column:event_participants.attendance_status', added)) THEN 'added by migrate'
  ELSE 'was there before, stays'
END;
SET @ddl = IF(@found = 'added by migrate', 'ALTER TABLE event_participants DROP COLUMN attendance_status, ALGORITHM=INSTANT', 'DO 0');
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;
