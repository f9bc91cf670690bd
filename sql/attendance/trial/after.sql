/* What the scheduler says it did in the event in @subject, against what the
   tables show. @report is a JSON array of its summaries, @before and @newest
   are from before.sql. A summary names its event by uid or by number. */
WITH subject AS (
  SELECT e.event_id, CONVERT(e.uid USING utf8mb4) COLLATE utf8mb4_bin AS uid
  FROM events AS e
  WHERE e.uid = CONVERT(@subject USING utf8mb4)
),
reported AS (
  SELECT CONVERT(COALESCE(r.event, r.event_uid, r.event_id) USING utf8mb4) COLLATE utf8mb4_bin AS event,
    r.flagged, r.scanned, COALESCE(r.dedupe, 0) + COALESCE(r.already_absent, 0) + COALESCE(r.other, 0) AS skipped
  FROM JSON_TABLE(@report, '$[*]' COLUMNS (
    event VARCHAR(255) PATH '$.event',
    event_uid VARCHAR(255) PATH '$.event.uid',
    event_id VARCHAR(255) PATH '$.event.event_id',
    flagged INT PATH '$.summary.flagged',
    scanned INT PATH '$.summary.scanned',
    dedupe INT PATH '$.summary.skipped.dedupe',
    already_absent INT PATH '$.summary.skipped.already_absent',
    other INT PATH '$.summary.skipped.other')) AS r
),
summary AS (
  SELECT COUNT(*) AS summaries, SUM(r.flagged) AS flagged, SUM(r.scanned) AS scanned, SUM(r.skipped) AS skipped
  FROM reported AS r
  JOIN subject AS s ON r.event IN (s.uid, CAST(s.event_id AS CHAR))
),
new_rows AS (
  SELECT a.event_id, a.participant_id, a.action, a.new_status
  FROM event_attendance_audit AS a
  WHERE a.id > @newest
),
people AS (
  SELECT p.participant_id, p.status, p.attendance_status,
    b.status AS status_before, b.attendance_status AS attendance_before,
    (SELECT COUNT(*) FROM new_rows AS n WHERE n.participant_id = p.participant_id) AS audited,
    (SELECT COUNT(*) FROM new_rows AS n WHERE n.participant_id = p.participant_id
      AND n.action = 'mark_absent' AND n.new_status = 'absent') AS marked
  FROM event_participants AS p
  JOIN subject AS s ON s.event_id = p.event_id
  LEFT JOIN JSON_TABLE(@before, '$[*]' COLUMNS (
    participant_id INT PATH '$[0]',
    status VARCHAR(20) PATH '$[1]',
    attendance_status VARCHAR(20) PATH '$[2]')) AS b ON b.participant_id = p.participant_id
),
counted AS (
  SELECT COUNT(*) AS everybody,
    COALESCE(SUM(attendance_status = 'absent' AND NOT attendance_before <=> 'absent'), 0) AS flagged,
    COALESCE(SUM(attendance_status = 'absent' AND NOT attendance_before <=> 'absent'
      AND audited = 1 AND marked = 1), 0) AS flagged_once,
    COALESCE(SUM(audited > 0 AND NOT (attendance_status <=> 'absent' AND NOT attendance_before <=> 'absent')), 0) AS audited_only,
    COALESCE(SUM(NOT attendance_status <=> attendance_before AND NOT attendance_status <=> 'absent'), 0) AS otherwise,
    COALESCE(SUM(status = 'registered' AND COALESCE(attendance_status, 'unknown') = 'unknown'), 0) AS left_over
  FROM people
)
SELECT CONCAT('summaries of ', @subject) AS check_name, '1' AS expected, CAST(summaries AS CHAR) AS actual FROM summary
UNION ALL
SELECT 'flagged participants, by its summary and by the table', COALESCE(CAST(s.flagged AS CHAR), 'none'), CAST(c.flagged AS CHAR)
FROM counted AS c JOIN summary AS s
UNION ALL
SELECT 'scanned, and flagged or skipped', COALESCE(CAST(scanned AS CHAR), 'none'), COALESCE(CAST(flagged + skipped AS CHAR), 'none')
FROM summary
UNION ALL
SELECT 'flagged participants with exactly one new audit row', CAST(flagged AS CHAR), CAST(flagged_once AS CHAR) FROM counted
UNION ALL
SELECT 'new audit rows of participants who were not flagged', '0', CAST(audited_only AS CHAR) FROM counted
UNION ALL
SELECT 'participants of the event who changed otherwise', '0', CAST(otherwise AS CHAR) FROM counted
UNION ALL
SELECT 'registered participants still without a mark', '0', CAST(left_over AS CHAR) FROM counted
UNION ALL
SELECT 'participants marked absent in events without a summary', '0', CAST(COUNT(*) AS CHAR)
FROM new_rows AS n
JOIN events AS e ON e.event_id = n.event_id
LEFT JOIN reported AS r ON r.event IN (CONVERT(e.uid USING utf8mb4) COLLATE utf8mb4_bin, CAST(e.event_id AS CHAR))
WHERE n.action = 'mark_absent' AND r.event IS NULL;
