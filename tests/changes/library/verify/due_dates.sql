/* The column, the index and the table are there, and every loan has a due date. */
SELECT 'columns of the change' AS check_name, 'loans.due_on, reminders.loan_id' AS expected,
  COALESCE(GROUP_CONCAT(TABLE_NAME, '.', COLUMN_NAME ORDER BY TABLE_NAME SEPARATOR ', '), 'absent') AS actual
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = DATABASE()
  AND ((TABLE_NAME = 'loans' AND COLUMN_NAME = 'due_on') OR (TABLE_NAME = 'reminders' AND COLUMN_NAME = 'loan_id'));
SELECT 'index idx_loans_due' AS check_name, 'due_on, returned_on' AS expected,
  COALESCE(GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX SEPARATOR ', '), 'absent') AS actual
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'loans' AND INDEX_NAME = 'idx_loans_due';
SET @query = IF(EXISTS (
    SELECT 1 FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'loans' AND COLUMN_NAME = 'due_on'),
  'SELECT ''loans without a due date'' AS check_name, ''0'' AS expected, CAST(COUNT(*) AS CHAR) AS actual
FROM loans WHERE due_on IS NULL',
  'SELECT ''loans without a due date'' AS check_name, ''0'' AS expected, ''absent'' AS actual');
PREPARE step FROM @query;
EXECUTE step;
DEALLOCATE PREPARE step;
