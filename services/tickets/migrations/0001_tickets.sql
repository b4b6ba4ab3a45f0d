-- The tickets context. The journal's own tables (receipts, outbox, timers, dead letters) come before it.

-- One row per ticket; a deleted one keeps nothing but its id (T-11), so that late events find it gone.
create table ticket (
    id                    uuid    primary key,
    organisation_id       uuid    not null,
    version               bigint  not null,
    deleted               boolean not null,
    -- T-14. 0: a draft, or deleted.
    number                bigint  not null,
    device_id             uuid,
    template_id           uuid,
    -- Owner and departments of the device when the ticket opened.
    customer_id           uuid,
    department_ids        jsonb,
    -- The category; null: a plain ticket.
    flow_id               uuid,
    -- The flow as it was when the draft was made; null once open.
    draft_flow            jsonb,
    group_id              uuid,
    notification_group_id uuid,
    title                 text,
    description           text,
    status                text,
    visibility            text,
    priority              text,
    answers               jsonb,
    -- Words of the answers, for full text.
    words                 text,
    involved_count        integer not null,
    -- 1 to 5; 0: not rated.
    rating                integer not null,
    rating_round          integer not null,
    done_round            integer not null,
    -- `employee:<uuid>`, `code_user:<uuid>`, `customer_user:<uuid>`.
    creator               text,
    create_time           timestamptz,
    update_time           timestamptz,
    open_time             timestamptz,
    -- How many rows ticket_update and ticket_timeline have.
    updates               bigint  not null,
    timeline              bigint  not null,
    priority_rank         integer not null generated always as
        (case priority when 'HIGH' then 3 when 'NORMAL' then 2 when 'LOW' then 1 else 0 end) stored,
    -- Full text (T-15). The organisation is a word of it, so that one tenant's search never walks another's words.
    -- A tsvector holds 1 MiB at most; longer answers are found by their beginning.
    search                tsvector generated always as (
        to_tsvector('simple', number::text || ' ' || coalesce(title, '') || ' ' || coalesce(description, '') || ' '
            || left(coalesce(words, ''), 60000))
        || array_to_tsvector(array['o' || replace(organisation_id::text, '-', '')])
    ) stored,
    constraint ticket_is_whole_or_gone check (
        case when deleted
            then device_id is null and title is null and description is null and answers is null and creator is null
            else num_nulls(device_id, template_id, department_ids, title, description, status, visibility, priority,
                answers, words, creator, create_time, update_time) = 0
        end
    )
);

-- T-14: the last guard.
create unique index ticket_number on ticket (organisation_id, number) where number > 0;
-- T-15: lists read fifty rows of an index, however many tickets there are.
create index ticket_by_create_time on ticket (organisation_id, create_time, id) where not deleted;
create index ticket_by_status on ticket (organisation_id, status, create_time, id) where not deleted;
create index ticket_by_update_time on ticket (organisation_id, update_time, id) where not deleted;
create index ticket_by_device on ticket (organisation_id, device_id, create_time, id) where not deleted;
create index ticket_by_customer on ticket (organisation_id, customer_id, create_time, id)
    where not deleted and customer_id is not null;
create index ticket_by_priority on ticket (organisation_id, priority_rank, create_time, id) where not deleted;
create index ticket_by_rating on ticket (organisation_id, rating, create_time, id) where not deleted;
create index ticket_search on ticket using gin (search);

-- Who is involved, in the order they came.
create table ticket_involved (
    aggregate_id uuid    not null,
    employee_id  uuid    not null,
    position     integer not null,
    primary key (aggregate_id, employee_id)
);
create index ticket_involved_employee on ticket_involved (employee_id, aggregate_id);

-- What was written on a ticket (T-12).
create table ticket_update (
    aggregate_id    uuid        not null,
    sequence        bigint      not null,
    id              uuid        not null,
    organisation_id uuid        not null,
    author          text        not null,
    visibility      text        not null,
    text            text        not null,
    attachments     jsonb       not null,
    create_time     timestamptz not null,
    search          tsvector    generated always as (
        to_tsvector('simple', text) || array_to_tsvector(array['o' || replace(organisation_id::text, '-', '')])
    ) stored,
    primary key (aggregate_id, sequence)
);
create index ticket_update_search on ticket_update using gin (search);

-- Who changed what, when, from what to what (T-14).
create table ticket_timeline (
    aggregate_id     uuid        not null,
    sequence         bigint      not null,
    time             timestamptz not null,
    actor            text        not null,
    field            text        not null,
    before           text        not null,
    after            text        not null,
    automatic        boolean     not null,
    cause_event_id   uuid,
    cause_event_type text,
    primary key (aggregate_id, sequence)
);

-- The flows of one template (T-1). Its id is the template's.
create table flow_set (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    -- Ids of the flows, in order.
    flow_ids        jsonb   not null,
    -- The template was removed.
    removed         boolean not null
);

create table flow (
    aggregate_id          uuid    not null,
    id                    uuid    not null,
    label                 jsonb   not null,
    steps                 jsonb   not null,
    title_step            text,
    group_id              uuid,
    notification_group_id uuid,
    active                boolean not null,
    primary key (aggregate_id, id)
);

-- The last ticket number given out in each organisation (T-14).
create table number_counter (
    organisation_id uuid   primary key,
    last            bigint not null
);

-- Read copy of fleet's offers: who has an offer that waits for an answer ("offered to me").
create table ticket_offer (
    ticket_id       uuid    not null,
    employee_id     uuid    not null,
    organisation_id uuid    not null,
    open            boolean not null,
    -- Version of fleet's aggregate that said so: an older word never replaces a newer one.
    version         bigint  not null,
    primary key (ticket_id, employee_id)
);
create index ticket_offer_open on ticket_offer (employee_id, ticket_id) where open;

-- A deleted ticket takes its offers along (T-11). By a trigger, since the copies are written beside the journal.
create function forget_ticket_offers() returns trigger language plpgsql as $$
begin
    delete from ticket_offer where ticket_id = new.id;
    return null;
end
$$;
create trigger ticket_deleted after update of deleted on ticket
    for each row when (new.deleted and not old.deleted) execute function forget_ticket_offers();

-- Read copies of the directory's records: the newest version wins, removed ones stay as such.
create table device (
    id              uuid    primary key,
    organisation_id uuid    not null,
    template_id     uuid    not null,
    customer_id     uuid,
    department_ids  uuid[]  not null,
    removed         boolean not null,
    version         bigint  not null
);
create index device_customer on device (organisation_id, customer_id) where customer_id is not null;

create table organisation (
    id        uuid   primary key,
    isolation text   not null,
    version   bigint not null
);

create table template (
    id              uuid    primary key,
    organisation_id uuid    not null,
    removed         boolean not null,
    version         bigint  not null
);
