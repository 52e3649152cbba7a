-- keys.db: what must be destroyable apart from everything else. Backups of this file follow their own rule.

-- The migrations that were applied, so that an edited one is noticed.
CREATE TABLE schema_migrations (
	number     INTEGER PRIMARY KEY,                 -- from 1, without a gap
	name       TEXT NOT NULL,                       -- file name
	sha256     BLOB NOT NULL CHECK (length(sha256) = 32),
	applied_at INTEGER NOT NULL
) STRICT;

-- The key under which a request's leaf names its subject. Destroyed at the end of the proof period.
CREATE TABLE request_keys (
	request    TEXT PRIMARY KEY,                    -- id in expunge.db; no reference crosses the files
	key        BLOB NOT NULL CHECK (length(key) = 32),
	created_at INTEGER NOT NULL                     -- orphans younger than a minute are left alone
) STRICT, WITHOUT ROWID;

-- Secrets of the installation: the lookup key, the log's signing seed.
CREATE TABLE secrets (
	name       TEXT PRIMARY KEY,
	value      BLOB NOT NULL CHECK (length(value) BETWEEN 1 AND 64),
	created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
