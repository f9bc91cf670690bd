/* event_attendance_audit with its columns, its primary and unique keys by
   their columns, its engine and character set, and no foreign keys. */
SELECT CONCAT('event_attendance_audit ', object) AS check_name,
  COALESCE(MAX(wanted), 'absent') AS expected,
  COALESCE(MAX(found), 'absent') AS actual
FROM (
  SELECT 1 AS place, 'table' AS object, 'BASE TABLE' AS wanted, NULL AS found
  UNION ALL SELECT 2, 'engine', 'InnoDB', NULL
  UNION ALL SELECT 3, 'character set', 'utf8mb4', NULL
  UNION ALL SELECT 4, 'column id', 'bigint unsigned NOT NULL auto_increment', NULL
  UNION ALL SELECT 5, 'column event_id', 'int NOT NULL', NULL
  UNION ALL SELECT 6, 'column participant_id', 'int NOT NULL', NULL
  UNION ALL SELECT 7, 'column user_id', 'int NULL', NULL
  UNION ALL SELECT 8, 'column marked_by', 'int NULL', NULL
  UNION ALL SELECT 9, 'column action', 'enum(''check_in'',''correction'',''mark_absent'',''finalize_attended'') NOT NULL', NULL
  UNION ALL SELECT 10, 'column previous_status', 'enum(''unknown'',''present'',''late'',''absent'') NULL', NULL
  UNION ALL SELECT 11, 'column new_status', 'enum(''unknown'',''present'',''late'',''absent'') NULL', NULL
  UNION ALL SELECT 12, 'column reason', 'text NULL', NULL
  UNION ALL SELECT 13, 'column dedupe_key', 'varchar(191) NULL', NULL
  UNION ALL SELECT 14, 'column performed_at', 'timestamp NOT NULL DEFAULT current_timestamp', NULL
  UNION ALL SELECT 15, 'key PRIMARY (id)', 'there', NULL
  UNION ALL SELECT 16, 'key UNIQUE (dedupe_key)', 'there', NULL
  UNION ALL
  SELECT 17, 'table', NULL, CONVERT(TABLE_TYPE USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.TABLES
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit'
  UNION ALL
  SELECT 17, 'engine', NULL, CONVERT(ENGINE USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.TABLES
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit'
  UNION ALL
  SELECT 17, 'character set', NULL,
    CONVERT(SUBSTRING_INDEX(TABLE_COLLATION, '_', 1) USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.TABLES
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit'
  UNION ALL
  SELECT 17, CONVERT(CONCAT('column ', LOWER(COLUMN_NAME)) USING utf8mb4) COLLATE utf8mb4_bin, NULL,
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
  SELECT 17, CONVERT(CONCAT('key ', IF(INDEX_NAME = 'PRIMARY', 'PRIMARY', 'UNIQUE'), ' (',
      GROUP_CONCAT(COALESCE(COLUMN_NAME, 'an expression'), IF(SUB_PART IS NULL, '', CONCAT('(', SUB_PART, ')'))
        ORDER BY SEQ_IN_INDEX SEPARATOR ', '), ')') USING utf8mb4) COLLATE utf8mb4_bin,
    NULL, 'there'
  FROM information_schema.STATISTICS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit' AND NON_UNIQUE = 0
  GROUP BY INDEX_NAME
  UNION ALL
  SELECT 17, CONVERT(CONCAT('foreign key ', CONSTRAINT_NAME) USING utf8mb4) COLLATE utf8mb4_bin, NULL, 'there'
  FROM information_schema.REFERENTIAL_CONSTRAINTS
  WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit'
) AS both_sides
GROUP BY object
ORDER BY MIN(place), object;
