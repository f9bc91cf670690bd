/* How things are before the job, for after.sql to compare with, in one
   statement, so that it is one moment.

   @before has the participants of the event in @subject. @others has an item
   for each other event in which somebody bears a mark: a checksum of the
   statuses, and one of all attendance columns, so that people who register,
   cancel or are checked in meanwhile do not matter. @newest is how far the
   audit table goes.

   The digests are summed up by XOR, in no order. They are of SHA-256, since two
   that swap their marks have the same CRC32 together, and of 48 bits, which is
   what a JSON number keeps. MariaDB would cut JSON_ARRAYAGG at 1 MiB. */
SELECT
  (SELECT COALESCE(JSON_OBJECTAGG(p.participant_id, JSON_ARRAY(
      p.participant_id,
      CONVERT(p.status USING utf8mb4),
      CONVERT(COALESCE(p.attendance_status, 'unknown') USING utf8mb4),
      LEFT(SHA2(COALESCE(HEX(p.attendance_notes), 'none'), 256), 12),
      LEFT(SHA2(CONCAT_WS(',',
        COALESCE(UNIX_TIMESTAMP(p.attendance_marked_at), 'none'),
        COALESCE(p.attendance_marked_by, 'none'),
        COALESCE(UNIX_TIMESTAMP(p.attendance_updated_at), 'none')), 256), 12))), '{}')
  FROM event_participants AS p
  JOIN events AS e ON e.event_id = p.event_id
  WHERE CONVERT(e.uid USING utf8mb4) COLLATE utf8mb4_bin = CONVERT(@subject USING utf8mb4)),
  (SELECT COALESCE(JSON_OBJECTAGG(m.event_id, JSON_ARRAY(m.event_id, m.statuses, m.marks)), '{}')
  FROM (
    SELECT p.event_id,
      BIT_XOR(IF(p.attendance_status <> 'unknown', CAST(CONV(LEFT(SHA2(CONCAT_WS(',', p.participant_id,
        CONVERT(p.attendance_status USING utf8mb4)), 256), 12), 16, 10) AS UNSIGNED), 0)) AS statuses,
      BIT_XOR(CAST(CONV(LEFT(SHA2(CONCAT_WS(',', p.participant_id,
        COALESCE(HEX(p.attendance_status), 'none'),
        COALESCE(HEX(p.attendance_notes), 'none'),
        COALESCE(UNIX_TIMESTAMP(p.attendance_marked_at), 'none'),
        COALESCE(p.attendance_marked_by, 'none'),
        COALESCE(UNIX_TIMESTAMP(p.attendance_updated_at), 'none')), 256), 12), 16, 10) AS UNSIGNED)) AS marks
    FROM event_participants AS p
    WHERE p.attendance_status <> 'unknown' OR p.attendance_notes IS NOT NULL OR p.attendance_marked_at IS NOT NULL
      OR p.attendance_marked_by IS NOT NULL OR p.attendance_updated_at IS NOT NULL
    GROUP BY p.event_id
  ) AS m),
  (SELECT COALESCE(MAX(id), 0) FROM event_attendance_audit)
INTO @before, @others, @newest;
