-- Every request leaves dead versions of its row, most of them at the front of an index where the
-- next search begins. By default they would be cleaned up once they are a fifth of a table that
-- keeps every request. (Fillfactor would gain nothing: what a claim and a settlement change is
-- indexed, so no change stays within its page.)
ALTER TABLE outbox SET (
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.02);
