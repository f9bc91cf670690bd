# sql DATABASE: runs what it reads as the account; a line a row, values as they are.
sql() { "$client" --defaults-file=<(account) --default-character-set=utf8mb4 -NBr "$@"; }

# objects_on_server DATABASE: its tables, views, routines and so on, a line each,
# named as JSON writes them. The account sees only what it has a right to.
objects_on_server() {
  sql "$1" <<'SQL' | sort -u
SET SESSION sql_mode = '', sql_select_limit = 18446744073709551615;
SELECT CONCAT(kind, ':', REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(name,
  '\\', '\\\\'), '"', '\\"'), '\n', '\\n'), '\t', '\\t'), '\r', '\\r'))
FROM (
  SELECT CASE TABLE_TYPE WHEN 'VIEW' THEN 'view' WHEN 'SEQUENCE' THEN 'sequence' ELSE 'table' END
    AS kind, TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()
  UNION ALL SELECT 'trigger', TRIGGER_NAME FROM information_schema.TRIGGERS
    WHERE TRIGGER_SCHEMA = DATABASE()
  UNION ALL SELECT LOWER(ROUTINE_TYPE), ROUTINE_NAME FROM information_schema.ROUTINES
    WHERE ROUTINE_SCHEMA = DATABASE()
  UNION ALL SELECT 'event', EVENT_NAME FROM information_schema.EVENTS
    WHERE EVENT_SCHEMA = DATABASE()
  /*!90200 UNION ALL SELECT 'library', LIBRARY_NAME FROM information_schema.LIBRARIES
    WHERE LIBRARY_SCHEMA = DATABASE() */
) AS objects;
SQL
}
