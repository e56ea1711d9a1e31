-- As before, and also refuses the commit while effects of several notifications share the transaction. An effect that
-- ends the transaction would otherwise commit the effects before it without their completions.
CREATE OR REPLACE FUNCTION paytend_require_durability() RETURNS trigger LANGUAGE plpgsql AS $$
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
