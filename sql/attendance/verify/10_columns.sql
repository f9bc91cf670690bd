/* The attendance columns of event_participants with their definitions. The
   nullability of attendance_status is left out: migrate accepts both, and
   40_backfill.sql checks that no row is NULL. */
SELECT CONCAT('column ', object) AS check_name,
  COALESCE(MAX(wanted), 'absent') AS expected,
  COALESCE(MAX(found), 'absent') AS actual
FROM (
  SELECT 'attendance_status' AS object,
    'enum(''unknown'',''present'',''late'',''absent'') DEFAULT unknown' AS wanted, NULL AS found
  UNION ALL SELECT 'attendance_marked_at', 'timestamp NULL', NULL
  UNION ALL SELECT 'attendance_marked_by', 'int NULL', NULL
  UNION ALL SELECT 'attendance_notes', 'text NULL', NULL
  UNION ALL SELECT 'attendance_updated_at', 'timestamp NULL', NULL
  UNION ALL
  SELECT CONVERT(LOWER(c.COLUMN_NAME) USING utf8mb4) COLLATE utf8mb4_bin, NULL,
    CONVERT(CONCAT_WS(' ',
      IF(c.COLUMN_TYPE LIKE 'int(%', CONCAT('int', SUBSTRING_INDEX(c.COLUMN_TYPE, ')', -1)), c.COLUMN_TYPE),
      IF(c.CHARACTER_SET_NAME = 'utf8mb4' OR t.TABLE_COLLATION LIKE CONCAT(c.CHARACTER_SET_NAME, '_%')
        OR c.COLUMN_NAME = 'attendance_status', NULL, CONCAT('CHARACTER SET ', c.CHARACTER_SET_NAME)),
      IF(c.COLUMN_NAME = 'attendance_status', NULL, IF(c.IS_NULLABLE = 'YES', 'NULL', 'NOT NULL')),
      CONCAT('DEFAULT ', TRIM(BOTH '''' FROM NULLIF(c.COLUMN_DEFAULT, 'NULL'))),
      NULLIF(c.EXTRA, '')
    ) USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.COLUMNS AS c
  JOIN information_schema.TABLES AS t USING (TABLE_SCHEMA, TABLE_NAME)
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
    AND c.COLUMN_NAME IN ('attendance_status', 'attendance_marked_at', 'attendance_marked_by',
      'attendance_notes', 'attendance_updated_at')
) AS both_sides
GROUP BY object
ORDER BY FIELD(object, 'attendance_status', 'attendance_marked_at', 'attendance_marked_by',
  'attendance_notes', 'attendance_updated_at');
