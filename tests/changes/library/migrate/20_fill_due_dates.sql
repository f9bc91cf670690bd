/* A loan is due three weeks after it was made. */
SET @chunk_from = (SELECT COALESCE(MIN(loan_id), 0) FROM loans);
SET @chunk_to = (SELECT COALESCE(MAX(loan_id), 0) FROM loans);
UPDATE loans
SET due_on = borrowed_on + INTERVAL 21 DAY
WHERE loan_id BETWEEN @chunk_from AND @chunk_to
  AND due_on IS NULL;
