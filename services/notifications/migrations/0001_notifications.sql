-- What people are told, what became of it, and what other contexts told.

-- Read copies: newest version wins; what is removed stays as a bare row, so that late news find it gone.

create table known_organisation (
    id        uuid   primary key,
    version   bigint not null,
    -- off, basic, strict
    isolation text   not null,
    language  text   not null
);

create table known_employee (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    role            text    not null,
    language        text    not null,
    -- Lists of ids.
    department_ids  jsonb   not null,
    team_ids        jsonb   not null,
    -- CARE, ACCESS, SALES
    support_roles   jsonb   not null
);
create index known_employee_organisation on known_employee (organisation_id) where not removed;

create table known_customer_user (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    customer_id     uuid    not null,
    language        text    not null
);
create index known_customer_user_customer on known_customer_user (organisation_id, customer_id) where not removed;

create table known_code (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    -- Null: unpaired.
    device_id       uuid,
    active          boolean not null
);
create index known_code_device on known_code (organisation_id, device_id) where not removed;

-- Tickets, tasks, device events, tickets of the support desk.
create table known_subject (
    id              uuid    primary key,
    organisation_id uuid    not null,
    -- -1: somebody spoke of it before its own context did.
    version         bigint  not null,
    -- TICKET, TASK, DEVICE_EVENT, SUPPORT_TICKET
    kind            text    not null,
    deleted         boolean not null,
    -- Short number; 0: none.
    number          bigint  not null,
    device_id       uuid,
    customer_id     uuid,
    -- Not for outsiders (T-13).
    internal        boolean not null,
    department_ids  jsonb   not null,
    involved        jsonb   not null,
    -- The notification group (N-4).
    group_id        uuid
);

-- Who declined which ticket and was not asked again since (F-5).
create table known_decline (
    ticket_id       uuid    not null,
    employee_id     uuid    not null,
    organisation_id uuid    not null,
    -- That of fleet's dispatch.
    version         bigint  not null,
    declined        boolean not null,
    primary key (ticket_id, employee_id)
);

-- One per person; its id is derived from the person (N-2).
create table preferences (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    -- employee:<id>, customer_user:<id>
    person          text,
    -- What differs from the default.
    rules           jsonb   not null,
    switched_off    boolean not null
);
create unique index preferences_person on preferences (organisation_id, person);

create table notification_group (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    -- Null: removed.
    name            text,
    employee_ids    jsonb   not null,
    department_ids  jsonb   not null,
    team_ids        jsonb   not null,
    created_at      timestamptz,
    updated_at      timestamptz
);
create index notification_group_name on notification_group (organisation_id, name, id) where name is not null;

-- The drawers (N-1): one row per person, subject and type, whose id is derived from them.
create sequence drawer_position;
create table entry (
    id              uuid        primary key,
    organisation_id uuid        not null,
    -- employee:<id>, customer_user:<id>, code:<id>
    person          text        not null,
    event_type      text        not null,
    subject_kind    text        not null,
    subject_id      uuid        not null,
    -- Since it was read last.
    count           integer     not null,
    unread          boolean     not null,
    -- Of the latest: ME, OTHERS; who; when; what else the text needs.
    origin          text        not null,
    actor           text        not null,
    at              timestamptz not null,
    details         jsonb       not null,
    position        bigint      not null
);
create index entry_person on entry (organisation_id, person, position desc);
create index entry_subject on entry (subject_id);

-- One per event and person: what was told, and the guard against telling it twice (N-5).
create table telling (
    event_id        uuid        not null,
    person          text        not null,
    organisation_id uuid        not null,
    event_type      text        not null,
    subject_kind    text        not null,
    subject_id      uuid        not null,
    -- The message it is about, which may be withdrawn.
    part_id         uuid,
    origin          text        not null,
    -- Why this person hears of it.
    because         text        not null,
    actor           text        not null,
    at              timestamptz not null,
    details         jsonb       not null,
    -- ALL, FIRST_SUCCESSFUL
    strategy        text        not null,
    primary key (event_id, person)
);
create index telling_subject on telling (subject_id);
create index telling_at on telling (at);

-- One per event, person and channel.
create table delivery (
    event_id        uuid        not null,
    person          text        not null,
    channel         text        not null,
    organisation_id uuid        not null,
    subject_id      uuid        not null,
    place           integer     not null,
    state           text        not null,
    attempts        integer     not null,
    due             timestamptz not null,
    -- While it is claimed or handed over: when whoever has it is taken for dead.
    lease           timestamptz,
    -- Who must answer for it to arrive; null until it was looked up. Back-off is per destination.
    destination     text,
    reason          text        not null,
    answer          text        not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    primary key (event_id, person, channel)
);
create index delivery_due on delivery (channel, due) where state = 'DUE';
create index delivery_held on delivery (lease) where state in ('CLAIMED', 'HANDED_OVER');
create index delivery_person on delivery (organisation_id, person, created_at desc, event_id desc, channel);
create index delivery_latest on delivery (organisation_id, created_at desc, event_id desc, person, channel);
create index delivery_subject on delivery (subject_id);

-- Destinations that failed last, and when they are tried again.
create table destination (
    channel    text        not null,
    name       text        not null,
    failures   integer     not null,
    not_before timestamptz not null,
    primary key (channel, name)
);

-- Browsers that take pushes.
create table push_subscription (
    id              uuid        primary key,
    organisation_id uuid        not null,
    person          text        not null,
    endpoint        text        not null unique,
    p256dh          bytea       not null,
    auth            bytea       not null,
    label           text        not null,
    created_at      timestamptz not null
);
create index push_subscription_person on push_subscription (organisation_id, person, created_at desc);

-- Addresses of people without login (N-6).
create table code_address (
    id              uuid        primary key,
    organisation_id uuid        not null,
    code_id         uuid        not null,
    email           text        not null,
    language        text        not null,
    confirmed       boolean     not null,
    created_at      timestamptz not null
);
create unique index code_address_email on code_address (code_id, lower(email));

-- Keys that were made here because none was given.
create table own_key (
    name  text  primary key,
    value bytea not null
);
