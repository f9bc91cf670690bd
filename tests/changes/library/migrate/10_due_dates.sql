/* Adds loans.due_on with its index, and the table reminders. */
SET @object = 'column loans.due_on';
SET @wanted = 'date NULL';
SET @found = COALESCE((
  SELECT CONVERT(CONCAT_WS(' ',
      COLUMN_TYPE,
      IF(IS_NULLABLE = 'YES', 'NULL', 'NOT NULL'),
      CONCAT('DEFAULT ', TRIM(BOTH '''' FROM NULLIF(COLUMN_DEFAULT, 'NULL'))),
      NULLIF(EXTRA, '')
    ) USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'loans' AND COLUMN_NAME = 'due_on'
), 'absent');
SET @ddl = CASE @found
  WHEN 'absent' THEN 'ALTER TABLE loans ADD COLUMN due_on DATE NULL, ALGORITHM=INSTANT'
  WHEN @wanted THEN 'DO 0'
  ELSE CONCAT('refused: loans.due_on is ', @found, ', wanted ', @wanted)
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @object = 'index idx_loans_due';
SET @wanted = '(due_on, returned_on)';
SET @found = COALESCE((
  SELECT CONVERT(CONCAT(
      IF(MIN(NON_UNIQUE) = 0, 'UNIQUE ', ''),
      '(', GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX SEPARATOR ', '), ')'
    ) USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.STATISTICS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'loans' AND INDEX_NAME = 'idx_loans_due'
), 'absent');
SET @ddl = CASE @found
  WHEN 'absent' THEN 'CREATE INDEX idx_loans_due ON loans (due_on, returned_on) ALGORITHM=INPLACE LOCK=NONE'
  WHEN @wanted THEN 'DO 0'
  ELSE CONCAT('refused: idx_loans_due is ', @found, ', wanted ', @wanted)
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @object = 'table reminders';
SET @wanted = 'reminder_id, loan_id, sent_on';
SET @found = COALESCE((
  SELECT CONVERT(GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION SEPARATOR ', ') USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'reminders'
), 'absent');
SET @ddl = CASE @found
  WHEN 'absent' THEN 'CREATE TABLE reminders (
  reminder_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  loan_id BIGINT UNSIGNED NOT NULL,
  sent_on DATE NOT NULL,
  KEY idx_reminders_loan (loan_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4'
  WHEN @wanted THEN 'DO 0'
  ELSE CONCAT('refused: reminders is (', @found, '), wanted (', @wanted, ')')
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;
