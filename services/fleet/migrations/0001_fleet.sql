-- Offers, assignments and rounds of tickets; groups of templates; what other contexts told of people and tickets.

-- One per ticket; its id is the ticket's. A bare row with `deleted` stays behind, so that late news find it gone.
create table dispatch (
    id                    uuid     primary key,
    organisation_id       uuid     not null,
    version               bigint   not null,
    deleted               boolean  not null,
    -- The ticket's version these facts are of; null: never told of it, or deleted.
    ticket_version        bigint,
    template_id           uuid,
    device_id             uuid,
    customer_id           uuid,
    group_id              uuid,
    notification_group_id uuid,
    -- OPEN, ASSIGNED, IN_PROGRESS, DONE, CLOSED, CANCELLED
    status                text,
    -- INTERNAL, PUBLIC
    visibility            text,
    -- Of the device: a list of ids.
    department_ids        jsonb    not null,
    -- 0: unlimited (F-7).
    required_workers      integer  not null,
    -- The round whose group waits to be escalated (F-9).
    escalating_round      integer
);

-- An invitation to one employee to take one ticket.
create table offer (
    aggregate_id    uuid        not null,
    id              uuid        not null,
    organisation_id uuid        not null,
    employee_id     uuid        not null,
    -- UNSEEN, SEEN, ACCEPTED, DECLINED, CANCELLED, EXPIRED, RESCINDED
    status          text        not null,
    round           integer     not null,
    decline_reason  text,
    created_at      timestamptz not null,
    seen_at         timestamptz,
    decided_at      timestamptz,
    expires_at      timestamptz,
    primary key (id)
);
create index offer_aggregate_id on offer (aggregate_id, employee_id);
-- "Offered to me", newest first.
create index offer_of_employee on offer (organisation_id, employee_id, created_at desc, id desc);
-- F-8: what an employee may lose.
create index offer_open on offer (organisation_id, employee_id) where status in ('UNSEEN', 'SEEN');

-- One employee working on one ticket.
create table assignment (
    aggregate_id    uuid        not null,
    employee_id     uuid        not null,
    organisation_id uuid        not null,
    -- ACCEPTED, ASSIGNED
    source          text        not null,
    assigned_by     text        not null,
    created_at      timestamptz not null,
    primary key (aggregate_id, employee_id)
);
create index assignment_of_employee on assignment (organisation_id, employee_id);

-- One round of offers: who was eligible, who was left out and why (F-10).
create table round (
    aggregate_id uuid        not null,
    number       integer     not null,
    group_id     uuid,
    -- A list of employee ids.
    eligible     jsonb       not null,
    -- A list of {employee, reason}.
    left_out     jsonb       not null,
    created_at   timestamptz not null,
    primary key (aggregate_id, number)
);

-- One per template; its id is the template's.
create table group_set (
    id              uuid   primary key,
    organisation_id uuid   not null,
    version         bigint not null
);

-- Whom to offer a ticket to (F-1).
create table offer_group (
    aggregate_id     uuid    not null,
    id               uuid    not null,
    -- Place in the order: 0, 1, 2 …
    place            integer not null,
    name             text    not null,
    -- Lists of ids.
    employee_ids     jsonb   not null,
    department_ids   jsonb   not null,
    team_ids         jsonb   not null,
    meta_team_ids    jsonb   not null,
    required_workers integer not null,
    -- Milliseconds; null: never.
    offer_lifetime   bigint,
    escalate_after   bigint,
    primary key (aggregate_id, id)
);

-- Read copies of the directory: newest version wins; removed rows stay, so that older news cannot revive them.

create table known_organisation (
    id        uuid   primary key,
    version   bigint not null,
    -- off, basic, strict
    isolation text   not null
);

create table known_employee (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    department_ids  uuid[]  not null,
    team_ids        uuid[]  not null
);
create index known_employee_organisation on known_employee (organisation_id, id) where not removed;
create index known_employee_departments on known_employee using gin (department_ids);
create index known_employee_teams on known_employee using gin (team_ids);

create table known_meta_team (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    team_ids        uuid[]  not null
);

-- Removed teams serve nobody, whatever a customer still names.
create table known_team (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null
);

create table known_customer (
    id               uuid    primary key,
    organisation_id  uuid    not null,
    version          bigint  not null,
    removed          boolean not null,
    -- Meta team id to team id.
    serving_team_ids jsonb   not null
);

create table known_template (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null
);
