-- What was proposed and decided: change requests, approvals, merges, acceptances, reviews of proofs, stages.
-- `kind` is the name of the output, `key` what it is about: a change, a fingerprint, a capsule.
CREATE TABLE documents (
  idx INTEGER NOT NULL,
  position INTEGER NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  time_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (idx, position)
) WITHOUT ROWID;
CREATE INDEX documents_by_key ON documents (kind, key, idx);

-- Whether a finding is open: JSON of `Lifecycle`, null while nothing was decided about it.
ALTER TABLE findings ADD COLUMN lifecycle TEXT;
-- What an acceptance was bound to: JSON of `Acceptance`.
ALTER TABLE findings ADD COLUMN acceptance TEXT;
