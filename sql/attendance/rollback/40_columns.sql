/* Drops those attendance columns that migrate added, in one statement: it
   happens whole or not at all, so an interrupted rollback never leaves half of
   the attendance data. A column that was there before stays, with its data.
   What an interrupted migrate added counts too: its row of the ledger was never
   finished and names what it was to add, which is there now and was not before.
   Where added is NULL, nobody knows what it was to add.
   The file fails where runbook_ledger does not exist: nobody recorded what was
   added, so nothing may be dropped. */
SET @object = 'attendance columns of event_participants';
SET @added = (
  SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION DESC)
  FROM (
    SELECT CONVERT(COLUMN_NAME USING utf8mb4) COLLATE utf8mb4_bin AS COLUMN_NAME, ORDINAL_POSITION
    FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
      AND COLUMN_NAME IN ('attendance_status', 'attendance_marked_at', 'attendance_marked_by',
        'attendance_notes', 'attendance_updated_at')
  ) AS there
  WHERE EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'attendance' AND undone_at IS NULL
      AND (FIND_IN_SET(CONCAT('column:event_participants.', COLUMN_NAME), added) OR finished_at IS NULL AND added IS NULL AND target = 'event_participants')
      AND (finished_at IS NOT NULL OR NOT FIND_IN_SET(CONCAT('column:event_participants.', COLUMN_NAME), before_objects))));
SET @kept = (
  SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION SEPARATOR ', ')
  FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
    AND COLUMN_NAME IN ('attendance_status', 'attendance_marked_at', 'attendance_marked_by',
      'attendance_notes', 'attendance_updated_at')
    AND NOT FIND_IN_SET(CONVERT(COLUMN_NAME USING utf8mb4) COLLATE utf8mb4_bin, COALESCE(@added, '')));
SET @found = COALESCE(NULLIF(CONCAT_WS(', and ', IF(@added IS NULL, NULL, 'added by migrate'),
  CONCAT(@kept, ' was there before, stays')), ''), 'absent');
SET @ddl = COALESCE(CONCAT('ALTER TABLE event_participants DROP COLUMN ',
  REPLACE(@added, ',', ', DROP COLUMN '), ', ALGORITHM=INSTANT'), 'DO 0');
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;
