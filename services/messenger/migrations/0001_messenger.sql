-- Conversations of tickets, what is said in them, and what other contexts told.

-- One per ticket; its id is the ticket's. A bare row with `deleted` stays behind, so that late news find it gone.
create table conversation (
    id               uuid    primary key,
    organisation_id  uuid    not null,
    version          bigint  not null,
    deleted          boolean not null,
    -- The ticket's version these facts are of; null: not opened yet, or deleted.
    ticket_version   bigint,
    device_id        uuid,
    template_id      uuid,
    customer_id      uuid,
    -- T-13.
    internal         boolean,
    -- CLOSED or CANCELLED: outsiders may not write (T-9).
    ended            boolean,
    -- Lists of ids.
    department_ids   jsonb   not null,
    opened_at        timestamptz,
    -- The highest sequence given (M-5).
    last_sequence    bigint  not null,
    last_message_at  timestamptz,
    involved         jsonb   not null,
    -- Fleet's version that names them.
    involved_version bigint  not null,
    -- Outsiders who have written.
    writers          jsonb   not null,
    -- The latest client ids (M-4): 16 bytes of key and 8 of sequence each.
    recent           bytea   not null,
    -- Messages that were changed and still may be (M-6).
    touched          jsonb   not null
);
create index conversation_latest on conversation (organisation_id, last_message_at desc, id desc)
    where last_message_at is not null;
create index conversation_device on conversation (organisation_id, device_id, last_message_at desc, id desc)
    where last_message_at is not null;

-- Rows, never loaded with their conversation: however long it is, it costs its actor nothing.
create table message (
    aggregate_id   uuid        not null,
    sequence       bigint      not null,
    id             uuid        not null,
    -- TEXT, JOIN_LINK
    kind           text        not null,
    author         text        not null,
    client_id      text        not null,
    -- One message for each author and client id (M-4): the last guard, where two processes did not know of each other.
    client_key     uuid        not null,
    text           text        not null,
    attachment_ids jsonb       not null,
    session_id     uuid,
    sent_at        timestamptz not null,
    edited_at      timestamptz,
    withdrawn_at   timestamptz,
    revision       integer     not null,
    -- The conversation's version when it last changed: what is behind it is what a watcher missed (M-5).
    position       bigint      not null,
    primary key (aggregate_id, sequence)
);
create unique index message_client_key on message (aggregate_id, client_key);
create index message_position on message (aggregate_id, position);

-- What messages said before (M-6): the trace, for employees.
create table message_revision (
    aggregate_id uuid        not null,
    sequence     bigint      not null,
    revision     integer     not null,
    text         text        not null,
    since        timestamptz not null,
    until        timestamptz not null,
    primary key (aggregate_id, sequence, revision)
);

-- How far people have read (M-6).
create table reader (
    aggregate_id uuid        not null,
    reader       text        not null,
    sequence     bigint      not null,
    at           timestamptz not null,
    primary key (aggregate_id, reader)
);
create index reader_reader on reader (reader);

-- A deleted ticket takes everything along (T-11). By a trigger, in the same commit: there may be very many rows.
create function forget_conversation() returns trigger language plpgsql as $$
begin
    delete from message where aggregate_id = new.id;
    delete from message_revision where aggregate_id = new.id;
    delete from reader where aggregate_id = new.id;
    return null;
end $$;
create trigger conversation_deleted after update of deleted on conversation
    for each row when (new.deleted and not old.deleted) execute function forget_conversation();

-- Read copy of the directory: newest version wins.
create table known_organisation (
    id        uuid   primary key,
    version   bigint not null,
    -- off, basic, strict
    isolation text   not null
);
