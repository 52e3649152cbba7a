-- expunge.db: everything but keys. Words as in docs/architecture.md.

-- The migrations that were applied, so that an edited one is noticed.
CREATE TABLE schema_migrations (
	number     INTEGER PRIMARY KEY,                 -- from 1, without a gap
	name       TEXT NOT NULL,                       -- file name
	sha256     BLOB NOT NULL CHECK (length(sha256) = 32),
	applied_at INTEGER NOT NULL
) STRICT;

-- Bearer tokens.
CREATE TABLE tokens (
	id            TEXT PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 36),   -- the public part of the token
	name          TEXT NOT NULL,                    -- for people
	role          TEXT NOT NULL CHECK (role IN ('submitter', 'ml_engineer', 'auditor', 'admin')),
	secret_sha256 BLOB NOT NULL CHECK (length(secret_sha256) = 32),       -- the secret itself is kept nowhere
	created_at    INTEGER NOT NULL,
	expires_at    INTEGER,
	revoked_at    INTEGER,
	last_used_at  INTEGER                           -- to the minute
) STRICT, WITHOUT ROWID;

-- Datasets: the rows that models were trained on, and rows that they never saw.
CREATE TABLE datasets (
	id            INTEGER PRIMARY KEY,              -- short stand-in for the name in dataset_rows
	name          TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 128),
	state         TEXT NOT NULL CHECK (state IN ('registering', 'ready', 'failed')),
	source        TEXT NOT NULL CHECK (source IN ('uploaded', 'imported')),
	row_count     INTEGER NOT NULL CHECK (row_count >= 0),      -- as registered, erased rows included
	row_dims      TEXT NOT NULL,                    -- JSON array
	input         TEXT NOT NULL CHECK (input IN ('f4', 'u1')),  -- NumPy's type of an input value
	scale         REAL NOT NULL,                    -- what a u1 value is multiplied by
	classes       INTEGER NOT NULL CHECK (classes >= 0),
	inputs_sha256 BLOB NOT NULL CHECK (length(inputs_sha256) = 32),       -- of the file as registered
	labels_sha256 BLOB NOT NULL CHECK (length(labels_sha256) = 32),
	error         TEXT,                             -- why state is failed
	created_at    INTEGER NOT NULL
) STRICT;

-- People in datasets or requests. Deleted when nothing refers to them any more.
CREATE TABLE subjects (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,       -- never leaves expunge, never reused
	lookup BLOB NOT NULL UNIQUE CHECK (length(lookup) = 32)     -- HMAC of the canonical identity; UNIQUE serves subjects_find
) STRICT;

-- One row of a dataset: whose it is, what it is for, what has become of it.
CREATE TABLE dataset_rows (
	dataset INTEGER NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
	idx     INTEGER NOT NULL CHECK (idx >= 0),      -- in the .npy files
	sample  BLOB CHECK (length(sample) = 32),       -- HMAC of the sample id; NULL when erased
	subject INTEGER REFERENCES subjects (id),       -- NULL: nobody's, or erased
	split   TEXT NOT NULL CHECK (split IN ('train', 'heldout')),
	state   TEXT NOT NULL CHECK (state IN ('live', 'tombstoned', 'erased')),
	PRIMARY KEY (dataset, idx),
	CHECK ((state = 'erased') = (sample IS NULL)),
	CHECK (state <> 'erased' OR subject IS NULL)
) STRICT, WITHOUT ROWID;
-- A sample id occurs once in a dataset (dataset_rows_insert).
CREATE UNIQUE INDEX dataset_rows_by_sample ON dataset_rows (dataset, sample);
-- The rows of a subject (dataset_rows_of_subject, dataset_rows_tombstone, dataset_rows_erase) and the reference's check.
CREATE INDEX dataset_rows_by_subject ON dataset_rows (subject, dataset, idx) WHERE subject IS NOT NULL;

-- Verification and escalation rules, under the digest that the record names.
CREATE TABLE policies (
	digest     BLOB PRIMARY KEY CHECK (length(digest) = 32),    -- SHA-256 of body
	name       TEXT NOT NULL,
	version    INTEGER NOT NULL CHECK (version >= 1),
	body       TEXT NOT NULL,                       -- canonical JSON
	created_at INTEGER NOT NULL,
	UNIQUE (name, version)                          -- serves policies_latest and policies_list
) STRICT, WITHOUT ROWID;

-- The named things that are served.
CREATE TABLE models (
	name            TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 128),
	dataset         TEXT NOT NULL REFERENCES datasets (name),
	state           TEXT NOT NULL CHECK (state IN ('registering', 'ready', 'degraded', 'failed')),
	error           TEXT,                           -- why state is degraded or failed
	live_version    INTEGER,                        -- number in versions
	recipe          TEXT,                           -- JSON; NULL: it cannot be retrained
	policy          BLOB REFERENCES policies (digest),
	classes         INTEGER NOT NULL CHECK (classes >= 0),
	input_name      TEXT NOT NULL,                  -- of the ONNX graph
	input_dims      TEXT NOT NULL,                  -- JSON array, without the batch
	capped          TEXT,                           -- why verdicts are capped; NULL: they are not
	retrain_seconds REAL NOT NULL CHECK (retrain_seconds >= 0), -- measured; 0: not measured
	generation      INTEGER NOT NULL CHECK (generation >= 0),   -- of references and importances
	debt            INTEGER NOT NULL CHECK (debt >= 0),         -- mitigated deletions since the last exact retraining
	registered_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- The models of a dataset (models_list) and the reference's check.
CREATE INDEX models_by_dataset ON models (dataset);

-- The queue: one run over one model.
CREATE TABLE jobs (
	id                TEXT PRIMARY KEY CHECK (length(id) = 36),
	kind              TEXT NOT NULL CHECK (kind IN ('register', 'unlearn', 'retrain', 'refresh')),
	model             TEXT NOT NULL REFERENCES models (name),
	state             TEXT NOT NULL CHECK (state IN ('queued', 'selecting', 'unlearning', 'verifying', 'staged', 'published',
	                                                 'draining', 'erasing', 'done', 'failed', 'cancelled')),
	created_at        INTEGER NOT NULL,
	not_before        INTEGER NOT NULL,             -- staging window, back-off, evidence window
	due_at            INTEGER,                      -- earliest of its requests; NULL: no legal clock
	lease             TEXT,                         -- id of the lease; NULL: nobody holds it
	worker            TEXT,                         -- who holds it
	lease_expires_at  INTEGER,
	heartbeat_at      INTEGER,
	fence             INTEGER NOT NULL DEFAULT 0,   -- grows with each claim
	attempt           INTEGER NOT NULL DEFAULT 0,   -- claims that count
	max_attempts      INTEGER NOT NULL CHECK (max_attempts >= 1),
	cancel_requested  INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
	phase             TEXT,                         -- for people
	progress_done     INTEGER NOT NULL DEFAULT 0,
	progress_total    INTEGER NOT NULL DEFAULT 0,   -- 0: unknown
	published_version INTEGER,
	checkpoint        TEXT,                         -- JSON that a later run resumes from
	error_code        INTEGER NOT NULL DEFAULT 0,   -- of the last failure
	error_message     TEXT,
	updated_at        INTEGER NOT NULL,
	finished_at       INTEGER,
	CHECK ((lease IS NULL) = (lease_expires_at IS NULL)),
	CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'failed', 'cancelled'))),
	CHECK (finished_at IS NULL OR lease IS NULL)
) STRICT, WITHOUT ROWID;
-- Earliest due date first among the unfinished (jobs_claim, jobs_next_at).
CREATE INDEX jobs_by_due ON jobs (coalesce(due_at, 9223372036854775807), id) WHERE finished_at IS NULL;
-- The unfinished jobs of a model: one writer at a time (jobs_claim), coalescing (jobs_attach).
CREATE INDEX jobs_unfinished_by_model ON jobs (model, kind, state) WHERE finished_at IS NULL;
-- The jobs of a model, newest first (jobs_list), and the reference's check.
CREATE INDEX jobs_by_model ON jobs (model, id);

-- Sets of weights.
CREATE TABLE versions (
	model          TEXT NOT NULL REFERENCES models (name),
	version        INTEGER NOT NULL CHECK (version >= 1),
	sha256         BLOB NOT NULL CHECK (length(sha256) = 32),   -- of the ONNX file
	parent         INTEGER,                         -- the version that it was made from
	job            TEXT REFERENCES jobs (id),       -- the job that made it
	state          TEXT NOT NULL CHECK (state IN ('staged', 'live', 'draining', 'retired', 'destroyed')),
	created_at     INTEGER NOT NULL,
	published_at   INTEGER,
	last_served_at INTEGER,
	destroyed_at   INTEGER,
	PRIMARY KEY (model, version),
	FOREIGN KEY (model, parent) REFERENCES versions (model, version)
) STRICT, WITHOUT ROWID;
-- At most one version of a model is live; the versions in a state (versions_in_state).
CREATE UNIQUE INDEX versions_live ON versions (model) WHERE state = 'live';
CREATE INDEX versions_by_state ON versions (state, model, version);

-- Deletion requests. The three axes are never squashed.
CREATE TABLE requests (
	id           TEXT PRIMARY KEY CHECK (length(id) = 36),      -- UUIDv7, so the key is in order of receipt
	status       TEXT NOT NULL CHECK (status IN ('received', 'pending_approval', 'on_hold', 'queued', 'running', 'completed',
	                                             'partially_completed', 'rejected', 'cancelled', 'failed')),
	outcome      TEXT CHECK (outcome IN ('mitigated', 'erased', 'not_found', 'exempt', 'already_erased')),
	verdict      TEXT NOT NULL CHECK (verdict IN ('none', 'pass/by_construction', 'pass/consistent', 'inconclusive/no_evidence',
	                                              'inconclusive/underpowered', 'inconclusive/not_exchangeable',
	                                              'fail/residual', 'fail/over_forgotten', 'fail/utility')),
	reason       TEXT,                              -- why it is rejected, on hold, failed
	regime       TEXT NOT NULL CHECK (regime IN ('gdpr', 'ccpa')),
	received_at  INTEGER NOT NULL,
	due_at       INTEGER NOT NULL,                  -- end of the legal clock
	submitted_by TEXT NOT NULL REFERENCES tokens (id),
	identities   INTEGER NOT NULL CHECK (identities >= 1),      -- how many were given
	duplicate_of TEXT REFERENCES requests (id),
	leaf         INTEGER,                           -- index of the leaf that recorded its receipt
	completed_at INTEGER,                           -- when it was closed
	updated_at   INTEGER NOT NULL,
	change       INTEGER NOT NULL,                  -- grows with each update
	CHECK ((completed_at IS NOT NULL) = (status IN ('completed', 'partially_completed', 'rejected', 'cancelled', 'failed')))
) STRICT, WITHOUT ROWID;
-- Requests in one status, newest first (requests_list), counts (requests_summary).
CREATE INDEX requests_by_status ON requests (status, id);
-- Requests that are not settled by due date (requests_summary: overdue, next due).
CREATE INDEX requests_unsettled_by_due ON requests (due_at) WHERE status NOT IN ('completed', 'rejected', 'cancelled');

-- Who a request is about. Deleted at the end of the proof period.
CREATE TABLE request_subjects (
	request TEXT NOT NULL REFERENCES requests (id),
	subject INTEGER NOT NULL REFERENCES subjects (id),
	PRIMARY KEY (request, subject)
) STRICT, WITHOUT ROWID;
-- The requests about a subject (requests_of_subject) and the reference's check.
CREATE INDEX request_subjects_by_subject ON request_subjects (subject, request);

-- How a request fares on one model.
CREATE TABLE request_models (
	request    TEXT NOT NULL REFERENCES requests (id),
	model      TEXT NOT NULL REFERENCES models (name),
	status     TEXT NOT NULL CHECK (status IN ('received', 'pending_approval', 'on_hold', 'queued', 'running', 'completed',
	                                           'partially_completed', 'rejected', 'cancelled', 'failed')),
	outcome    TEXT CHECK (outcome IN ('mitigated', 'erased', 'not_found', 'exempt', 'already_erased')),
	verdict    TEXT NOT NULL CHECK (verdict IN ('none', 'pass/by_construction', 'pass/consistent', 'inconclusive/no_evidence',
	                                            'inconclusive/underpowered', 'inconclusive/not_exchangeable',
	                                            'fail/residual', 'fail/over_forgotten', 'fail/utility')),
	evidence   TEXT,                                -- JSON
	updated_at INTEGER NOT NULL,
	PRIMARY KEY (request, model)
) STRICT, WITHOUT ROWID;
-- The requests that touch a model, newest first (requests_list).
CREATE INDEX request_models_by_model ON request_models (model, request);

-- Idempotency keys, as HMACs. No reference to requests: the key is claimed before the request is inserted.
CREATE TABLE idempotency (
	token       TEXT NOT NULL,                      -- keys of different tokens never meet
	key         BLOB NOT NULL CHECK (length(key) = 32),
	fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32), -- of method, route and body
	request     TEXT NOT NULL,                      -- what the first call made
	created_at  INTEGER NOT NULL,
	expires_at  INTEGER NOT NULL,
	PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;
-- What has expired (idempotency_sweep).
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

-- The requests that a job serves.
CREATE TABLE job_requests (
	job     TEXT NOT NULL REFERENCES jobs (id),
	request TEXT NOT NULL REFERENCES requests (id),
	PRIMARY KEY (job, request)
) STRICT, WITHOUT ROWID;
-- The jobs of a request, newest first (jobs_list).
CREATE INDEX job_requests_by_request ON job_requests (request, job);

-- One method with one set of parameters inside a job.
CREATE TABLE attempts (
	job         TEXT NOT NULL REFERENCES jobs (id),
	ordinal     INTEGER NOT NULL CHECK (ordinal >= 1),
	method      TEXT NOT NULL,
	parameters  TEXT NOT NULL,                      -- JSON
	summary     TEXT,                               -- JSON; NULL until finished
	seconds     REAL NOT NULL DEFAULT 0,
	started_at  INTEGER NOT NULL,
	finished_at INTEGER,
	PRIMARY KEY (job, ordinal)
) STRICT, WITHOUT ROWID;

-- The verdict of an attempt on each request of its job.
CREATE TABLE attempt_verdicts (
	job      TEXT NOT NULL,
	ordinal  INTEGER NOT NULL,
	request  TEXT NOT NULL REFERENCES requests (id),
	verdict  TEXT NOT NULL CHECK (verdict IN ('none', 'pass/by_construction', 'pass/consistent', 'inconclusive/no_evidence',
	                                          'inconclusive/underpowered', 'inconclusive/not_exchangeable',
	                                          'fail/residual', 'fail/over_forgotten', 'fail/utility')),
	evidence TEXT,                                  -- JSON
	PRIMARY KEY (job, ordinal, request),
	FOREIGN KEY (job, ordinal) REFERENCES attempts (job, ordinal)
) STRICT, WITHOUT ROWID;

-- The timeline that people watch. Not evidence.
CREATE TABLE events (
	sequence INTEGER PRIMARY KEY AUTOINCREMENT,     -- never reused
	at       INTEGER NOT NULL,
	job      TEXT,
	request  TEXT,
	kind     TEXT NOT NULL,
	data     TEXT                                   -- small JSON, no identifiers
) STRICT;
-- Events of a job, of a request (events_after), old ones (events_sweep).
CREATE INDEX events_by_job ON events (job, sequence) WHERE job IS NOT NULL;
CREATE INDEX events_by_request ON events (request, sequence) WHERE request IS NOT NULL;
CREATE INDEX events_by_time ON events (at);

-- The audit log's entries: append only, dense from 0.
CREATE TABLE leaves (
	idx        INTEGER PRIMARY KEY CHECK (idx >= 0),
	bytes      BLOB NOT NULL CHECK (length(bytes) <= 65535),
	hash       BLOB NOT NULL CHECK (length(hash) = 32),         -- RFC 6962
	type       TEXT NOT NULL,                       -- name of the leaf's schema
	request    TEXT,                                -- cut at the end of the proof period
	created_at INTEGER NOT NULL
) STRICT;
-- The leaves of a request (leaves_of_request).
CREATE INDEX leaves_by_request ON leaves (request, idx) WHERE request IS NOT NULL;
-- A gap would make the tree unbuildable; a REPLACE would be a change in disguise.
CREATE TRIGGER leaves_dense BEFORE INSERT ON leaves
WHEN NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM leaves)
BEGIN
	SELECT RAISE(ABORT, 'leaves are dense and append only');
END;
CREATE TRIGGER leaves_unchanged BEFORE UPDATE ON leaves
WHEN NEW.idx IS NOT OLD.idx OR NEW.bytes IS NOT OLD.bytes OR NEW.hash IS NOT OLD.hash OR NEW.type IS NOT OLD.type
     OR NEW.created_at IS NOT OLD.created_at OR NEW.request IS NOT NULL
BEGIN
	SELECT RAISE(ABORT, 'leaves are append only');
END;
CREATE TRIGGER leaves_kept BEFORE DELETE ON leaves
BEGIN
	SELECT RAISE(ABORT, 'leaves are append only');
END;

-- Full subtrees of the Merkle tree: node (level, idx) covers leaves [idx << level, (idx + 1) << level).
CREATE TABLE tree_nodes (
	level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 62),
	idx   INTEGER NOT NULL CHECK (idx >= 0),
	hash  BLOB NOT NULL CHECK (length(hash) = 32),
	PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER tree_nodes_unchanged BEFORE UPDATE ON tree_nodes
BEGIN
	SELECT RAISE(ABORT, 'tree nodes never change');
END;
CREATE TRIGGER tree_nodes_kept BEFORE DELETE ON tree_nodes
BEGIN
	SELECT RAISE(ABORT, 'tree nodes never change');
END;

-- Signed heads of the tree.
CREATE TABLE checkpoints (
	size         INTEGER PRIMARY KEY CHECK (size >= 0),         -- leaves in the tree
	root         BLOB NOT NULL CHECK (length(root) = 32),
	note         TEXT NOT NULL,                     -- the signed note, whole
	created_at   INTEGER NOT NULL,
	published_at INTEGER                            -- a checkpoint is durable before it is published
) STRICT;
-- Published checkpoints by size (checkpoints_latest_published, checkpoints_covering).
CREATE INDEX checkpoints_published ON checkpoints (size) WHERE published_at IS NOT NULL;
CREATE TRIGGER checkpoints_unchanged BEFORE UPDATE OF size, root, note, created_at ON checkpoints
BEGIN
	SELECT RAISE(ABORT, 'checkpoints never change');
END;
CREATE TRIGGER checkpoints_kept BEFORE DELETE ON checkpoints
BEGIN
	SELECT RAISE(ABORT, 'checkpoints never change');
END;

-- Messages to the outside, delivered after the transaction that they tell of.
CREATE TABLE outbox (
	id           INTEGER PRIMARY KEY AUTOINCREMENT,
	topic        TEXT NOT NULL,
	body         TEXT NOT NULL,                     -- JSON
	created_at   INTEGER NOT NULL,
	attempts     INTEGER NOT NULL DEFAULT 0,
	next_at      INTEGER NOT NULL,                  -- back-off
	delivered_at INTEGER
) STRICT;
-- What is due (outbox_due).
CREATE INDEX outbox_due ON outbox (next_at) WHERE delivered_at IS NULL;
-- What was delivered long ago (outbox_sweep).
CREATE INDEX outbox_delivered ON outbox (delivered_at) WHERE delivered_at IS NOT NULL;
