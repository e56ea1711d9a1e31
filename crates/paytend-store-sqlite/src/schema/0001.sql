CREATE TABLE paytend_meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each notification, which stays for deduplication.
CREATE TABLE paytend_notification (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    dedup BLOB NOT NULL UNIQUE,
    content_tag BLOB NOT NULL,
    route TEXT NOT NULL,
    kind TEXT NOT NULL,
    notify_type TEXT NOT NULL,
    business_kind TEXT,
    business_id TEXT,
    business_state TEXT,
    order_key BLOB,
    verified_by TEXT NOT NULL,
    traceparent TEXT,
    sent_at INTEGER,
    received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX paytend_notification_business ON paytend_notification (business_id) WHERE business_id IS NOT NULL;
CREATE INDEX paytend_notification_received ON paytend_notification (received_at);

-- The encrypted content, until its retention ends.
CREATE TABLE paytend_payload (
    id INTEGER PRIMARY KEY REFERENCES paytend_notification (id),
    key_id INTEGER NOT NULL,
    nonce BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

-- One row for each notification that is neither done nor dead.
CREATE TABLE paytend_work (
    id INTEGER PRIMARY KEY REFERENCES paytend_notification (id),
    kind TEXT NOT NULL,
    order_key BLOB,
    -- 1 if no other notification of the order key comes first.
    head INTEGER NOT NULL,
    -- 0 ready, 1 leased, 2 backoff.
    state INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    -- The time of the next attempt, or the end of the lease.
    due_at INTEGER NOT NULL,
    holder INTEGER,
    is_sighting INTEGER NOT NULL,
    -- 1 if a sighting arrived after the first attempt of the run had begun.
    again INTEGER NOT NULL,
    cause TEXT
) STRICT;
CREATE INDEX paytend_work_due ON paytend_work (due_at, id) WHERE head = 1;
CREATE INDEX paytend_work_kind ON paytend_work (kind, due_at, id) WHERE head = 1;
CREATE INDEX paytend_work_order ON paytend_work (order_key, id) WHERE order_key IS NOT NULL;

-- One row for each attempt that ended.
CREATE TABLE paytend_outcome (
    id INTEGER NOT NULL REFERENCES paytend_notification (id),
    fence INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    result TEXT NOT NULL,
    tries INTEGER NOT NULL,
    is_sighting INTEGER NOT NULL,
    cause TEXT,
    PRIMARY KEY (id, fence)
) STRICT, WITHOUT ROWID;

CREATE TABLE paytend_dead (
    id INTEGER PRIMARY KEY REFERENCES paytend_notification (id),
    died_at INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    is_sighting INTEGER NOT NULL,
    cause TEXT
) STRICT;

-- Arrivals of a known notification. `number` is the number of arrivals so far. A row can stand for several of them, the
-- last of which was seen at `seen_at`.
CREATE TABLE paytend_sighting (
    id INTEGER NOT NULL REFERENCES paytend_notification (id),
    number INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    sent_at INTEGER,
    same_content INTEGER NOT NULL,
    PRIMARY KEY (id, number)
) STRICT, WITHOUT ROWID;

-- What operators did.
CREATE TABLE paytend_audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    id INTEGER,
    operator TEXT NOT NULL,
    detail TEXT
) STRICT;
