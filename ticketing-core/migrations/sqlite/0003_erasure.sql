-- Parked rows, the oldest first: they are given up in time.
CREATE INDEX outbox_parked ON outbox (settled_at) WHERE state = 'parked';

-- Follow-ups of a ticket, whether they were told its number or not: whoever asks for what a caller
-- said gets them too.
CREATE INDEX outbox_parent ON outbox (parent) WHERE parent IS NOT NULL;
DROP INDEX outbox_orphan;
