/* Every participant whose attendance data says more than the defaults, with
   the attendance columns that are there. Rollback would destroy them. */
SET @columns = (
  SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY FIELD(COLUMN_NAME, 'attendance_status', 'attendance_marked_at',
    'attendance_marked_by', 'attendance_notes', 'attendance_updated_at') SEPARATOR ', ')
  FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
    AND COLUMN_NAME IN ('attendance_status', 'attendance_marked_at', 'attendance_marked_by',
      'attendance_notes', 'attendance_updated_at'));
SET @says_more = (
  SELECT GROUP_CONCAT(COLUMN_NAME, IF(COLUMN_NAME = 'attendance_status', ' <> ''unknown''', ' IS NOT NULL')
    ORDER BY ORDINAL_POSITION SEPARATOR ' OR ')
  FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
    AND COLUMN_NAME IN ('attendance_status', 'attendance_marked_at', 'attendance_marked_by',
      'attendance_notes', 'attendance_updated_at'));
SET @query = COALESCE(CONCAT(
  'SELECT participant_id, event_id, user_id, ', @columns,
  ' FROM event_participants WHERE ', @says_more,
  ' ORDER BY participant_id'), 'DO 0');
PREPARE step FROM @query;
EXECUTE step;
DEALLOCATE PREPARE step;
