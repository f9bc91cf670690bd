/* The columns of event_attendance_audit are those that the watch sums up: one
   more would not be watched. */
SELECT 'columns of event_attendance_audit' AS check_name,
  'id,event_id,participant_id,user_id,marked_by,action,previous_status,new_status,reason,dedupe_key,performed_at' AS expected,
  COALESCE(GROUP_CONCAT(LOWER(COLUMN_NAME) ORDER BY ORDINAL_POSITION), 'absent') AS actual
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_attendance_audit';
