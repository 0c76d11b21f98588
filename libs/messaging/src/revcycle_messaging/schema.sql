-- The chassis tables of one service, version 1. They stand in a schema of their own without row-level security:
-- a relay and a consumer serve every tenant. Business tables never stand here.
CREATE SCHEMA messaging;

-- The last sequence handed out per stream this service produces; taken under the aggregate's row lock.
CREATE TABLE messaging.outgoing_stream (
    tenant_id uuid NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    last_sequence bigint NOT NULL CHECK (last_sequence > 0),
    PRIMARY KEY (tenant_id, topic, key)
) WITH (fillfactor = 70);

-- Events that are committed and not yet acknowledged by the broker. Rows come and go at the rate of traffic.
CREATE TABLE messaging.outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 63),
    tenant_id uuid NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL,
    event_id uuid NOT NULL,
    headers text NOT NULL,
    payload bytea NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (tenant_id, topic, key, sequence)
) WITH (
    toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000
);
ALTER TABLE messaging.outbox ALTER COLUMN payload SET STORAGE EXTERNAL;

-- While this row is there, every relay of the service lets its shards go and stands by: a topic is being rebuilt.
CREATE TABLE messaging.relay_stop (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    actor text NOT NULL,
    reason text NOT NULL,
    stopped_at timestamptz NOT NULL
);

-- Every event ever published, by day of publication: the log that topics are rebuilt and consumers replayed from.
CREATE TABLE messaging.archive (
    day date NOT NULL,
    seq bigint NOT NULL,
    tenant_id uuid NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL,
    event_id uuid NOT NULL,
    headers text NOT NULL,
    payload bytea NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (day, seq)
) PARTITION BY RANGE (day);
CREATE INDEX archive_stream ON messaging.archive (tenant_id, topic, key, sequence);

-- The relay's role may not create tables, so the owner lends it exactly this one act.
CREATE FUNCTION messaging.ensure_archive_day(wanted date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition_name text := 'archive_' || to_char(wanted, 'YYYYMMDD');
BEGIN
    IF to_regclass('messaging.' || partition_name) IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext('messaging.archive'));
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS messaging.%I PARTITION OF messaging.archive FOR VALUES FROM (%L) TO (%L) WITH (toast_tuple_target = 8160)',
            partition_name, wanted, wanted + 1);
        EXECUTE format('ALTER TABLE messaging.%I ALTER COLUMN payload SET STORAGE EXTERNAL', partition_name);
        -- Default privileges may lend a new table's rows to the role that called; an archive is never changed.
        IF session_user <> current_user THEN
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON messaging.%I FROM %I', partition_name, session_user);
        END IF;
    END IF;
END $$;

-- SHA-256 over the digests of a day's events in order; the export computes the same from its file.
CREATE FUNCTION messaging.archive_digest(wanted date) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(sha256(coalesce(string_agg(sha256(convert_to(
        seq || '|' || tenant_id || '|' || topic || '|' || key || '|' || sequence || '|' || event_id
            || E'\n' || headers || E'\n', 'UTF8') || payload), ''::bytea ORDER BY seq), ''::bytea)), 'hex')
    FROM messaging.archive WHERE day = wanted
$$;

-- For the owner: let a day go once its export holds exactly what the day holds.
CREATE FUNCTION messaging.detach_archive_day(
    gone date, expected_events bigint, expected_digest text, remove boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition_name text := 'archive_' || to_char(gone, 'YYYYMMDD');
    events bigint;
BEGIN
    IF to_regclass('messaging.' || partition_name) IS NULL THEN
        RAISE EXCEPTION 'the archive has no day %', gone;
    END IF;
    EXECUTE format('LOCK TABLE messaging.%I IN SHARE MODE', partition_name);
    SELECT count(*) INTO events FROM messaging.archive WHERE day = gone;
    IF events <> expected_events OR messaging.archive_digest(gone) <> expected_digest THEN
        RAISE EXCEPTION 'the archive of % holds % events and is not what was exported (% events)',
            gone, events, expected_events;
    END IF;
    EXECUTE format('ALTER TABLE messaging.archive DETACH PARTITION messaging.%I', partition_name);
    IF remove THEN
        EXECUTE format('DROP TABLE messaging.%I', partition_name);
    END IF;
END $$;
REVOKE ALL ON FUNCTION messaging.detach_archive_day(date, bigint, text, boolean) FROM PUBLIC;

-- One small row per key a consumer has seen, never dropped: the truth about duplicates, gaps and parked keys.
-- run_start and run_end are the last offered run; they let one upsert lock, judge and advance in a single round trip.
CREATE TABLE messaging.stream (
    consumer text NOT NULL,
    tenant_id uuid NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    last_sequence bigint NOT NULL,
    run_start bigint NOT NULL,
    run_end bigint NOT NULL,
    parked_since timestamptz,
    PRIMARY KEY (consumer, tenant_id, topic, key)
) WITH (fillfactor = 70);
CREATE INDEX stream_parked ON messaging.stream (consumer, parked_since) WHERE parked_since IS NOT NULL;

-- Events that wait: behind a gap, for a retry, or dead until a named person decides. Not partitioned, never aged out.
CREATE TABLE messaging.parked_event (
    consumer text NOT NULL,
    tenant_id uuid NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL,
    event_id uuid NOT NULL,
    headers text NOT NULL,
    payload bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'dead')),
    reason text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz,
    first_failed_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, tenant_id, topic, key, sequence)
);

-- What named persons decided about events that wait, and about streams after a restore. Rows are only ever added.
CREATE TABLE messaging.intervention (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    tenant_id uuid NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL,
    event_id uuid,
    action text NOT NULL CHECK (action IN ('redrive', 'discard', 'adopt')),
    actor text NOT NULL,
    reason text NOT NULL,
    decided_at timestamptz NOT NULL
);
CREATE INDEX intervention_stream ON messaging.intervention (tenant_id, topic, key, sequence);

-- Records whose seal does not hold, kept whole to be looked at; they touch no stream.
CREATE TABLE messaging.quarantine (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    key bytea,
    headers jsonb NOT NULL,
    payload bytea,
    reason text NOT NULL,
    found_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, topic, partition, record_offset)
);

-- Something to do at a time, set and cancelled in the transaction that changes the state it belongs to.
CREATE TABLE messaging.timer (
    tenant_id uuid NOT NULL,
    aggregate text NOT NULL,
    name text NOT NULL,
    due_at timestamptz NOT NULL,
    payload jsonb NOT NULL,
    PRIMARY KEY (tenant_id, aggregate, name)
);
CREATE INDEX timer_due ON messaging.timer (due_at);

-- An effect outside the database: attempt committed, then the act, then the outcome.
CREATE TABLE messaging.job (
    job_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'running', 'unknown', 'done', 'failed')),
    payload jsonb NOT NULL,
    correlation_id text,
    attempts integer NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL,
    leased_until timestamptz,
    leased_by text,
    last_error text,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX job_ready ON messaging.job (kind, run_at) WHERE state = 'ready';
CREATE INDEX job_running ON messaging.job (leased_until) WHERE state = 'running';
CREATE INDEX job_unknown ON messaging.job (kind) WHERE state = 'unknown';
