/* Drops idx_participants_event_attendance if migrate added it, before the
   columns: a column of an index cannot go instantly.
   What an interrupted migrate added counts too: its row of the ledger was never
   finished and names what it was to add, which is there now and was not before.
   Where added is NULL, nobody knows what it was to add.
   The file fails where runbook_ledger does not exist: nobody recorded what was
   added, so nothing may be dropped. */
SET @object = 'index idx_participants_event_attendance';
SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.STATISTICS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
      AND INDEX_NAME = 'idx_participants_event_attendance') THEN 'absent'
  WHEN EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'attendance' AND undone_at IS NULL
      AND (FIND_IN_SET('index:event_participants.idx_participants_event_attendance', added) OR finished_at IS NULL AND added IS NULL AND target = 'event_participants')
      AND (finished_at IS NOT NULL OR NOT FIND_IN_SET('index:event_participants.idx_participants_event_attendance', before_objects))) THEN 'added by migrate'
  ELSE 'was there before, stays'
END;
SET @ddl = IF(@found = 'added by migrate', 'ALTER TABLE event_participants DROP INDEX idx_participants_event_attendance, ALGORITHM=INPLACE, LOCK=NONE', 'DO 0');
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;
