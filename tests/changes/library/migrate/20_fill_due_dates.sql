/* A loan is due three weeks after it was made. */
SELECT COALESCE(MIN(loan_id), 0) INTO @chunk_from FROM loans;
SELECT COALESCE(MAX(loan_id), 0) INTO @chunk_to FROM loans;
UPDATE loans
SET due_on = borrowed_on + INTERVAL 21 DAY
WHERE loan_id BETWEEN @chunk_from AND @chunk_to
  AND due_on IS NULL;
