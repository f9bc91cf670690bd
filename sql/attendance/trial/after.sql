/* What the scheduler says it did, against what the tables show. @report is a
   JSON array of its summaries, each of which names its event by uid or by
   number. @before, @others and @newest are from before.sql.

   First the event in @subject, participant by participant: what was before,
   what is now and the audit rows become one row each. Who was flagged in an
   earlier life is known by the key, and is not flagged again. */
SELECT MAX(e.event_id) INTO @subject_id
FROM events AS e
WHERE CONVERT(e.uid USING utf8mb4) COLLATE utf8mb4_bin = CONVERT(@subject USING utf8mb4);
SELECT
  COALESCE(SUM(flagged), 0),
  COALESCE(SUM(flagged AND audited = 1 AND marked = 1), 0),
  COALESCE(SUM(flagged AND status_before <=> 'registered' AND attendance_before <=> 'unknown'), 0),
  COALESCE(SUM(audited > 0 AND NOT flagged), 0),
  COALESCE(SUM(attendance_before IS NOT NULL AND attendance IS NULL), 0),
  COALESCE(SUM(attendance_before IS NOT NULL AND status <> status_before), 0),
  COALESCE(SUM(attendance_before IS NOT NULL AND notes <> notes_before), 0),
  COALESCE(SUM(NOT flagged AND (attendance <> COALESCE(attendance_before, 'unknown') OR marks <> marks_before)), 0),
  COALESCE(SUM(status_before <=> 'registered' AND status = 'registered' AND attendance = 'unknown' AND known = 0), 0)
INTO @flagged, @once, @rightly, @audited, @gone, @moved, @noted, @otherwise, @left
FROM (
  SELECT people.*, COALESCE(attendance = 'absent' AND NOT attendance_before <=> 'absent', 0) AS flagged
  FROM (
    SELECT participant_id, MAX(status_before) AS status_before, MAX(attendance_before) AS attendance_before,
      MAX(notes_before) AS notes_before, MAX(marks_before) AS marks_before,
      MAX(status) AS status, MAX(attendance) AS attendance, MAX(notes) AS notes, MAX(marks) AS marks,
      SUM(audited) AS audited, SUM(marked) AS marked, SUM(known) AS known
    FROM (
      SELECT b.participant_id, CONVERT(b.status USING utf8mb4) COLLATE utf8mb4_bin AS status_before,
        CONVERT(b.attendance USING utf8mb4) COLLATE utf8mb4_bin AS attendance_before,
        CONVERT(b.notes USING utf8mb4) COLLATE utf8mb4_bin AS notes_before,
        CONVERT(b.marks USING utf8mb4) COLLATE utf8mb4_bin AS marks_before,
        NULL AS status, NULL AS attendance, NULL AS notes, NULL AS marks,
        0 AS audited, 0 AS marked, 0 AS known
      FROM JSON_TABLE(@before, '$.*' COLUMNS (
        participant_id INT PATH '$[0]',
        status VARCHAR(20) PATH '$[1]',
        attendance VARCHAR(20) PATH '$[2]',
        notes VARCHAR(12) PATH '$[3]',
        marks VARCHAR(12) PATH '$[4]')) AS b
      UNION ALL
      SELECT p.participant_id, NULL, NULL, NULL, NULL,
        CONVERT(p.status USING utf8mb4) COLLATE utf8mb4_bin,
        CONVERT(COALESCE(p.attendance_status, 'unknown') USING utf8mb4) COLLATE utf8mb4_bin,
        CONVERT(LEFT(SHA2(COALESCE(HEX(p.attendance_notes), 'none'), 256), 12) USING utf8mb4) COLLATE utf8mb4_bin,
        CONVERT(LEFT(SHA2(CONCAT_WS(',',
          COALESCE(UNIX_TIMESTAMP(p.attendance_marked_at), 'none'),
          COALESCE(p.attendance_marked_by, 'none'),
          COALESCE(UNIX_TIMESTAMP(p.attendance_updated_at), 'none')), 256), 12) USING utf8mb4) COLLATE utf8mb4_bin,
        0, 0, 0
      FROM event_participants AS p
      WHERE p.event_id = @subject_id
      UNION ALL
      SELECT a.participant_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        a.id > @newest, a.id > @newest AND a.action = 'mark_absent' AND a.new_status <=> 'absent',
        a.id <= @newest AND a.dedupe_key <=> CONCAT('auto-absent:', a.participant_id)
      FROM event_attendance_audit AS a
      WHERE a.event_id = @subject_id
    ) AS each_side
    GROUP BY participant_id
  ) AS people
) AS compared;
/* Then all other events, in one moment. Where audit rows are new, the status
   before the first of them must be what it was: undoing what the audit table
   tells must lead back to the checksum. XOR over both sides is 0 if they agree.
   A summary must say what its event shows, and nobody else may be marked by
   nobody. */
WITH
reported AS (
  SELECT COALESCE(u.event_id, n.event_id) AS event_id, r.flagged, r.scanned, r.skipped
  FROM (
    SELECT CONVERT(COALESCE(event, event_uid, event_id) USING utf8mb4) COLLATE utf8mb4_bin AS event, flagged, scanned,
      COALESCE(dedupe, 0) + COALESCE(already_absent, 0) + COALESCE(other, 0) AS skipped
    FROM JSON_TABLE(@report, '$[*]' COLUMNS (
      event VARCHAR(255) PATH '$.event',
      event_uid VARCHAR(255) PATH '$.event.uid',
      event_id VARCHAR(255) PATH '$.event.event_id',
      flagged INT PATH '$.summary.flagged',
      scanned INT PATH '$.summary.scanned',
      dedupe INT PATH '$.summary.skipped.dedupe',
      already_absent INT PATH '$.summary.skipped.already_absent',
      other INT PATH '$.summary.skipped.other')) AS j
  ) AS r
  LEFT JOIN events AS u ON CONVERT(u.uid USING utf8mb4) COLLATE utf8mb4_bin = r.event
  LEFT JOIN events AS n ON n.event_id = r.event AND CAST(n.event_id AS CHAR) = r.event
),
fresh AS (
  SELECT a.event_id, a.participant_id, COUNT(*) AS audited, SUM(a.action = 'mark_absent') AS marked,
    SUM(a.action <> 'mark_absent' AND a.marked_by IS NULL) AS unnamed,
    MIN(IF(a.new_status IS NULL, NULL, a.id)) AS first_id, MAX(IF(a.new_status IS NULL, NULL, a.id)) AS last_id
  FROM event_attendance_audit AS a
  WHERE a.id > @newest
  GROUP BY a.event_id, a.participant_id
),
tally AS (
  SELECT event_id, BIT_XOR(statuses) AS statuses, BIT_XOR(marks) AS marks,
    SUM(audited) AS audited, SUM(marked) AS marked, SUM(unnamed) AS unnamed, SUM(rightly) AS rightly, SUM(summaries) AS summaries, SUM(flagged) AS flagged,
    SUM(scanned) AS scanned, SUM(skipped) AS skipped
  FROM (
    SELECT b.event_id, b.statuses, b.marks, 0 AS audited, 0 AS marked, 0 AS unnamed, 0 AS rightly,
      0 AS summaries, NULL AS flagged, NULL AS scanned, NULL AS skipped
    FROM JSON_TABLE(@others, '$.*' COLUMNS (
      event_id INT PATH '$[0]',
      statuses BIGINT UNSIGNED PATH '$[1]',
      marks BIGINT UNSIGNED PATH '$[2]')) AS b
    UNION ALL
    SELECT p.event_id,
      IF(p.before_status <> 'unknown', CAST(CONV(LEFT(SHA2(CONCAT_WS(',', p.participant_id,
        p.before_status), 256), 12), 16, 10) AS UNSIGNED), 0),
      IF(p.bears, CAST(CONV(LEFT(SHA2(CONCAT_WS(',', p.participant_id,
        COALESCE(HEX(p.attendance_status), 'none'),
        COALESCE(HEX(p.attendance_notes), 'none'),
        COALESCE(UNIX_TIMESTAMP(p.attendance_marked_at), 'none'),
        COALESCE(p.attendance_marked_by, 'none'),
        COALESCE(UNIX_TIMESTAMP(p.attendance_updated_at), 'none')), 256), 12), 16, 10) AS UNSIGNED), 0),
      0, 0, 0, p.rightly, 0, NULL, NULL, NULL
    FROM (
      SELECT p.*,
        IF(f.first_id IS NULL,
          CONVERT(COALESCE(p.attendance_status, 'unknown') USING utf8mb4) COLLATE utf8mb4_bin,
          CONVERT(COALESCE(o.previous_status, 'unknown') USING utf8mb4) COLLATE utf8mb4_bin) AS before_status,
        COALESCE(p.attendance_status <> 'unknown', 0) OR p.attendance_notes IS NOT NULL
          OR p.attendance_marked_at IS NOT NULL OR p.attendance_marked_by IS NOT NULL
          OR p.attendance_updated_at IS NOT NULL AS bears,
        COALESCE(f.marked = 1 AND p.status = 'registered' AND CONVERT(l.new_status USING utf8mb4) COLLATE utf8mb4_bin
          <=> CONVERT(p.attendance_status USING utf8mb4) COLLATE utf8mb4_bin, 0) AS rightly
      FROM event_participants AS p
      LEFT JOIN fresh AS f ON f.participant_id = p.participant_id
      LEFT JOIN event_attendance_audit AS o ON o.id = f.first_id
      LEFT JOIN event_attendance_audit AS l ON l.id = f.last_id
    ) AS p
    WHERE p.bears OR p.before_status <> 'unknown' OR p.rightly
    UNION ALL
    SELECT event_id, 0, 0, audited, marked, unnamed, 0, 0, NULL, NULL, NULL FROM fresh
    UNION ALL
    SELECT event_id, 0, 0, 0, 0, 0, 0, 1, flagged, scanned, skipped FROM reported
  ) AS each_side
  GROUP BY event_id
)
SELECT
  COALESCE(SUM(IF(ours, summaries, 0)), 0), SUM(IF(ours, flagged, NULL)), SUM(IF(ours, scanned, NULL)),
  SUM(IF(ours, flagged + skipped, NULL)),
  COALESCE(SUM(IF(nowhere, summaries, 0)), 0),
  COALESCE(SUM(NOT ours AND differs), 0), MIN(IF(NOT ours AND differs, name, NULL)),
  COALESCE(SUM(NOT ours AND lies), 0),
  MIN(IF(NOT ours AND lies, CONCAT(name, ': ', COALESCE(flagged, 'none'), ' flagged of ', COALESCE(scanned, 'none'),
    ', audit rows: ', marked, ', marked absent: ', rightly), NULL)),
  COALESCE(SUM(IF(NOT ours AND summaries = 0, marked, 0)), 0),
  COALESCE(SUM(IF(NOT ours, unnamed, 0)), 0)
INTO @summaries, @said, @scanned, @skipped, @nowhere, @differ, @differs, @lie, @lies, @unsummed, @unnamed
FROM (
  SELECT t.*, COALESCE(t.event_id = @subject_id, 0) AS ours, t.event_id IS NULL AS nowhere,
    COALESCE(CONVERT(e.uid USING utf8mb4) COLLATE utf8mb4_bin, CONCAT('event ', t.event_id)) AS name,
    t.statuses <> 0 OR t.audited = 0 AND t.marks <> 0 AS differs,
    t.summaries > 0 AND t.event_id IS NOT NULL
      AND NOT (t.flagged <=> t.marked AND t.marked = t.rightly AND t.scanned <=> t.flagged + t.skipped) AS lies
  FROM tally AS t
  LEFT JOIN events AS e ON e.event_id = t.event_id
) AS judged;
SELECT CONCAT('summaries of ', @subject) AS check_name, '1' AS expected, CAST(@summaries AS CHAR) AS actual
UNION ALL
SELECT 'flagged participants, by its summary and by the table',
  COALESCE(CAST(@said AS CHAR), 'none'), CAST(@flagged AS CHAR)
UNION ALL
SELECT 'scanned, and flagged or skipped',
  COALESCE(CAST(@scanned AS CHAR), 'none'), COALESCE(CAST(@skipped AS CHAR), 'none')
UNION ALL
SELECT 'flagged participants with exactly one new audit row', CAST(@flagged AS CHAR), CAST(@once AS CHAR)
UNION ALL
SELECT 'flagged participants who were registered and without a mark', CAST(@flagged AS CHAR), CAST(@rightly AS CHAR)
UNION ALL
SELECT 'new audit rows of participants who were not flagged', '0', CAST(@audited AS CHAR)
UNION ALL
SELECT 'participants of the event who are gone', '0', CAST(@gone AS CHAR)
UNION ALL
SELECT 'participants of the event whose registration changed', '0', CAST(@moved AS CHAR)
UNION ALL
SELECT 'participants of the event whose attendance_notes changed', '0', CAST(@noted AS CHAR)
UNION ALL
SELECT 'participants of the event who changed otherwise', '0', CAST(@otherwise AS CHAR)
UNION ALL
SELECT 'registered participants still without a mark', '0', CAST(@left AS CHAR)
UNION ALL
SELECT 'other events with marks that no audit row explains', '0',
  CONCAT(@differ, COALESCE(CONCAT(', such as ', @differs), ''))
UNION ALL
SELECT 'other events whose summary is not what the tables show', '0',
  CONCAT(@lie, COALESCE(CONCAT(', such as ', @lies), ''))
UNION ALL
SELECT 'summaries of events that are not there', '0', CAST(@nowhere AS CHAR)
UNION ALL
SELECT 'participants marked absent in events without a summary', '0', CAST(@unsummed AS CHAR)
UNION ALL
SELECT 'other new audit rows that name nobody', '0', CAST(@unnamed AS CHAR);
