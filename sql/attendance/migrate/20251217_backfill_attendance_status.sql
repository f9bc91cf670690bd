/* Gives every participant without an attendance_status the status unknown.
   Where migrate added the column, its default did that already and nothing is
   left to do. Rows are filled where an environment had the column as nullable.

   The range below is everything, for clients that run this file as it is. The
   runbook program runs the UPDATE over many small ranges instead. */
SET @object = 'backfill of event_participants.attendance_status';
SELECT COALESCE(MIN(participant_id), 0) INTO @chunk_from FROM event_participants;
SELECT COALESCE(MAX(participant_id), 0) INTO @chunk_to FROM event_participants;
UPDATE event_participants
SET attendance_status = 'unknown'
WHERE participant_id BETWEEN @chunk_from AND @chunk_to
  AND attendance_status IS NULL;
