-- The store's clock. All times are the database's.
CREATE FUNCTION paytend_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';

CREATE TABLE paytend_meta (
    name text PRIMARY KEY,
    value bytea NOT NULL
);

-- One row for each notification, which stays for deduplication.
CREATE TABLE paytend_notification (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dedup bytea NOT NULL UNIQUE,
    content_tag bytea NOT NULL,
    route text NOT NULL,
    kind text NOT NULL,
    notify_type text NOT NULL,
    business_kind text,
    business_id text,
    business_state text,
    order_key bytea,
    verified_by text NOT NULL,
    traceparent text,
    sent_at bigint,
    received_at timestamptz NOT NULL DEFAULT paytend_now()
);
-- Shortened, because PostgreSQL refuses long values in an index.
CREATE INDEX paytend_notification_business ON paytend_notification (left(business_id, 200))
    WHERE business_id IS NOT NULL;
CREATE INDEX paytend_notification_received ON paytend_notification (received_at);

-- The encrypted content, until its retention ends. Each day (UTC) has a partition, which is dropped as a whole. Content
-- of a day without a partition is in the rest. There is no foreign key: dropping a partition would lock the
-- notifications.
CREATE TABLE paytend_payload (
    received_on date NOT NULL,
    id bigint NOT NULL,
    key_id bigint NOT NULL,
    nonce bytea NOT NULL,
    sealed bytea NOT NULL,
    -- The day is the same in a whole partition, so an index that begins with it would not help to find a row.
    PRIMARY KEY (id, received_on)
) PARTITION BY RANGE (received_on);
CREATE TABLE paytend_payload_rest PARTITION OF paytend_payload DEFAULT;

-- Adds the partitions of this day and of the next ones. A table that is attached blocks neither readers nor writers of
-- the others. A day with content in the rest gets no partition.
CREATE FUNCTION paytend_add_days(ahead integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    today date := (paytend_now() AT TIME ZONE 'UTC')::date;
    day date;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(8097874476947481602);
    FOR distance IN 0..ahead LOOP
        day := today + distance;
        name := 'paytend_payload_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE %I (LIKE paytend_payload INCLUDING DEFAULTS)', name);
            EXECUTE format('ALTER TABLE paytend_payload ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                name, day, day + 1);
        EXCEPTION WHEN check_violation THEN
            NULL;
        END;
    END LOOP;
END $$;

-- One row for each notification that is neither done nor dead. `ready` is true if no other notification of the order
-- key comes first. `state` is 0 ready, 1 leased or 2 backoff. `due_at` is the time of the next attempt, or the end of
-- the lease.
CREATE TABLE paytend_work (
    id bigint PRIMARY KEY REFERENCES paytend_notification (id),
    kind text NOT NULL,
    order_key bytea,
    ready boolean NOT NULL,
    state smallint NOT NULL,
    fence bigint NOT NULL CHECK (fence BETWEEN 0 AND 9223372036854775806),
    tries integer NOT NULL,
    due_at timestamptz NOT NULL,
    holder bigint,
    is_sighting boolean NOT NULL,
    again boolean NOT NULL,
    cause text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX paytend_work_due ON paytend_work (due_at, id) WHERE ready;
CREATE INDEX paytend_work_kind ON paytend_work (kind, due_at, id) WHERE ready;
CREATE INDEX paytend_work_order ON paytend_work (order_key, id) WHERE order_key IS NOT NULL;

-- One row for each attempt that ended.
CREATE TABLE paytend_outcome (
    id bigint NOT NULL REFERENCES paytend_notification (id),
    fence bigint NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT paytend_now(),
    result text NOT NULL,
    tries integer NOT NULL,
    is_sighting boolean NOT NULL,
    cause text,
    PRIMARY KEY (id, fence)
);

CREATE TABLE paytend_dead (
    id bigint PRIMARY KEY REFERENCES paytend_notification (id),
    died_at timestamptz NOT NULL DEFAULT paytend_now(),
    fence bigint NOT NULL,
    tries integer NOT NULL,
    is_sighting boolean NOT NULL,
    cause text
);

-- One row for each arrival of a known notification.
CREATE TABLE paytend_sighting (
    id bigint NOT NULL REFERENCES paytend_notification (id),
    number bigint NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT paytend_now(),
    sent_at bigint,
    same_content boolean NOT NULL,
    PRIMARY KEY (id, number)
);

-- What operators did.
CREATE TABLE paytend_audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT paytend_now(),
    action text NOT NULL,
    id bigint,
    operator text NOT NULL,
    detail text
);

-- Refuses to commit what a crash could undo, whatever has changed the settings: an effect, a role, or the server's
-- configuration. It runs at the commit. The settings are those that the store checks when it is opened.
-- Also refuses the commit while effects of several notifications share the transaction. An effect that ends the
-- transaction would otherwise commit the effects before it without their completions.
CREATE FUNCTION paytend_require_durability() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    level text := current_setting('synchronous_commit');
    standbys text := current_setting('synchronous_standby_names');
BEGIN
    IF current_setting('paytend.refuse_commit', true) = 'on' THEN
        RAISE EXCEPTION USING ERRCODE = 'PY002', MESSAGE = 'an effect must not end the transaction';
    END IF;
    IF current_setting('paytend.danger_any_settings', true) = 'on' THEN
        RETURN NULL;
    END IF;
    IF current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on'
        AND (level IN ('on', 'remote_apply') OR (level IN ('local', 'remote_write') AND standbys = '')) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'PY001', MESSAGE = format(
        'the commit could be lost: fsync is %s, full_page_writes is %s, synchronous_commit is %s',
        current_setting('fsync'), current_setting('full_page_writes'), level);
END $$;
CREATE CONSTRAINT TRIGGER paytend_require_durability AFTER INSERT ON paytend_notification
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION paytend_require_durability();
CREATE CONSTRAINT TRIGGER paytend_require_durability AFTER INSERT ON paytend_sighting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION paytend_require_durability();
CREATE CONSTRAINT TRIGGER paytend_require_durability AFTER INSERT ON paytend_outcome
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION paytend_require_durability();
