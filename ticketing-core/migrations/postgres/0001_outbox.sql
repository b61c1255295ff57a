-- One row per request. Moments are milliseconds since 1970-01-01 UTC:
--   SELECT reference, state, to_timestamp(due_at / 1000.0) FROM outbox;
CREATE TABLE outbox (
    -- The order of recording; never reused.
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The speakable name, 482-917-305.
    reference TEXT NOT NULL UNIQUE CHECK (reference ~ '^[0-9]{3}-[0-9]{3}-[0-9]{3}$'),
    -- Who asked: the client's configured name. Keys are scoped by it.
    client TEXT NOT NULL,
    -- SHA-256 of the idempotency key; NULL without one, or once its window has passed.
    key_digest BYTEA CHECK (octet_length(key_digest) = 32),
    -- From this moment on the key may name another request; NULL for never.
    key_until BIGINT,
    -- SHA-256 of the content, to tell a repeat from a reused key; outlives the content.
    fingerprint BYTEA NOT NULL CHECK (octet_length(fingerprint) = 32),
    -- Of a follow-up: the reference whose ticket it belongs to. NULL for a ticket.
    parent TEXT,
    -- Of a follow-up: GLPI's number of that ticket, copied here when it is delivered. Until then
    -- the follow-up is not taken.
    parent_ticket BIGINT,
    -- What to write, as JSON: personal data. NULL once erased. Not JSONB, which refuses some texts.
    work TEXT,
    -- Where it stands; the diagram is in src/outbox.rs.
    state TEXT NOT NULL
        CHECK (state IN ('waiting', 'sending', 'in_doubt', 'delivered', 'parked', 'discarded')),
    -- Drawn anew for every lease; NULL when nobody works on the row.
    lease_token BIGINT,
    -- From this moment on others may take the row.
    lease_until BIGINT,
    -- Requests sent so far, or about to be.
    attempts BIGINT NOT NULL,
    -- How many of them had an unknown end.
    doubts BIGINT NOT NULL,
    -- Look-ups in a row that did not find it.
    lookups BIGINT NOT NULL,
    -- When it was recorded.
    accepted_at BIGINT NOT NULL,
    -- When it is to be worked on next.
    due_at BIGINT NOT NULL,
    -- First and last moment from which a request may have left that is still open to doubt.
    first_send_at BIGINT,
    last_send_at BIGINT,
    -- When it was delivered, parked or discarded.
    settled_at BIGINT,
    -- GLPI's number of the ticket; of a follow-up, the number of the follow-up. Set by delivery
    -- alone.
    glpi_id BIGINT,
    -- Why the last attempt did not end in delivery; never personal data.
    reason TEXT,

    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK (state <> 'sending' OR lease_until IS NOT NULL),
    CHECK (state IN ('sending', 'in_doubt') OR lease_until IS NULL),
    CHECK ((state IN ('delivered', 'parked', 'discarded')) = (settled_at IS NOT NULL)),
    CHECK (state <> 'delivered' OR glpi_id IS NOT NULL)
);

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
CREATE INDEX outbox_state ON outbox (state, id);

-- Tickets by GLPI's number.
CREATE INDEX outbox_ticket ON outbox (glpi_id) WHERE state = 'delivered' AND parent IS NULL;

-- Settled rows that still hold personal data, the oldest first.
CREATE INDEX outbox_erasable ON outbox (settled_at)
    WHERE state IN ('delivered', 'discarded') AND work IS NOT NULL;
