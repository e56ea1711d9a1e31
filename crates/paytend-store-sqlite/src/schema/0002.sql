-- One row for each order, which stays for the identity of its number.
CREATE TABLE paytend_order (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL,
    content_tag BLOB NOT NULL,
    order_key BLOB,
    not_before INTEGER,
    traceparent TEXT,
    submitted_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    -- 1 until the outcome is known and the handler has succeeded.
    is_open INTEGER NOT NULL,
    -- 1 if no open order of the order key comes first.
    head INTEGER NOT NULL,
    sends INTEGER NOT NULL,
    last_sent_at INTEGER,
    -- 0 unknown, 1 rejected, 2 unreadable.
    last_send INTEGER NOT NULL,
    confirmations INTEGER NOT NULL,
    confirmed_at INTEGER,
    settled_ms INTEGER NOT NULL,
    queries INTEGER NOT NULL,
    failed_queries INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    is_leased INTEGER NOT NULL,
    holder INTEGER NOT NULL DEFAULT 0,
    -- The time of the next attempt, or the end of the lease. Null if only a person can continue.
    due_at INTEGER,
    decision TEXT,
    is_notified INTEGER NOT NULL,
    is_due_again INTEGER NOT NULL,
    cause TEXT
) STRICT;
CREATE INDEX paytend_order_due ON paytend_order (operation, due_at, id)
    WHERE is_open = 1 AND head = 1 AND due_at IS NOT NULL;
-- The orders that can be claimed while sending is paused.
CREATE INDEX paytend_order_due_paused ON paytend_order (operation, due_at, id)
    WHERE is_open = 1 AND head = 1 AND due_at IS NOT NULL AND (sends > 0 OR state <> 'recorded' OR decision IS NOT NULL);
CREATE INDEX paytend_order_key ON paytend_order (order_key, id) WHERE is_open = 1 AND order_key IS NOT NULL;
CREATE INDEX paytend_order_state ON paytend_order (state, id);
CREATE INDEX paytend_order_open ON paytend_order (due_at, id) WHERE is_open = 1;

-- The encrypted parts of an order: its request, and its result if there is one.
CREATE TABLE paytend_order_part (
    -- Twice the order's ID, plus 1 for the result. SQLite finds a row by such a key without an index.
    place INTEGER PRIMARY KEY,
    id INTEGER NOT NULL REFERENCES paytend_order (id),
    part TEXT NOT NULL,
    key_id INTEGER NOT NULL,
    nonce BLOB NOT NULL,
    sealed BLOB NOT NULL,
    CHECK (place = 2 * id + (part = 'result'))
) STRICT;

-- The operations that are not sent; * stands for all.
CREATE TABLE paytend_order_pause (
    operation TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What persons did. `id` is null for pauses.
CREATE TABLE paytend_order_audit (
    at INTEGER NOT NULL,
    id INTEGER REFERENCES paytend_order (id),
    action TEXT NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;
CREATE INDEX paytend_order_audit_order ON paytend_order_audit (id) WHERE id IS NOT NULL;
