-- Rows that may be taken, by client, the earliest due first: no client waits behind another's
-- backlog.
CREATE INDEX outbox_due_by_client ON outbox (client, due_at, id)
    WHERE state IN ('waiting', 'in_doubt') AND lease_until IS NULL
        AND (parent IS NULL OR parent_ticket IS NOT NULL);
