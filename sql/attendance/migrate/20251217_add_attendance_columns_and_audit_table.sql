/* Adds the attendance columns and their index to event_participants, and
   creates event_attendance_audit. Runs from any partial state, any number of
   times. MariaDB 10.6 or later, MySQL 8.0.29 or later.

   Each guard puts what is there into @found and compares it with @wanted. What
   is absent is added, what is there as wanted is left alone, and what is there
   with another definition stops the file: its text begins with refused and is
   no SQL, so the server answers PREPARE with a syntax error that quotes it.

   COLLATE utf8mb4_bin makes the comparison exact whatever the collation of the
   connection. MariaDB writes int(11) for int, quotes defaults and writes NULL
   for no default. The expressions over COLUMN_TYPE and COLUMN_DEFAULT even
   these out. */

/* The wrong database is the likeliest reason for a missing table. */
SET @object = 'table event_participants';
SET @wanted = 'BASE TABLE';
SET @found = COALESCE((
  SELECT CONVERT(TABLE_TYPE USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.TABLES
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
), 'absent');
SET @ddl = IF(@found = @wanted, 'DO 0',
  CONCAT('refused: event_participants is ', @found, ' in ', DATABASE(), ', wanted ', @wanted));
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

/* NOT NULL with a default lets the instant ADD COLUMN do the backfill by
   itself. Some environments have the column as nullable already. That is
   accepted: the backfill fills its NULLs, and the application reads NULL as
   unknown. */
SET @object = 'column event_participants.attendance_status';
SET @wanted = 'enum(''unknown'',''present'',''late'',''absent'') NOT NULL DEFAULT unknown';
SET @found = COALESCE((
  SELECT CONVERT(CONCAT_WS(' ',
      COLUMN_TYPE,
      IF(IS_NULLABLE = 'YES', 'NULL', 'NOT NULL'),
      CONCAT('DEFAULT ', TRIM(BOTH '''' FROM NULLIF(COLUMN_DEFAULT, 'NULL'))),
      NULLIF(EXTRA, '')
    ) USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
    AND COLUMN_NAME = 'attendance_status'
), 'absent');
SET @ddl = CASE @found
  WHEN 'absent' THEN 'ALTER TABLE event_participants ADD COLUMN attendance_status ENUM(''unknown'',''present'',''late'',''absent'') NOT NULL DEFAULT ''unknown'', ALGORITHM=INSTANT'
  WHEN @wanted THEN 'DO 0'
  WHEN REPLACE(@wanted, 'NOT NULL', 'NULL') THEN 'DO 0'
  ELSE CONCAT('refused: event_participants.attendance_status is ', @found, ', wanted ', @wanted)
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @object = 'column event_participants.attendance_marked_at';
SET @wanted = 'timestamp NULL';
SET @found = COALESCE((
  SELECT CONVERT(CONCAT_WS(' ',
      COLUMN_TYPE,
      IF(IS_NULLABLE = 'YES', 'NULL', 'NOT NULL'),
      CONCAT('DEFAULT ', TRIM(BOTH '''' FROM NULLIF(COLUMN_DEFAULT, 'NULL'))),
      NULLIF(EXTRA, '')
    ) USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
    AND COLUMN_NAME = 'attendance_marked_at'
), 'absent');
SET @ddl = CASE @found
  WHEN 'absent' THEN 'ALTER TABLE event_participants ADD COLUMN attendance_marked_at TIMESTAMP NULL DEFAULT NULL, ALGORITHM=INSTANT'
  WHEN @wanted THEN 'DO 0'
  ELSE CONCAT('refused: event_participants.attendance_marked_at is ', @found, ', wanted ', @wanted)
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @object = 'column event_participants.attendance_marked_by';
SET @wanted = 'int NULL';
SET @found = COALESCE((
  SELECT CONVERT(CONCAT_WS(' ',
      IF(COLUMN_TYPE LIKE 'int(%', CONCAT('int', SUBSTRING_INDEX(COLUMN_TYPE, ')', -1)), COLUMN_TYPE),
      IF(IS_NULLABLE = 'YES', 'NULL', 'NOT NULL'),
      CONCAT('DEFAULT ', TRIM(BOTH '''' FROM NULLIF(COLUMN_DEFAULT, 'NULL'))),
      NULLIF(EXTRA, '')
    ) USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
    AND COLUMN_NAME = 'attendance_marked_by'
), 'absent');
SET @ddl = CASE @found
  WHEN 'absent' THEN 'ALTER TABLE event_participants ADD COLUMN attendance_marked_by INT NULL, ALGORITHM=INSTANT'
  WHEN @wanted THEN 'DO 0'
  ELSE CONCAT('refused: event_participants.attendance_marked_by is ', @found, ', wanted ', @wanted)
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

/* The notes take the character set of their table. One that is there must be
   utf8mb4 or the same as its table. */
SET @object = 'column event_participants.attendance_notes';
SET @wanted = 'text NULL';
SET @found = COALESCE((
  SELECT CONVERT(CONCAT_WS(' ',
      c.COLUMN_TYPE,
      IF(c.CHARACTER_SET_NAME = 'utf8mb4' OR t.TABLE_COLLATION LIKE CONCAT(c.CHARACTER_SET_NAME, '_%'),
        NULL, CONCAT('CHARACTER SET ', c.CHARACTER_SET_NAME)),
      IF(c.IS_NULLABLE = 'YES', 'NULL', 'NOT NULL'),
      CONCAT('DEFAULT ', TRIM(BOTH '''' FROM NULLIF(c.COLUMN_DEFAULT, 'NULL'))),
      NULLIF(c.EXTRA, '')
    ) USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.COLUMNS AS c
  JOIN information_schema.TABLES AS t USING (TABLE_SCHEMA, TABLE_NAME)
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
    AND c.COLUMN_NAME = 'attendance_notes'
), 'absent');
SET @ddl = CASE @found
  WHEN 'absent' THEN 'ALTER TABLE event_participants ADD COLUMN attendance_notes TEXT NULL, ALGORITHM=INSTANT'
  WHEN @wanted THEN 'DO 0'
  ELSE CONCAT('refused: event_participants.attendance_notes is ', @found, ', wanted ', @wanted)
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @object = 'column event_participants.attendance_updated_at';
SET @wanted = 'timestamp NULL';
SET @found = COALESCE((
  SELECT CONVERT(CONCAT_WS(' ',
      COLUMN_TYPE,
      IF(IS_NULLABLE = 'YES', 'NULL', 'NOT NULL'),
      CONCAT('DEFAULT ', TRIM(BOTH '''' FROM NULLIF(COLUMN_DEFAULT, 'NULL'))),
      NULLIF(EXTRA, '')
    ) USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
    AND COLUMN_NAME = 'attendance_updated_at'
), 'absent');
SET @ddl = CASE @found
  WHEN 'absent' THEN 'ALTER TABLE event_participants ADD COLUMN attendance_updated_at TIMESTAMP NULL DEFAULT NULL, ALGORITHM=INSTANT'
  WHEN @wanted THEN 'DO 0'
  ELSE CONCAT('refused: event_participants.attendance_updated_at is ', @found, ', wanted ', @wanted)
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

/* MySQL has IS_VISIBLE in information_schema.STATISTICS, MariaDB has IGNORED.
   The name that the server lacks resolves to the outer row instead. */
SET @object = 'index idx_participants_event_attendance';
SET @wanted = '(event_id, attendance_status)';
SET @found = COALESCE((
  SELECT (
    SELECT CONVERT(CONCAT(
        IF(MIN(NON_UNIQUE) = 0, 'UNIQUE ', ''),
        IF(MIN(INDEX_TYPE) = 'BTREE', '', CONCAT(MIN(INDEX_TYPE), ' ')),
        '(',
        GROUP_CONCAT(
          COALESCE(COLUMN_NAME, 'an expression'),
          IF(SUB_PART IS NULL, '', CONCAT('(', SUB_PART, ')')),
          IF(COLLATION = 'D', ' DESC', '')
          ORDER BY SEQ_IN_INDEX SEPARATOR ', '),
        ')',
        MAX(IF(IS_VISIBLE = 'NO' OR `IGNORED` = 'YES', ' which the optimizer ignores', ''))
      ) USING utf8mb4) COLLATE utf8mb4_bin
    FROM information_schema.STATISTICS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
      AND INDEX_NAME = 'idx_participants_event_attendance')
  FROM (SELECT 'YES' AS IS_VISIBLE, 'NO' AS `IGNORED`) AS elsewhere
), 'absent');
SET @ddl = CASE @found
  WHEN 'absent' THEN 'ALTER TABLE event_participants ADD INDEX idx_participants_event_attendance (event_id, attendance_status), ALGORITHM=INPLACE, LOCK=NONE'
  WHEN @wanted THEN 'DO 0'
  ELSE CONCAT('refused: idx_participants_event_attendance is ', @found, ', wanted ', @wanted)
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;

/* The audit table has no foreign keys: a cascade would delete its rows without
   firing the append-only triggers. dedupe_key is UNIQUE, so that INSERT IGNORE
   records an automatic absence once.

   A table that is there is compared column by column, with its primary and
   unique keys by their columns, its foreign keys, engine and character set.
   Further non-unique indexes are tuning: more or fewer of them are accepted. */
SET @object = 'table event_attendance_audit';
SET @difference = (
  SELECT GROUP_CONCAT(object, ' is ', COALESCE(found, 'absent'), ' (wanted ', COALESCE(wanted, 'absent'), ')'
    ORDER BY object SEPARATOR ', ')
  FROM (
    SELECT object, MAX(wanted) AS wanted, MAX(found) AS found
    FROM (
      SELECT 'id' AS object, 'bigint unsigned NOT NULL auto_increment' AS wanted, NULL AS found
      UNION ALL SELECT 'event_id', 'int NOT NULL', NULL
      UNION ALL SELECT 'participant_id', 'int NOT NULL', NULL
      UNION ALL SELECT 'user_id', 'int NULL', NULL
      UNION ALL SELECT 'marked_by', 'int NULL', NULL
      UNION ALL SELECT 'action', 'enum(''check_in'',''correction'',''mark_absent'',''finalize_attended'') NOT NULL', NULL
      UNION ALL SELECT 'previous_status', 'enum(''unknown'',''present'',''late'',''absent'') NULL', NULL
      UNION ALL SELECT 'new_status', 'enum(''unknown'',''present'',''late'',''absent'') NULL', NULL
      UNION ALL SELECT 'reason', 'text NULL', NULL
      UNION ALL SELECT 'dedupe_key', 'varchar(191) NULL', NULL
      UNION ALL SELECT 'performed_at', 'timestamp NOT NULL DEFAULT current_timestamp', NULL
      UNION ALL SELECT 'the key PRIMARY (id)', 'there', NULL
      UNION ALL SELECT 'the key UNIQUE (dedupe_key)', 'there', NULL
      UNION ALL SELECT 'the engine', 'InnoDB', NULL
      UNION ALL SELECT 'the character set', 'utf8mb4', NULL
      UNION ALL
      SELECT CONVERT(LOWER(COLUMN_NAME) USING utf8mb4) COLLATE utf8mb4_bin, NULL,
        CONVERT(CONCAT_WS(' ',
          IF(COLUMN_TYPE LIKE 'int(%' OR COLUMN_TYPE LIKE 'bigint(%',
            CONCAT(DATA_TYPE, SUBSTRING_INDEX(COLUMN_TYPE, ')', -1)), COLUMN_TYPE),
          CONCAT('CHARACTER SET ', NULLIF(CHARACTER_SET_NAME, 'utf8mb4')),
          IF(IS_NULLABLE = 'YES', 'NULL', 'NOT NULL'),
          CONCAT('DEFAULT ', REPLACE(LOWER(TRIM(BOTH '''' FROM NULLIF(COLUMN_DEFAULT, 'NULL'))), '()', '')),
          NULLIF(REPLACE(EXTRA, 'DEFAULT_GENERATED', ''), '')
        ) USING utf8mb4) COLLATE utf8mb4_bin
      FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit'
      UNION ALL
      SELECT CONVERT(CONCAT('the key ', IF(INDEX_NAME = 'PRIMARY', 'PRIMARY', 'UNIQUE'), ' (',
          GROUP_CONCAT(COALESCE(COLUMN_NAME, 'an expression'), IF(SUB_PART IS NULL, '', CONCAT('(', SUB_PART, ')'))
            ORDER BY SEQ_IN_INDEX SEPARATOR ', '), ')') USING utf8mb4) COLLATE utf8mb4_bin,
        NULL, 'there'
      FROM information_schema.STATISTICS
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit' AND NON_UNIQUE = 0
      GROUP BY INDEX_NAME
      UNION ALL
      SELECT CONVERT(CONCAT('the foreign key ', CONSTRAINT_NAME) USING utf8mb4) COLLATE utf8mb4_bin, NULL, 'there'
      FROM information_schema.REFERENTIAL_CONSTRAINTS
      WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit'
      UNION ALL
      SELECT 'the engine', NULL, CONVERT(COALESCE(ENGINE, TABLE_TYPE) USING utf8mb4) COLLATE utf8mb4_bin
      FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit'
      UNION ALL
      SELECT 'the character set', NULL,
        CONVERT(SUBSTRING_INDEX(TABLE_COLLATION, '_', 1) USING utf8mb4) COLLATE utf8mb4_bin
      FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit'
    ) AS both_sides
    GROUP BY object
    HAVING NOT (MAX(wanted) <=> MAX(found))
  ) AS differences
);
SET @wanted = 'as wanted';
SET @found = CASE
  WHEN NOT EXISTS (
    SELECT 1 FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit') THEN 'absent'
  ELSE COALESCE(@difference, @wanted)
END;
SET @ddl = CASE @found
  WHEN 'absent' THEN 'CREATE TABLE event_attendance_audit (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  event_id INT NOT NULL,
  participant_id INT NOT NULL,
  user_id INT NULL,
  marked_by INT NULL,
  action ENUM(''check_in'',''correction'',''mark_absent'',''finalize_attended'') NOT NULL,
  previous_status ENUM(''unknown'',''present'',''late'',''absent'') NULL,
  new_status ENUM(''unknown'',''present'',''late'',''absent'') NULL,
  reason TEXT NULL,
  dedupe_key VARCHAR(191) NULL,
  performed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (id),
  UNIQUE KEY uq_attendance_audit_dedupe_key (dedupe_key),
  KEY idx_attendance_audit_event (event_id, performed_at),
  KEY idx_attendance_audit_participant (participant_id, performed_at),
  KEY idx_attendance_audit_performed_at (performed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4'
  WHEN @wanted THEN 'DO 0'
  ELSE CONCAT('refused: event_attendance_audit: ', @found)
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;
