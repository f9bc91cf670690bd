/* The index with its columns in order, usable by the optimizer. MySQL has
   IS_VISIBLE in information_schema.STATISTICS, MariaDB has IGNORED. The name
   that the server lacks resolves to the outer row instead. */
SELECT 'index idx_participants_event_attendance' AS check_name,
  '(event_id, attendance_status)' AS expected,
  COALESCE((
    SELECT CONCAT(
      IF(MIN(NON_UNIQUE) = 0, 'UNIQUE ', ''),
      IF(MIN(INDEX_TYPE) = 'BTREE', '', CONCAT(MIN(INDEX_TYPE), ' ')),
      '(',
      GROUP_CONCAT(
        COALESCE(COLUMN_NAME, 'an expression'),
        IF(SUB_PART IS NULL, '', CONCAT('(', SUB_PART, ')')),
        IF(COLLATION = 'D', ' DESC', '')
        ORDER BY SEQ_IN_INDEX SEPARATOR ', '),
      ')',
      MAX(IF(IS_VISIBLE = 'NO' OR `IGNORED` = 'YES', ' which the optimizer ignores', '')))
    FROM information_schema.STATISTICS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
      AND INDEX_NAME = 'idx_participants_event_attendance'
  ), 'absent') AS actual
FROM (SELECT 'YES' AS IS_VISIBLE, 'NO' AS `IGNORED`) AS elsewhere;
