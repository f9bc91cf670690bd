/* All rows of event_attendance_audit. */
SET @query = IF(EXISTS (
    SELECT 1 FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit'),
  'SELECT * FROM event_attendance_audit ORDER BY id', 'DO 0');
PREPARE step FROM @query;
EXECUTE step;
DEALLOCATE PREPARE step;
