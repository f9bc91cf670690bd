/* The application's tables as they are before the change, with a little of everything
   that a backup must bring along. Run by the mysql client, as the server's root, with
   @participants (rows of event_participants) and @partial (1: somebody has added
   attendance_status by hand) set before it. Every value follows from the row's number,
   so that each server holds the same. */

DROP DATABASE IF EXISTS vaulteer;
CREATE DATABASE vaulteer CHARACTER SET utf8mb4;
USE vaulteer;
SET NAMES utf8mb4;
SET time_zone = '+00:00';
SET @users = GREATEST(20, LEAST(20000, @participants DIV 20));
SET @per_event = LEAST(200, @users);
SET @events = (@participants + @per_event - 1) DIV @per_event;

CREATE TABLE users (
  user_id INT NOT NULL AUTO_INCREMENT,
  uid VARCHAR(255) NOT NULL,
  email VARCHAR(255) NOT NULL,
  display_name VARCHAR(255) NOT NULL,
  role ENUM('member', 'staff', 'admin') NOT NULL DEFAULT 'member',
  avatar_hash BINARY(16) NULL,
  points DECIMAL(10, 2) NOT NULL DEFAULT 0.00,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (user_id),
  UNIQUE KEY uq_users_uid (uid),
  UNIQUE KEY uq_users_email (email)
) ENGINE = InnoDB;

CREATE TABLE events (
  event_id INT NOT NULL AUTO_INCREMENT,
  uid VARCHAR(255) NOT NULL,
  title VARCHAR(255) NOT NULL,
  description TEXT NULL,
  capacity INT UNSIGNED NULL,
  start_datetime DATETIME NOT NULL,
  end_datetime DATETIME NOT NULL,
  status ENUM('draft', 'published', 'ongoing', 'completed', 'cancelled', 'archived')
    NOT NULL DEFAULT 'draft',
  created_by INT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (event_id),
  UNIQUE KEY uq_events_uid (uid),
  KEY idx_events_status_end (status, end_datetime),
  CONSTRAINT fk_events_created_by FOREIGN KEY (created_by) REFERENCES users (user_id)
    ON DELETE SET NULL
) ENGINE = InnoDB;

CREATE TABLE event_participants (
  participant_id INT NOT NULL AUTO_INCREMENT,
  event_id INT NOT NULL,
  user_id INT NOT NULL,
  status ENUM('registered', 'waitlisted', 'attended', 'cancelled', 'no_show')
    NOT NULL DEFAULT 'registered',
  registration_date DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  cancellation_date DATETIME NULL,
  notes TEXT NULL,
  PRIMARY KEY (participant_id),
  UNIQUE KEY uq_participants_event_user (event_id, user_id),
  KEY idx_participants_user (user_id),
  CONSTRAINT fk_participants_event FOREIGN KEY (event_id) REFERENCES events (event_id)
    ON DELETE CASCADE,
  CONSTRAINT fk_participants_user FOREIGN KEY (user_id) REFERENCES users (user_id)
    ON DELETE CASCADE
) ENGINE = InnoDB;

/* Added before the rows and without its default, so that every row holds NULL. */
SET @ddl = IF(@partial,
  'ALTER TABLE event_participants ADD COLUMN attendance_status ENUM(''unknown'', ''present'', ''late'', ''absent'') NULL',
  'DO 0');
PREPARE statement FROM @ddl;
EXECUTE statement;
DEALLOCATE PREPARE statement;
SET @ddl = IF(@partial,
  'ALTER TABLE event_participants ALTER COLUMN attendance_status SET DEFAULT ''unknown''',
  'DO 0');

SET foreign_key_checks = 0;
SET unique_checks = 0;

INSERT INTO users (user_id, uid, email, display_name, role, avatar_hash, points, created_at)
WITH RECURSIVE thousand (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM thousand WHERE n < 999),
numbers (n) AS (
  SELECT high.n * 1000 + low.n FROM thousand AS high JOIN thousand AS low
  WHERE high.n <= @users DIV 1000 AND high.n * 1000 + low.n < @users
)
SELECT
  n + 1,
  CONCAT('user-', n + 1),
  CONCAT('user', n + 1, '@example.test'),
  CASE n % 5 WHEN 0 THEN CONCAT('Zoë Müller ', n) WHEN 1 THEN CONCAT('山田 ', n)
    WHEN 2 THEN CONCAT('O''Neil "', n, '"') WHEN 3 THEN CONCAT('Ana 🎟 ', n)
    ELSE CONCAT('back\\slash ', n) END,
  IF(n % 100 = 0, 'admin', IF(n % 20 = 0, 'staff', 'member')),
  IF(n % 3 = 0, NULL, UNHEX(LEFT(SHA2(n, 256), 32))),
  n / 4,
  TIMESTAMPADD(MINUTE, n, '2024-01-01 00:00:00')
FROM numbers ORDER BY n;

INSERT INTO events (event_id, uid, title, description, capacity, start_datetime, end_datetime, status,
  created_by, created_at)
WITH RECURSIVE thousand (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM thousand WHERE n < 999),
numbers (n) AS (
  SELECT high.n * 1000 + low.n FROM thousand AS high JOIN thousand AS low
  WHERE high.n <= @events DIV 1000 AND high.n * 1000 + low.n < @events
)
SELECT
  n + 1,
  CONCAT('event-', n + 1),
  CONCAT('Meeting ', n + 1, IF(n % 7 = 0, ' 🎉', '')),
  IF(n % 4 = 0, NULL, CONCAT('Line one\nline two\tof event ', n + 1)),
  IF(n % 10 = 0, NULL, @per_event),
  TIMESTAMPADD(HOUR, n, '2025-01-01 18:00:00'),
  TIMESTAMPADD(HOUR, n + 2, '2025-01-01 18:00:00'),
  /* A few have ended and nobody has completed them: event-2, event-13, event-52, event-63, … */
  CASE n % 50 WHEN 1 THEN 'published' WHEN 12 THEN 'ongoing'
    ELSE ELT(1 + n % 4, 'completed', 'archived', 'completed', 'cancelled') END,
  IF(n % 9 = 0, NULL, 1 + n % @users),
  TIMESTAMPADD(MINUTE, n, '2024-06-01 00:00:00')
FROM numbers ORDER BY n;

INSERT INTO event_participants (participant_id, event_id, user_id, status, registration_date,
  cancellation_date, notes)
WITH RECURSIVE thousand (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM thousand WHERE n < 999),
numbers (n) AS (
  SELECT top.n * 1000000 + high.n * 1000 + low.n
  FROM thousand AS top JOIN thousand AS high JOIN thousand AS low
  WHERE top.n <= @participants DIV 1000000
    AND top.n * 1000000 + high.n * 1000 < @participants
    AND top.n * 1000000 + high.n * 1000 + low.n < @participants
)
SELECT
  n + 1,
  1 + n DIV @per_event,
  1 + (n DIV @per_event * 17 + n % @per_event) % @users,
  /* event-13 has eight seats and a long waiting list */
  IF(n DIV @per_event = 12 AND n % @per_event >= 8, 'waitlisted',
    ELT(1 + n % 10, 'registered', 'registered', 'attended', 'registered', 'waitlisted', 'registered',
    'no_show', 'registered', 'cancelled', 'registered')),
  TIMESTAMPADD(MINUTE, n % 500000, '2024-12-01 00:00:00'),
  IF(n % 10 = 8, TIMESTAMPADD(MINUTE, n % 500000 + 60, '2024-12-01 00:00:00'), NULL),
  CASE n % 25 WHEN 0 THEN '' WHEN 5 THEN 'vegetarian 🥕' WHEN 10 THEN 'tab\tnewline\nquote''back\\slash'
    WHEN 15 THEN '\\N' ELSE NULL END
FROM numbers ORDER BY n;

INSERT INTO events (uid, title, start_datetime, end_datetime, status, created_at) VALUES
  ('event-nobody', 'Meeting that nobody registered for', '2025-01-02 18:00:00', '2025-01-02 20:00:00',
    'ongoing', '2024-06-01 00:00:00'),
  ('event-ahead', 'Meeting that is still ahead', '2099-01-02 18:00:00', '2099-01-02 20:00:00',
    'published', '2024-06-01 00:00:00');

SET foreign_key_checks = 1;
SET unique_checks = 1;
PREPARE statement FROM @ddl;
EXECUTE statement;
DEALLOCATE PREPARE statement;

CREATE DEFINER = 'migrator'@'%' SQL SECURITY INVOKER VIEW event_roster AS
SELECT e.event_id, e.title, u.user_id, u.display_name, p.status
FROM event_participants AS p
JOIN events AS e ON e.event_id = p.event_id
JOIN users AS u ON u.user_id = p.user_id;

DELIMITER $$
CREATE DEFINER = 'migrator'@'%' FUNCTION seats_taken(wanted INT) RETURNS INT
READS SQL DATA
BEGIN
  DECLARE taken INT;
  SELECT COUNT(*) INTO taken FROM event_participants
  WHERE event_id = wanted AND status IN ('registered', 'attended');
  RETURN taken;
END$$

CREATE DEFINER = 'migrator'@'%' PROCEDURE cancel_registration(IN wanted INT)
MODIFIES SQL DATA
BEGIN
  /* a semicolon; in a comment, and a quote's end */
  UPDATE event_participants SET status = 'cancelled', cancellation_date = UTC_TIMESTAMP()
  WHERE participant_id = wanted;
END$$

CREATE DEFINER = 'migrator'@'%' TRIGGER trg_users_email BEFORE INSERT ON users FOR EACH ROW
BEGIN
  SET NEW.email = LOWER(NEW.email);
END$$

CREATE DEFINER = 'migrator'@'%' EVENT archive_old_events
ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 03:00:00'
DO BEGIN
  UPDATE events SET status = 'archived'
  WHERE status = 'completed' AND end_datetime < UTC_TIMESTAMP() - INTERVAL 1 YEAR;
END$$
DELIMITER ;

ANALYZE NO_WRITE_TO_BINLOG TABLE users, events, event_participants;
