-- The journal's own tables, the same in the schema of every context.

-- What is kept of a command for as long as it may be repeated. It is the inbox too: a reaction's command id is made of
-- consumer, event and target.
create table command_receipt (
    command_id      uuid        primary key,
    aggregate_id    uuid        not null,
    organisation_id uuid        not null,
    -- Hash of what was asked.
    fingerprint     bigint      not null,
    -- The aggregate's version after the command.
    version         bigint      not null,
    -- `applied`, `nothing`, `rejected:<REASON>`, or `erased`: deleted for good, and what was answered with it.
    outcome         text        not null,
    answer          bytea       not null,
    created_at      timestamptz not null default now()
);
-- For retention; rows come in order of time, so the small kind of index does.
-- For what is deleted for good: it takes the answers along.
create index command_receipt_aggregate_id on command_receipt (aggregate_id);
create index command_receipt_created_at on command_receipt using brin (created_at);

-- Events of committed commands. Positions become visible out of order, so nobody remembers one: what has no
-- `stream_seq` is not published yet.
create table outbox (
    position          bigint generated always as identity primary key,
    event_id          uuid        not null unique,
    organisation_id   uuid        not null,
    context           text        not null,
    -- `ticket.opened`
    name              text        not null,
    -- `callboard.tickets.v1.TicketOpened`
    kind              text        not null,
    aggregate_id      uuid        not null,
    aggregate_version bigint      not null,
    time              timestamptz not null,
    causation         uuid,
    correlation       uuid,
    traceparent       text,
    -- `employee:<uuid>`, `code_user:<uuid>`, `customer_user:<uuid>` or `system`.
    actor             text        not null,
    payload           bytea       not null,
    -- Its sequence in the stream, once published.
    stream_seq        bigint,
    created_at        timestamptz not null default now()
);
create index outbox_unpublished on outbox (position) where stream_seq is null;
create index outbox_published on outbox (stream_seq) where stream_seq is not null;
create index outbox_created_at on outbox using brin (created_at);

-- What an aggregate wants to be woken for.
create table timer (
    aggregate_kind  text        not null,
    aggregate_id    uuid        not null,
    name            text        not null,
    organisation_id uuid        not null,
    due_at          timestamptz not null,
    payload         bytea       not null,
    -- Somebody is firing it until then; null: nobody.
    claimed_until   timestamptz,
    -- The id first: it finds the row, whatever the planner believes of the kinds.
    primary key (aggregate_id, aggregate_kind, name)
);
create index timer_due_at on timer (due_at);

-- Events that this context could not process, and those of the same key waiting behind them.
create table dead_letter (
    consumer          text        not null,
    event_id          uuid        not null,
    -- What keeps order: the event's aggregate.
    key               uuid        not null,
    position          bigint generated always as identity unique,
    organisation_id   uuid        not null,
    context           text        not null,
    name              text        not null,
    kind              text        not null,
    aggregate_id      uuid        not null,
    aggregate_version bigint      not null,
    time              timestamptz not null,
    causation         uuid,
    correlation       uuid,
    traceparent       text,
    actor             text        not null,
    payload           bytea       not null,
    error             text        not null,
    attempts          integer     not null default 0,
    first_seen        timestamptz not null default now(),
    primary key (consumer, event_id)
);
create index dead_letter_key on dead_letter (consumer, key, position);
