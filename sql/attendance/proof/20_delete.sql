/* No row of event_attendance_audit can be deleted: the last statement before
   ROLLBACK must fail with SQLSTATE 45000. By hand, mysql stops there with
   ERROR 1644 (45000) and the server rolls back. It is tried on the newest row, or,
   where the table is empty, on a row of its own, whose number stays unused. */
START TRANSACTION;
SELECT MAX(id) INTO @row FROM event_attendance_audit;
INSERT INTO event_attendance_audit (event_id, participant_id, action)
SELECT 0, 0, 'correction' FROM (SELECT 1 AS one) AS once WHERE @row IS NULL;
SET @row = COALESCE(@row, LAST_INSERT_ID());
DELETE FROM event_attendance_audit WHERE id = @row;
ROLLBACK;
