/* Drops what runbook_ledger says that migrate added, the index before its column. */
SET @object = 'table reminders';
SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'reminders') THEN 'absent'
  WHEN EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'library' AND undone_at IS NULL
      AND (FIND_IN_SET('table:reminders', added) OR finished_at IS NULL AND added IS NULL AND target = 'reminders')
      AND (finished_at IS NOT NULL OR NOT FIND_IN_SET('table:reminders', before_objects))) THEN 'added by migrate'
  ELSE 'was there before, stays'
END;
SET @ddl = IF(@found = 'added by migrate', 'DROP TABLE reminders', 'DO 0');
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @object = 'index idx_loans_due';
SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.STATISTICS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'loans' AND INDEX_NAME = 'idx_loans_due') THEN 'absent'
  WHEN EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'library' AND undone_at IS NULL
      AND (FIND_IN_SET('index:loans.idx_loans_due', added) OR finished_at IS NULL AND added IS NULL AND target = 'loans')
      AND (finished_at IS NOT NULL OR NOT FIND_IN_SET('index:loans.idx_loans_due', before_objects))) THEN 'added by migrate'
  ELSE 'was there before, stays'
END;
SET @ddl = IF(@found = 'added by migrate', 'ALTER TABLE loans DROP INDEX idx_loans_due, ALGORITHM=INPLACE, LOCK=NONE', 'DO 0');
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @object = 'column loans.due_on';
SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'loans' AND COLUMN_NAME = 'due_on') THEN 'absent'
  WHEN EXISTS (
    SELECT 1 FROM runbook_ledger
    WHERE change_name = 'library' AND undone_at IS NULL
      AND (FIND_IN_SET('column:loans.due_on', added) OR finished_at IS NULL AND added IS NULL AND target = 'loans')
      AND (finished_at IS NOT NULL OR NOT FIND_IN_SET('column:loans.due_on', before_objects))) THEN 'added by migrate'
  ELSE 'was there before, stays'
END;
SET @ddl = IF(@found = 'added by migrate', 'ALTER TABLE loans DROP COLUMN due_on, ALGORITHM=INSTANT', 'DO 0');
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;
