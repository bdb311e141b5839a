-- Everything Tributary remembers. Times are milliseconds since 1970.

-- What is known of a source. SQL never looks into the state: it is one JSON object, read and written whole.
CREATE TABLE source (
  name TEXT PRIMARY KEY,
  state TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The ids of items that came in already, and the visit that saw them last: those that were not seen for longest are
-- forgotten first.
CREATE TABLE seen (
  source TEXT NOT NULL,
  id BLOB NOT NULL,
  visit INTEGER NOT NULL,
  PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_by_visit ON seen (source, visit);

-- Items that some sink has not acknowledged, in the order in which they came in. Rows go only from its low end, so the
-- numbers have no gaps, and its length is the difference of its ends.
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  -- A JSON list of sinks. NULL: all.
  sinks TEXT,
  item TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;

-- How far each sink has come.
CREATE TABLE sink (
  name TEXT PRIMARY KEY,
  acknowledged INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Items that a sink will not take, whatever happens, with its reason.
CREATE TABLE refused (
  sink TEXT NOT NULL,
  seq INTEGER NOT NULL,
  why TEXT NOT NULL,
  item TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (sink, seq)
) STRICT, WITHOUT ROWID;
