/* The event that the scheduler is tried on: the one whose uid is in @subject,
   else the smallest that is due, so that few people are concerned. Due is what
   has ended and is not completed yet. The one that is chosen here has somebody
   registered, too.

   The scheduler completes every event that is due, so the last row tells of the
   others. It begins with refused where it would leave the event alone, and with
   done where it has completed the event before, as in a run that was cut off. */
SELECT e.uid INTO @subject
FROM events AS e
WHERE @subject IS NULL AND e.status IN ('published', 'ongoing') AND e.end_datetime <= UTC_TIMESTAMP()
  AND EXISTS (
    SELECT 1 FROM event_participants AS p
    WHERE p.event_id = e.event_id AND p.status = 'registered')
ORDER BY (SELECT COUNT(*) FROM event_participants AS p WHERE p.event_id = e.event_id), e.event_id
LIMIT 1;
SELECT COUNT(DISTINCT e.event_id), COUNT(p.participant_id) INTO @others_due, @others_registered
FROM events AS e
LEFT JOIN event_participants AS p ON p.event_id = e.event_id AND p.status = 'registered'
WHERE e.status IN ('published', 'ongoing') AND e.end_datetime <= UTC_TIMESTAMP()
  AND CONVERT(e.uid USING utf8mb4) COLLATE utf8mb4_bin <> CONVERT(@subject USING utf8mb4);
SELECT CASE
    WHEN e.status = 'completed' THEN CONCAT('done: event ', e.uid, ' (', e.title, ') is completed already')
    WHEN e.status NOT IN ('published', 'ongoing') THEN CONCAT('refused: event ', e.uid, ' (', e.title, ') is ',
      e.status, ', and the scheduler completes only what is published or ongoing, and has ended')
    WHEN e.end_datetime > UTC_TIMESTAMP() THEN CONCAT('refused: event ', e.uid, ' (', e.title, ') ends at ',
      e.end_datetime, ' UTC, and the scheduler completes only what has ended')
    ELSE CONCAT('event ', e.uid, ' (', e.title, '), ', e.status, ', registered: ',
      (SELECT COUNT(*) FROM event_participants AS p WHERE p.event_id = e.event_id AND p.status = 'registered'),
      CASE @others_due WHEN 0 THEN '' WHEN 1 THEN ', and 1 other event is due too, with '
        ELSE CONCAT(', and ', @others_due, ' other events are due too, with ') END,
      IF(@others_due = 0, '', CONCAT(@others_registered, ' registered')))
  END AS about
FROM events AS e
WHERE CONVERT(e.uid USING utf8mb4) COLLATE utf8mb4_bin = CONVERT(@subject USING utf8mb4);
