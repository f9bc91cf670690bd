/* The participants of the event in @subject as they are now, and how far the
   audit table goes, for after.sql to compare with. */
SELECT COALESCE(JSON_ARRAYAGG(JSON_ARRAY(p.participant_id, p.status, p.attendance_status)), '[]') INTO @before
FROM event_participants AS p
JOIN events AS e ON e.event_id = p.event_id
WHERE e.uid = CONVERT(@subject USING utf8mb4);
SELECT COALESCE(MAX(id), 0) INTO @newest FROM event_attendance_audit;
