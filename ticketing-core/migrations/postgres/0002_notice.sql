-- What people are to be told: one row per event and channel. Moments are milliseconds since
-- 1970-01-01 UTC.
CREATE TABLE notice (
    -- The order of recording; never reused.
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- What happened, such as parked:482-917-305: told once on each channel.
    event TEXT NOT NULL,
    -- Where it is told, such as slack.
    channel TEXT NOT NULL,
    -- What to tell, as JSON: may be personal data. NULL once the notice is settled or erased. Not
    -- JSONB, which refuses some texts.
    body TEXT,
    -- Where it stands; src/outbox/notices.rs says what each means.
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed')),
    -- Drawn anew for every lease; NULL when nobody sends it.
    lease_token BIGINT,
    -- From this moment on others may take it.
    lease_until BIGINT,
    -- How often somebody began to send it.
    attempts BIGINT NOT NULL,
    -- When it was recorded.
    created_at BIGINT NOT NULL,
    -- When it is to be sent next.
    due_at BIGINT NOT NULL,
    -- When it was sent or given up.
    settled_at BIGINT,
    -- Why the last attempt did not end well; never personal data.
    reason TEXT,

    UNIQUE (event, channel),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK ((state = 'sending') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('sent', 'failed')) = (settled_at IS NOT NULL)),
    CHECK (settled_at IS NULL OR body IS NULL)
);

-- Notices to be sent, the earliest due first.
CREATE INDEX notice_due ON notice (due_at, id) WHERE state = 'waiting';

-- Notices somebody sends, the earliest to expire first.
CREATE INDEX notice_lease ON notice (lease_until) WHERE state = 'sending';

-- Settled notices, the oldest first: they are deleted in time.
CREATE INDEX notice_settled ON notice (settled_at) WHERE settled_at IS NOT NULL;

-- Alarms that stand: what is wrong now and was told when it began.
CREATE TABLE alarm (
    -- What is wrong, such as glpi_unreachable.
    name TEXT PRIMARY KEY,
    -- Since when.
    raised_at BIGINT NOT NULL
);
