-- Tickets of the support desk, and what the directory told.

create table ticket (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    -- SERVICE_REQUEST, CARE_COORDINATION, DOMAIN_APPROVAL, PERMISSION_REQUEST, ACCOUNT_CREATED, PURCHASE, SEAT_ADDED
    type            text        not null,
    -- NEW, OPEN, PENDING, SOLVED, CLOSED
    status          text        not null,
    -- LOW, NORMAL, HIGH
    priority        text        not null,
    title           text        not null,
    text            text        not null,
    -- The partner system's own names.
    person_id       text        not null,
    person_name     text        not null,
    person_email    text        not null,
    account_id      text        not null,
    account_name    text        not null,
    plan            text        not null,
    assignee_id     uuid,
    -- A registrable name in ASCII and lower case; null: not about a domain.
    domain          text,
    -- APPROVED, DECLINED, CLEARED
    decision        text,
    decided_by      text,
    decided_at      timestamptz,
    requester       text,
    notes           integer     not null,
    comments        integer     not null,
    opened_at       timestamptz not null,
    updated_at      timestamptz not null,
    priority_rank   bigint      not null generated always as
        (case priority when 'HIGH' then 3 when 'NORMAL' then 2 else 1 end) stored,
    status_rank     bigint      not null generated always as
        (case status when 'NEW' then 5 when 'OPEN' then 4 when 'PENDING' then 3 when 'SOLVED' then 2 else 1 end) stored,
    -- What is searched.
    words           tsvector    not null generated always as (to_tsvector('simple',
        title || ' ' || text || ' ' || person_name || ' ' || person_email || ' ' || person_id || ' ' || account_name
        || ' ' || account_id || ' ' || plan || ' ' || coalesce(domain, ''))) stored
);
create index ticket_opened on ticket (organisation_id, opened_at desc, id desc);
create index ticket_updated on ticket (organisation_id, updated_at desc, id desc);
create index ticket_assignee on ticket (organisation_id, assignee_id, opened_at desc);
create index ticket_domain on ticket (organisation_id, domain, decided_at desc) where domain is not null;
create index ticket_words on ticket using gin (words);

-- The partner systems' events that a ticket answers.
create table ticket_request (
    aggregate_id uuid    not null,
    event_id     uuid    not null,
    number       integer not null,
    primary key (aggregate_id, event_id)
);
create index ticket_request_event on ticket_request (event_id);

-- Notes and comments. Never changed.
create table ticket_remark (
    aggregate_id uuid        not null,
    number       integer     not null,
    is_note      boolean     not null,
    author       text        not null,
    text         text        not null,
    at           timestamptz not null,
    primary key (aggregate_id, number)
);

-- Read copy of the directory: newest version wins.
create table known_employee (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    -- Whether it has a support role.
    is_agent        boolean not null
);
