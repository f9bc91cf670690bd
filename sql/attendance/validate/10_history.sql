/* What the audit table tells and what participants hold agree. Before the
   migration there is nothing to ask, so information_schema chooses the query.
   A participant whom nobody marked since has no audit row, and none is wanted.

   Since is when the ledger says that the audit table was made, which survives a
   restore, as CREATE_TIME does not. Where the table was there before, or was
   made by hand, it is the first audit row. Marks are older in an environment
   that had the columns already. Seconds since 1970 have no time zone. */
SET @since = NULL;
SET @query = IF(EXISTS (
    SELECT 1 FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'runbook_ledger'),
  'SELECT MAX(TIMESTAMPDIFF(SECOND, ''1970-01-01'', finished_at)) INTO @since FROM runbook_ledger
WHERE change_name = ''attendance'' AND undone_at IS NULL AND FIND_IN_SET(''table:event_attendance_audit'', added)',
  'DO 0');
PREPARE step FROM @query;
EXECUTE step;
DEALLOCATE PREPARE step;
SET @query = IF(EXISTS (
    SELECT 1 FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit')
  AND (
    SELECT COUNT(*) FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
      AND COLUMN_NAME IN ('attendance_status', 'attendance_marked_at')) = 2,
  'SELECT ''participants whose attendance_status is not what their newest audit row says'' AS check_name,
  ''0'' AS expected, CAST(COUNT(*) AS CHAR) AS actual
FROM event_attendance_audit AS a
JOIN (SELECT MAX(id) AS id FROM event_attendance_audit WHERE new_status IS NOT NULL GROUP BY participant_id) AS newest
  ON newest.id = a.id
JOIN event_participants AS p ON p.participant_id = a.participant_id
WHERE NOT CONVERT(a.new_status USING utf8mb4) COLLATE utf8mb4_bin
  <=> CONVERT(p.attendance_status USING utf8mb4) COLLATE utf8mb4_bin
UNION ALL
SELECT ''participants marked since there is the audit table, without any audit row'', ''0'', CAST(COUNT(*) AS CHAR)
FROM event_participants AS p
LEFT JOIN (SELECT DISTINCT participant_id FROM event_attendance_audit) AS a ON a.participant_id = p.participant_id
WHERE a.participant_id IS NULL AND UNIX_TIMESTAMP(p.attendance_marked_at) > COALESCE(@since,
  (SELECT UNIX_TIMESTAMP(MIN(performed_at)) - 1 FROM event_attendance_audit))
UNION ALL
SELECT ''audit rows that do not continue from the one before'', ''0'', CAST(COUNT(*) AS CHAR)
FROM (
  SELECT previous_status, LAG(new_status) OVER (PARTITION BY participant_id ORDER BY id) AS continued
  FROM event_attendance_audit WHERE new_status IS NOT NULL
) AS steps
WHERE continued IS NOT NULL AND previous_status <> continued
UNION ALL
SELECT ''audit rows of another event than their participant'', ''0'', CAST(COUNT(*) AS CHAR)
FROM event_attendance_audit AS a
JOIN event_participants AS p ON p.participant_id = a.participant_id
WHERE p.event_id <> a.event_id
UNION ALL
SELECT ''audit rows of automatic absence with another key than their participant'', ''0'', CAST(COUNT(*) AS CHAR)
FROM event_attendance_audit
WHERE dedupe_key LIKE ''auto-absent:%''
  AND (dedupe_key <> CONCAT(''auto-absent:'', participant_id) OR action <> ''mark_absent'' OR NOT new_status <=> ''absent'')
UNION ALL
SELECT ''audit rows in the future'', ''0'', CAST(COUNT(*) AS CHAR)
FROM event_attendance_audit WHERE performed_at > NOW() + INTERVAL 5 MINUTE',
  'SELECT ''the audit table and the attendance columns'' AS check_name, ''there'' AS expected, ''absent'' AS actual');
PREPARE step FROM @query;
EXECUTE step;
DEALLOCATE PREPARE step;
