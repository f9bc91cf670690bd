/* trg_event_attendance_audit_no_delete: no row of event_attendance_audit
   can be deleted. MySQL cannot PREPARE a CREATE TRIGGER, so it stands after its
   guard. DO 0 says that it is needed, DO 1 that it is there already. A trigger of
   this name that is anything else stops the file: its text is no SQL. White space
   in the body does not matter. Needs DELIMITER, as the mysql client has it. */
SET @object = 'trigger trg_event_attendance_audit_no_delete';
SET @wanted = 'BEFORE DELETE ON event_attendance_audit: BEGIN SIGNAL SQLSTATE ''45000'' SET MESSAGE_TEXT=''event_attendance_audit is append-only and cannot be deleted''; END';
SET @found = COALESCE((
  SELECT CONVERT(CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION, ' ON ', EVENT_OBJECT_TABLE, ': ',
      REGEXP_REPLACE(TRIM(ACTION_STATEMENT), '[[:space:]]+', ' ')) USING utf8mb4) COLLATE utf8mb4_bin
  FROM information_schema.TRIGGERS
  WHERE TRIGGER_SCHEMA = DATABASE()
    AND TRIGGER_NAME = 'trg_event_attendance_audit_no_delete'
), 'absent');
SET @ddl = CASE @found
  WHEN 'absent' THEN 'DO 0'
  WHEN @wanted THEN 'DO 1'
  ELSE CONCAT('refused: trg_event_attendance_audit_no_delete is ', @found, ', wanted ', @wanted)
END;
PREPARE step FROM @ddl;
EXECUTE step;
DEALLOCATE PREPARE step;
DELIMITER $$
CREATE TRIGGER IF NOT EXISTS trg_event_attendance_audit_no_delete
BEFORE DELETE ON event_attendance_audit FOR EACH ROW
BEGIN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='event_attendance_audit is append-only and cannot be deleted';
END$$
DELIMITER ;
