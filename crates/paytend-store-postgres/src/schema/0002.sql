-- The store's clock in milliseconds since the Unix epoch.
CREATE FUNCTION paytend_now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
    'SELECT (extract(epoch FROM paytend_now()) * 1000)::bigint';

-- One row for each order, which stays for the identity of its number. Times are in milliseconds since the Unix epoch.
-- `is_open` is true until the outcome is known and the handler has succeeded. `head` is true if no open order of the
-- order key comes first. `last_send` is 0 unknown, 1 rejected or 2 unreadable. `due_at` is the time of the next attempt
-- or the end of the lease; it is null if only a person can continue.
CREATE TABLE paytend_order (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text NOT NULL UNIQUE,
    request_id text NOT NULL UNIQUE,
    operation text NOT NULL,
    content_tag bytea NOT NULL,
    order_key bytea,
    not_before bigint,
    traceparent text,
    submitted_at bigint NOT NULL,
    state text NOT NULL,
    is_open boolean NOT NULL,
    head boolean NOT NULL,
    sends bigint NOT NULL DEFAULT 0,
    last_sent_at bigint,
    last_send smallint NOT NULL DEFAULT 0,
    confirmations bigint NOT NULL DEFAULT 0,
    confirmed_at bigint,
    settled_ms bigint NOT NULL DEFAULT 0,
    queries bigint NOT NULL DEFAULT 0,
    failed_queries bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    tries bigint NOT NULL DEFAULT 0,
    is_leased boolean NOT NULL DEFAULT false,
    holder bigint NOT NULL DEFAULT 0,
    due_at bigint,
    decision text,
    is_notified boolean NOT NULL DEFAULT false,
    is_due_again boolean NOT NULL DEFAULT false,
    cause text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE INDEX paytend_order_due ON paytend_order (operation, due_at, id)
    WHERE is_open AND head AND due_at IS NOT NULL;
-- The orders that can be claimed while sending is paused.
CREATE INDEX paytend_order_due_paused ON paytend_order (operation, due_at, id)
    WHERE is_open AND head AND due_at IS NOT NULL AND (sends > 0 OR state <> 'recorded' OR decision IS NOT NULL);
CREATE INDEX paytend_order_key ON paytend_order (order_key, id) WHERE is_open AND order_key IS NOT NULL;
CREATE INDEX paytend_order_state ON paytend_order (state, id);
CREATE INDEX paytend_order_open ON paytend_order (due_at, id) WHERE is_open;

-- The encrypted parts of an order: its request, and its result if there is one.
CREATE TABLE paytend_order_part (
    id bigint NOT NULL REFERENCES paytend_order (id),
    part text NOT NULL,
    key_id bigint NOT NULL,
    nonce bytea NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (id, part)
);

-- The operations that are not sent; * stands for all.
CREATE TABLE paytend_order_pause (
    operation text PRIMARY KEY,
    since bigint NOT NULL,
    who text NOT NULL,
    why text NOT NULL
);

-- What persons did. `id` is null for pauses.
CREATE TABLE paytend_order_audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    id bigint REFERENCES paytend_order (id),
    action text NOT NULL,
    who text NOT NULL,
    why text NOT NULL
);
CREATE INDEX paytend_order_audit_order ON paytend_order_audit (id) WHERE id IS NOT NULL;

-- Refuses to commit a new or changed order, or a new pause, if a crash could undo the commit. Otherwise, a crash could
-- undo a submission, a decision, or the increased number of sends.
CREATE CONSTRAINT TRIGGER paytend_require_durability AFTER INSERT OR UPDATE ON paytend_order
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION paytend_require_durability();
CREATE CONSTRAINT TRIGGER paytend_require_durability AFTER INSERT ON paytend_order_pause
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION paytend_require_durability();
