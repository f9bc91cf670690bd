/* A lending library, as it is before its change: nothing in common with attendance. The
   key of loans is BIGINT UNSIGNED, has gaps, and lies beyond 32 bits. */
CREATE TABLE books (
  isbn CHAR(13) NOT NULL PRIMARY KEY,
  title VARCHAR(200) NOT NULL
) ENGINE=InnoDB;
CREATE TABLE loans (
  loan_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  isbn CHAR(13) NOT NULL,
  reader VARCHAR(80) NOT NULL,
  borrowed_on DATE NOT NULL,
  returned_on DATE NULL,
  KEY idx_loans_isbn (isbn),
  CONSTRAINT fk_loans_book FOREIGN KEY (isbn) REFERENCES books (isbn)
) ENGINE=InnoDB;
INSERT INTO books VALUES ('9780141439518', 'Pride and Prejudice'), ('9782070360024', 'L''Étranger');
INSERT INTO loans VALUES
  (5000000001, '9780141439518', 'Ana', '2025-01-01', '2025-01-15'),
  (5000000007, '9782070360024', 'Zoë', '2025-02-01', NULL),
  (5000009000, '9780141439518', 'Bo; "reader"', '2025-03-01', NULL);
