-- Times are unix milliseconds. Ids are the 16 bytes of a UUIDv7.

-- One row a run on this directory. What a lesser epoch holds is nobody's.
CREATE TABLE node (
  epoch      INTEGER PRIMARY KEY AUTOINCREMENT,
  pid        INTEGER NOT NULL,
  started_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
  name       TEXT PRIMARY KEY,
  sha256     BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
  created_at INTEGER NOT NULL
) STRICT;

-- The payload, once, however many deliveries it has.
CREATE TABLE notification (
  id             BLOB PRIMARY KEY NOT NULL,
  created_at     INTEGER NOT NULL,
  email          TEXT NOT NULL,
  subject        TEXT NOT NULL,
  text           TEXT,
  html           TEXT,
  send_at        INTEGER,
  expires_at     INTEGER,
  category       TEXT,
  -- Fixed here, so that the Message-ID outlives a change of the configuration.
  message_domain TEXT NOT NULL
) STRICT;

-- Small and hot. It may be claimed if and only if due_at is set, and is held if and only if epoch is set.
CREATE TABLE delivery (
  id            BLOB PRIMARY KEY NOT NULL,
  notification  BLOB NOT NULL REFERENCES notification (id),
  channel       TEXT NOT NULL,
  provider      TEXT NOT NULL,
  address       TEXT NOT NULL,
  state         TEXT NOT NULL,
  due_at        INTEGER,
  expires_at    INTEGER,
  epoch         INTEGER,
  attempts      INTEGER NOT NULL DEFAULT 0,
  unknown_count INTEGER NOT NULL DEFAULT 0,
  updated_at    INTEGER NOT NULL,
  CHECK ((epoch IS NOT NULL) = (state IN ('leased', 'intent'))),
  CHECK (CASE WHEN state IN ('planned', 'due', 'retry') THEN due_at IS NOT NULL
              WHEN state = 'unknown' THEN TRUE
              ELSE due_at IS NULL END)
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_by_notification ON delivery (notification);
CREATE INDEX delivery_by_state ON delivery (state);
CREATE INDEX delivery_claimable ON delivery (provider, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_expiring ON delivery (expires_at) WHERE due_at IS NOT NULL AND expires_at IS NOT NULL;
CREATE INDEX delivery_marked ON delivery (unknown_count) WHERE unknown_count > 0;

-- Append-only: how each attempt ended.
CREATE TABLE attempt (
  delivery   BLOB NOT NULL REFERENCES delivery (id),
  ordinal    INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at   INTEGER NOT NULL,
  state      TEXT NOT NULL,
  class      TEXT,
  answer     TEXT NOT NULL,
  PRIMARY KEY (delivery, ordinal)
) STRICT, WITHOUT ROWID;

-- Written with its notification; forgotten after a day.
CREATE TABLE idem (
  scope        TEXT NOT NULL,
  key          TEXT NOT NULL,
  body_sha256  BLOB NOT NULL CHECK (length(body_sha256) = 32),
  notification BLOB NOT NULL REFERENCES notification (id),
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idem_by_age ON idem (created_at);

-- What happened, in the order of commits. Only the newest are kept.
CREATE TABLE event (
  seq          INTEGER PRIMARY KEY,
  at           INTEGER NOT NULL,
  kind         TEXT NOT NULL,
  notification BLOB NOT NULL,
  delivery     BLOB NOT NULL,
  state        TEXT NOT NULL,
  note         TEXT
) STRICT;

-- The mails that the outbox provider shows. Only the newest are kept.
CREATE TABLE viewer_mail (
  seq      INTEGER PRIMARY KEY,
  delivery BLOB NOT NULL UNIQUE REFERENCES delivery (id),
  at       INTEGER NOT NULL,
  sender   TEXT NOT NULL,
  raw      BLOB NOT NULL
) STRICT;

-- Running totals, kept apart from the rows they are compared with.
CREATE TABLE tally (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO tally VALUES ('accepted', 0), ('attempts', 0);
