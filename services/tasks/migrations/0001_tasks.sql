-- Definitions of templates, events of devices, tasks, feeds, and what other contexts told of devices and people.

-- A bare row with `removed` stays behind: the id is not given again.
create table definition (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    removed         boolean     not null,
    template_id     uuid,
    title           text,
    description     text,
    -- A list of {id, text}.
    steps           jsonb       not null,
    created_at      timestamptz,
    updated_at      timestamptz
);
create index definition_template on definition (organisation_id, template_id) where not removed;

create table device_event (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    removed         boolean     not null,
    device_id       uuid,
    definition_id   uuid,
    title           text,
    -- Local date and time of the first occurrence.
    start           text,
    -- RFC 5545; empty: once.
    rule            text,
    -- INTERNAL, EXTERNAL
    visibility      text,
    creates_task    boolean     not null,
    -- Lists of ids.
    assignee_ids    jsonb       not null,
    template_id     uuid,
    customer_id     uuid,
    department_ids  jsonb       not null,
    -- IANA name of the device's time zone.
    time_zone       text,
    -- {local, at}; null: never again.
    next            jsonb,
    -- The moment in `next`, for lists.
    next_at         timestamptz,
    last_at         timestamptz,
    created_at      timestamptz,
    updated_at      timestamptz
);
create index device_event_device on device_event (device_id) where not removed;
create index device_event_list on device_event (organisation_id, (coalesce(next_at, 'infinity'::timestamptz)), id) where not removed;
create index device_event_definition on device_event (definition_id) where not removed;
create index device_event_assignees on device_event using gin (assignee_ids) where not removed;

-- A bare row with `deleted` stays behind, so that late news find it gone.
create table task (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    deleted         boolean     not null,
    device_id       uuid,
    template_id     uuid,
    customer_id     uuid,
    department_ids  jsonb       not null,
    definition_id   uuid,
    event_id        uuid,
    -- OPEN, IN_PROGRESS, CLOSED
    status          text,
    -- INTERNAL, EXTERNAL
    visibility      text,
    title           text,
    description     text,
    -- A list of {id, text, tick: {by, at}}.
    steps           jsonb       not null,
    -- A list of ids.
    assignee_ids    jsonb       not null,
    due_at          timestamptz,
    due_ahead       boolean     not null,
    ticket_id       uuid,
    creator         text,
    created_at      timestamptz,
    updated_at      timestamptz,
    closed_by       text,
    closed_at       timestamptz
);
create index task_newest on task (organisation_id, created_at desc, id desc) where not deleted;
create index task_due on task (organisation_id, (coalesce(due_at, 'infinity'::timestamptz)), id) where not deleted;
create index task_device on task (device_id) where not deleted;
create index task_ticket on task (ticket_id) where ticket_id is not null;
create index task_event on task (event_id) where event_id is not null;
create index task_assignees on task using gin (assignee_ids) where not deleted;

-- A calendar that programs subscribe to. Only the hash of its token is kept.
create table feed (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    ended           boolean     not null,
    -- `employee:<uuid>`, `customer_user:<uuid>`
    owner           text,
    customer_id     uuid,
    name            text,
    -- ALL, MINE
    scope           text,
    token_hash      bytea,
    created_at      timestamptz
);
create unique index feed_token on feed (token_hash) where not ended;
create index feed_owner on feed (organisation_id, owner) where not ended;

-- Read copies: newest version wins; removed rows stay, so that older news cannot revive them.

create table known_organisation (
    id        uuid   primary key,
    version   bigint not null,
    -- off, basic, strict
    isolation text   not null,
    -- IANA; empty: UTC.
    time_zone text   not null
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
    department_ids  uuid[]  not null,
    -- IANA; empty: that of the organisation.
    time_zone       text    not null
);
create index known_device_organisation on known_device (organisation_id) where not removed;

create table known_employee (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    department_ids  uuid[]  not null
);

create table known_ticket (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    deleted         boolean not null,
    device_id       uuid,
    customer_id     uuid,
    public          boolean not null
);
