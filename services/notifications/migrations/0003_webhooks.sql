-- Webhooks: events over HTTPS for backends that do not read NATS.

create table webhook (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    -- Null: removed. It may hold a secret.
    url             text,
    description     text    not null,
    -- Full names, or `callboard.<context>.v1.*`; none: all.
    event_types     jsonb   not null,
    enabled         boolean not null,
    -- BY_HAND, GONE, FAILING; null while it is switched on.
    disabled_reason text,
    disabled_at     timestamptz,
    -- What signs, newest first: id, key (Base64), created_at, expires_at.
    secrets         jsonb   not null,
    created_at      timestamptz,
    updated_at      timestamptz
);
create index webhook_organisation on webhook (organisation_id, created_at, id) where url is not null;

-- What is sent, the same to every endpoint and at every attempt. No free text, as in every event.
create table webhook_event (
    id              uuid        primary key,
    organisation_id uuid        not null,
    -- Full name.
    type            text        not null,
    -- The ticket it is about; it goes with it (T-11).
    ticket_id       uuid,
    body            text        not null,
    created_at      timestamptz not null
);
create index webhook_event_created on webhook_event (created_at);
create index webhook_event_ticket on webhook_event (ticket_id) where ticket_id is not null;

-- One per event and endpoint.
create table webhook_delivery (
    webhook_id      uuid        not null,
    event_id        uuid        not null references webhook_event on delete cascade,
    organisation_id uuid        not null,
    event_type      text        not null,
    -- DUE, CLAIMED, DELIVERED, FAILED
    state           text        not null,
    -- In all, and in this round, which begins anew when it is redelivered.
    attempts        integer     not null,
    failures        integer     not null,
    due             timestamptz not null,
    -- While it is claimed: when whoever has it is taken for dead.
    lease           timestamptz,
    -- Asked for by hand: tried at once, whatever rests or is switched off; and by which request.
    by_hand         boolean     not null,
    asked_by        uuid,
    -- Of the last attempt.
    reason          text        not null,
    status_code     integer     not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    primary key (webhook_id, event_id)
);
create index webhook_delivery_due on webhook_delivery (webhook_id, due) where state = 'DUE';
create index webhook_delivery_held on webhook_delivery (webhook_id, lease) where state = 'CLAIMED';
create index webhook_delivery_latest on webhook_delivery (webhook_id, created_at desc, event_id desc);
create index webhook_delivery_event on webhook_delivery (event_id);

create table webhook_attempt (
    webhook_id      uuid        not null,
    event_id        uuid        not null,
    number          integer     not null,
    organisation_id uuid        not null,
    event_type      text        not null,
    at              timestamptz not null,
    duration_ms     integer     not null,
    -- 0: no answer.
    status_code     integer     not null,
    reason          text        not null,
    primary key (webhook_id, event_id, number)
);
create index webhook_attempt_latest on webhook_attempt (webhook_id, at desc, event_id desc, number desc);
create index webhook_attempt_at on webhook_attempt (at);

-- Since when a destination has done nothing but fail.
alter table destination add column failing_since timestamptz not null default now();
