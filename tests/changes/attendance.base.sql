/* What the attendance change starts from, small: the tests of the SQL files lay it in a
   database of their own. */
CREATE TABLE users (
  user_id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  display_name VARCHAR(255) NOT NULL
) ENGINE=InnoDB;
CREATE TABLE events (
  event_id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  uid VARCHAR(255) NOT NULL,
  title VARCHAR(255) NOT NULL,
  UNIQUE KEY uq_events_uid (uid)
) ENGINE=InnoDB;
CREATE TABLE event_participants (
  participant_id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  event_id INT NOT NULL,
  user_id INT NOT NULL,
  status ENUM('registered','waitlisted','attended','cancelled','no_show') NOT NULL DEFAULT 'registered',
  registration_date DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  cancellation_date DATETIME NULL,
  notes TEXT NULL,
  UNIQUE KEY uq_participants_event_user (event_id, user_id),
  CONSTRAINT fk_participants_event FOREIGN KEY (event_id) REFERENCES events (event_id) ON DELETE CASCADE,
  CONSTRAINT fk_participants_user FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE
) ENGINE=InnoDB;
INSERT INTO users (display_name) VALUES ('Ana'), ('Bo'), ('Zoë');
INSERT INTO events (uid, title) VALUES ('one', 'First'), ('two', 'Second');
INSERT INTO event_participants (event_id, user_id, status, registration_date) VALUES
  (1, 1, 'registered', '2025-01-01'), (1, 2, 'attended', '2025-01-02'), (1, 3, 'cancelled', '2025-01-03'),
  (2, 1, 'registered', '2025-01-04'), (2, 2, 'waitlisted', '2025-01-05');
