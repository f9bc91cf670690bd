/* No participant is left without a status. The column may not be there yet,
   so information_schema chooses the query. */
SET @query = IF(EXISTS (
    SELECT 1 FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
      AND COLUMN_NAME = 'attendance_status'),
  'SELECT ''registered participants without attendance_status'' AS check_name, ''0'' AS expected,
  CAST(COALESCE(SUM(status = ''registered''), 0) AS CHAR) AS actual
FROM event_participants WHERE attendance_status IS NULL
UNION ALL
SELECT ''participants without attendance_status'', ''0'', CAST(COUNT(*) AS CHAR)
FROM event_participants WHERE attendance_status IS NULL',
  'SELECT ''participants without attendance_status'' AS check_name, ''0'' AS expected, ''absent'' AS actual');
PREPARE step FROM @query;
EXECUTE step;
DEALLOCATE PREPARE step;
