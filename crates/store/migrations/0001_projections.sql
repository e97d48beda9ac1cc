-- Everything here is folded from the ledger and may be deleted at any time.
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- One row per record.
CREATE TABLE log (
  idx INTEGER PRIMARY KEY,
  time_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  phase TEXT NOT NULL,
  status TEXT NOT NULL,
  note TEXT NOT NULL,
  -- The intent that a result answers.
  intent INTEGER
);

-- One row per allowed intent.
CREATE TABLE runs (
  intent INTEGER PRIMARY KEY,
  action TEXT NOT NULL,
  started_ms INTEGER NOT NULL,
  -- Null until the result is in: state unknown.
  result INTEGER,
  ended_ms INTEGER,
  status TEXT
);

-- Sealed reports, opened. `kind` is `scan`, `prove` or `replay`.
CREATE TABLE reports (
  idx INTEGER NOT NULL,
  position INTEGER NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  revision TEXT,
  body TEXT NOT NULL,
  PRIMARY KEY (idx, position)
) WITHOUT ROWID;
CREATE INDEX reports_by_kind ON reports (kind, subject, idx);

-- The latest state of each finding.
CREATE TABLE findings (
  subject TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  id TEXT NOT NULL,
  weakness TEXT NOT NULL,
  severity TEXT NOT NULL,
  verdict TEXT NOT NULL,
  -- Empty when it was never attacked.
  outcome TEXT NOT NULL,
  present INTEGER NOT NULL,
  -- Place in the newest scan that showed it.
  position INTEGER NOT NULL,
  first_seen_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL,
  finding TEXT NOT NULL,
  proof TEXT,
  PRIMARY KEY (subject, fingerprint)
) WITHOUT ROWID;

-- What changed about a finding, when, by which record.
CREATE TABLE history (
  subject TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  idx INTEGER NOT NULL,
  -- `seen`, `verdict`, `absent`, `returned`, `outcome`, `replay`
  what TEXT NOT NULL,
  word TEXT NOT NULL,
  PRIMARY KEY (subject, fingerprint, idx, what)
) WITHOUT ROWID;

-- Records that concern a finding.
CREATE TABLE mentions (
  subject TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  idx INTEGER NOT NULL,
  PRIMARY KEY (subject, fingerprint, idx)
) WITHOUT ROWID;

-- Sealed reproducers.
CREATE TABLE capsules (
  commitment TEXT PRIMARY KEY,
  subject TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  idx INTEGER NOT NULL,
  tier TEXT NOT NULL,
  oracle TEXT NOT NULL
) WITHOUT ROWID;

-- Reports that could not be opened or read: what is shown is without them.
CREATE TABLE gaps (
  idx INTEGER NOT NULL,
  position INTEGER NOT NULL,
  what TEXT NOT NULL,
  why TEXT NOT NULL,
  PRIMARY KEY (idx, position)
) WITHOUT ROWID;
