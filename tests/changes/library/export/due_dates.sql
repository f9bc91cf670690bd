/* The due date of every loan. */
SET @query = IF(EXISTS (
    SELECT 1 FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'loans' AND COLUMN_NAME = 'due_on'),
  'SELECT loan_id, due_on FROM loans WHERE due_on IS NOT NULL ORDER BY loan_id', 'DO 0');
PREPARE step FROM @query;
EXECUTE step;
DEALLOCATE PREPARE step;
