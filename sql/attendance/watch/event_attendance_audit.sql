/* A line a row of event_attendance_audit: its key, and a SHA-256 of all its
   columns. N stands for NULL and HEX for a text as its bytes, so that NULL, empty,
   case, accents and trailing blanks are all different, and a comma ends a column.
   No time zone, collation or character set of a session changes it. The time is
   when the row says it came into being: a new one must not be older than the scans
   that did not see it.

   The range below is everything, for clients that run this file as it is. The
   watch asks for one range of keys after the other. */
SELECT COALESCE(MIN(id), 0) INTO @watch_from FROM event_attendance_audit;
SELECT COALESCE(MAX(id), 0) INTO @watch_to FROM event_attendance_audit;
SELECT id AS row_key,
  SHA2(CONCAT_WS(',',
    COALESCE(id, 'N'),
    COALESCE(event_id, 'N'),
    COALESCE(participant_id, 'N'),
    COALESCE(user_id, 'N'),
    COALESCE(marked_by, 'N'),
    COALESCE(HEX(action), 'N'),
    COALESCE(HEX(previous_status), 'N'),
    COALESCE(HEX(new_status), 'N'),
    COALESCE(HEX(reason), 'N'),
    COALESCE(HEX(dedupe_key), 'N'),
    COALESCE(UNIX_TIMESTAMP(performed_at), 'N')), 256) AS row_hash,
  UNIX_TIMESTAMP(performed_at) AS row_at
FROM event_attendance_audit
WHERE id BETWEEN @watch_from AND @watch_to;
