-- Everything Artnest remembers. Times are milliseconds since 1970.

-- What belongs to the server as a whole: the secret that invite links are made from.
CREATE TABLE server (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE room (
  room INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  is_public INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  -- Which log: another one after a restore, so that nobody resumes in the wrong one.
  log_id INTEGER NOT NULL,
  -- The last record that is durable.
  seq INTEGER NOT NULL,
  -- History up to here is forgotten; the snapshot at this seq stands for it.
  base_seq INTEGER NOT NULL,
  -- The newest snapshot, or 0.
  snapshot_seq INTEGER NOT NULL,
  -- What the log and the snapshots take up.
  used_bytes INTEGER NOT NULL,
  -- NULL: the server's default.
  quota_bytes INTEGER,
  -- Strokes that can be seen.
  strokes INTEGER NOT NULL,
  next_member INTEGER NOT NULL,
  -- How often each link was renewed; part of what it is made from.
  viewer_link INTEGER NOT NULL DEFAULT 0,
  artist_link INTEGER NOT NULL DEFAULT 0,
  owner_link INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  -- When somebody last drew.
  updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX room_gallery ON room (updated_at DESC, room DESC) WHERE is_public = 1;
CREATE INDEX room_recent ON room (updated_at DESC, room DESC);

CREATE TABLE member (
  room INTEGER NOT NULL REFERENCES room ON DELETE CASCADE,
  member INTEGER NOT NULL,
  -- SHA-256 of the key that the client keeps.
  key_sha256 BLOB NOT NULL,
  name TEXT NOT NULL,
  role INTEGER NOT NULL,
  -- An owner chose the role; no link changes it.
  is_fixed INTEGER NOT NULL DEFAULT 0,
  banned INTEGER NOT NULL DEFAULT 0,
  -- Up to here their operations were decided when this was last written; the log after the snapshot says more.
  last_op INTEGER NOT NULL DEFAULT 0,
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (room, member)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX member_key ON member (room, key_sha256);

-- Records that became durable together, in the bytes of the protocol. Packed rows have several such frames.
CREATE TABLE log (
  room INTEGER NOT NULL REFERENCES room ON DELETE CASCADE,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  is_packed INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX log_order ON log (room, last_seq);

CREATE TABLE snapshot (
  room INTEGER NOT NULL REFERENCES room ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  records INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  parts INTEGER NOT NULL,
  PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE part (
  room INTEGER NOT NULL REFERENCES room ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  number INTEGER NOT NULL,
  -- gzip of records
  bytes BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX part_order ON part (room, seq, number);
