/* The event that the scheduler is tried on: the one whose uid is in @subject,
   else the smallest that is due, so that few people are concerned. Due is what
   has ended and is not completed yet, with somebody registered. */
SELECT e.uid INTO @subject
FROM events AS e
WHERE (@subject IS NOT NULL AND e.uid = CONVERT(@subject USING utf8mb4))
  OR (@subject IS NULL AND e.status IN ('published', 'ongoing') AND e.end_datetime < UTC_TIMESTAMP()
    AND EXISTS (
      SELECT 1 FROM event_participants AS p
      WHERE p.event_id = e.event_id AND p.status = 'registered'))
ORDER BY (SELECT COUNT(*) FROM event_participants AS p WHERE p.event_id = e.event_id), e.event_id
LIMIT 1;
SELECT CONCAT('event ', e.uid, ' (', e.title, '), ', e.status, ', registered: ', COUNT(p.participant_id)) AS about
FROM events AS e
LEFT JOIN event_participants AS p ON p.event_id = e.event_id AND p.status = 'registered'
WHERE e.uid = CONVERT(@subject USING utf8mb4)
GROUP BY e.event_id, e.uid, e.title, e.status;
