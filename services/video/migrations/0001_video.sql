-- Video sessions, session flows of templates, open exchanges of signals, and what other contexts told.

create table session (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    device_id       uuid,
    -- Where the device stood when the session was made.
    template_id     uuid,
    customer_id     uuid,
    department_ids  jsonb       not null,
    -- REQUESTED, CONFIRMED, IN_PROGRESS, DONE, CLOSED, CANCELLED
    status          text,
    -- INTERNAL, PUBLIC
    visibility      text,
    employee_id     uuid,
    -- `code_user:<uuid>`, `customer_user:<uuid>`
    requester       text,
    requester_name  text,
    reason          text,
    -- A list of ids, in order.
    ticket_ids      jsonb       not null,
    conversation_id uuid,
    -- Who consented to recordings, on either side.
    guest_consent   text,
    employee_consent text,
    recording       boolean     not null,
    -- {number, started_at, started_by_employee, guest, employee, quiet_since, watch_at}; null: none runs.
    call            jsonb       not null,
    calls           integer     not null,
    -- How many times it has become DONE (R-3).
    done_round      integer     not null,
    rating          integer     check (rating between 1 and 5),
    ended_at        timestamptz,
    creator         text,
    created_at      timestamptz,
    updated_at      timestamptz
);
create index session_newest on session (organisation_id, created_at desc, id desc);
create index session_device on session (device_id);
create index session_tickets on session using gin (ticket_ids);

-- One per template; its id is the template's.
create table session_flow (
    id               uuid    primary key,
    organisation_id  uuid    not null,
    version          bigint  not null,
    requests_allowed boolean not null,
    -- NOT, OPTIONAL, REQUIRED
    name             text    not null,
    reason           text    not null,
    -- A list of {language: text}.
    reasons          jsonb   not null,
    asks_consent     boolean not null,
    -- Lists of ids.
    employee_ids     jsonb   not null,
    department_ids   jsonb   not null
);

-- Exchanges of signals that stand: whoever serves one says so again and again. What falls silent is gone (V-4).
create table call_stream (
    id         uuid        primary key,
    session_id uuid        not null,
    seen_at    timestamptz not null
);
create index call_stream_session on call_stream (session_id);

-- What call tokens are signed with, where the settings name nothing.
create table call_secret (
    id     integer primary key,
    secret bytea   not null
);

-- Read copies: newest version wins; removed rows stay, so that older news cannot revive them.

create table known_organisation (
    id        uuid   primary key,
    version   bigint not null,
    -- off, basic, strict
    isolation text   not null
);

create table known_template (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null
);

create table known_device (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    template_id     uuid    not null,
    customer_id     uuid,
    department_ids  uuid[]  not null
);
create index known_device_template on known_device (template_id) where not removed;

-- Of tickets no more than links need; of a deleted one nothing but that (T-11).
create table known_ticket (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    deleted         boolean not null,
    device_id       uuid,
    customer_id     uuid,
    public          boolean not null
);

-- Who is offered, or assigned to, a ticket (V-2, M-7).
create table known_offer (
    ticket_id       uuid    not null,
    employee_id     uuid    not null,
    organisation_id uuid    not null,
    version         bigint  not null,
    offered         boolean not null,
    assigned        boolean not null,
    primary key (ticket_id, employee_id)
);
create index known_offer_employee on known_offer (employee_id) where offered or assigned;

-- Whether a template's sessions are rated (R-2).
create table known_switch (
    template_id     uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    rated           boolean not null
);
