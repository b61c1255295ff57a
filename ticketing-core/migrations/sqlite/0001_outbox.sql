-- One row per request. Moments are milliseconds since 1970-01-01 UTC:
--   SELECT reference, state, datetime(due_at / 1000, 'unixepoch') FROM outbox;
CREATE TABLE outbox (
    -- The order of recording; never reused.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The speakable name, 482-917-305.
    reference TEXT NOT NULL UNIQUE
        CHECK (reference GLOB '[0-9][0-9][0-9]-[0-9][0-9][0-9]-[0-9][0-9][0-9]'),
    -- Who asked: the client's configured name. Keys are scoped by it.
    client TEXT NOT NULL,
    -- SHA-256 of the idempotency key; NULL without one, or once its window has passed.
    key_digest BLOB CHECK (length(key_digest) = 32),
    -- From this moment on the key may name another request; NULL for never.
    key_until INTEGER,
    -- SHA-256 of the content, to tell a repeat from a reused key; outlives the content.
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    -- Of a follow-up: the reference whose ticket it belongs to. NULL for a ticket.
    parent TEXT,
    -- Of a follow-up: GLPI's number of that ticket, copied here when it is delivered. Until then
    -- the follow-up is not taken.
    parent_ticket INTEGER,
    -- What to write, as JSON: personal data. NULL once erased.
    work TEXT,
    -- Where it stands; the diagram is in src/outbox.rs.
    state TEXT NOT NULL
        CHECK (state IN ('waiting', 'sending', 'in_doubt', 'delivered', 'parked', 'discarded')),
    -- Drawn anew for every lease; NULL when nobody works on the row.
    lease_token INTEGER,
    -- From this moment on others may take the row.
    lease_until INTEGER,
    -- Requests sent so far, or about to be.
    attempts INTEGER NOT NULL,
    -- How many of them had an unknown end.
    doubts INTEGER NOT NULL,
    -- Look-ups in a row that did not find it.
    lookups INTEGER NOT NULL,
    -- When it was recorded.
    accepted_at INTEGER NOT NULL,
    -- When it is to be worked on next.
    due_at INTEGER NOT NULL,
    -- First and last moment from which a request may have left that is still open to doubt.
    first_send_at INTEGER,
    last_send_at INTEGER,
    -- When it was delivered, parked or discarded.
    settled_at INTEGER,
    -- GLPI's number of the ticket; of a follow-up, the number of the follow-up.
    glpi_id INTEGER,
    -- Why the last attempt did not end in delivery; never personal data.
    reason TEXT,

    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK (state <> 'sending' OR lease_until IS NOT NULL),
    CHECK (state IN ('sending', 'in_doubt') OR lease_until IS NULL),
    CHECK ((state IN ('delivered', 'parked', 'discarded')) = (settled_at IS NOT NULL)),
    CHECK (state <> 'delivered' OR glpi_id IS NOT NULL)
) STRICT;

-- One (client, key) names at most one row at a time.
CREATE UNIQUE INDEX outbox_key ON outbox (client, key_digest) WHERE key_digest IS NOT NULL;

-- Rows that may be taken, the earliest due first. Settled rows are not in it, so it stays small.
CREATE INDEX outbox_due ON outbox (due_at, id)
    WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
        AND (parent IS NULL OR parent_ticket IS NOT NULL);

-- Rows somebody works on, the earliest to expire first.
CREATE INDEX outbox_lease ON outbox (lease_until) WHERE lease_until IS NOT NULL;

-- Follow-ups to be told their ticket's number.
CREATE INDEX outbox_orphan ON outbox (parent) WHERE parent IS NOT NULL AND parent_ticket IS NULL;

-- Rows by state, in the order of recording: lists and counts.
CREATE INDEX outbox_state ON outbox (state);

-- Tickets by GLPI's number.
CREATE INDEX outbox_ticket ON outbox (glpi_id) WHERE state = 'delivered' AND parent IS NULL;

-- Settled rows that still hold personal data, the oldest first.
CREATE INDEX outbox_erasable ON outbox (settled_at)
    WHERE state IN ('delivered', 'discarded') AND work IS NOT NULL;
