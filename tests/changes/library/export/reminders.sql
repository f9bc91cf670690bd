/* All rows of reminders. */
SET @query = IF(EXISTS (
    SELECT 1 FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'reminders'),
  'SELECT * FROM reminders ORDER BY reminder_id', 'DO 0');
PREPARE step FROM @query;
EXECUTE step;
DEALLOCATE PREPARE step;
