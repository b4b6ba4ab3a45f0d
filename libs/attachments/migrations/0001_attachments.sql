-- Files that hang on what this context owns: the same tables and functions in the schema of every context that has some.

create table attachment (
    id              uuid        primary key,
    organisation_id uuid        not null,
    -- `employee:<uuid>`, `code_user:<uuid>`, `customer_user:<uuid>`; `system` once purged.
    uploader        text        not null,
    -- The aggregate it was uploaded for, and, once linked, the one its owner belongs to.
    aggregate_id    uuid,
    -- UPLOADING: bytes are coming in. PENDING: nobody's yet. LINKED: its owner's. PURGED: to be removed.
    state           text        not null check (state in ('UPLOADING', 'PENDING', 'LINKED', 'PURGED')),
    -- What it is part of, in words of the context: `update`, and its id.
    owner_kind      text,
    owner_id        uuid,
    name            text        not null,
    -- As judged by content; empty while uploading.
    media_type      text        not null,
    size            bigint      not null,
    -- Hexadecimal.
    sha256          text        not null,
    -- Where the bytes are. The thumbnail is beside them.
    object_key      text        not null,
    thumbnail       text        not null check (thumbnail in ('NONE', 'WAITING', 'MADE')),
    scan            text        not null check (scan in ('OFF', 'WAITING', 'CLEAN', 'INFECTED')),
    -- How many bytes of the organisation's quota it takes.
    reserved        bigint      not null,
    -- How often scanning or the thumbnail failed, and until when somebody is at it.
    attempts        integer     not null default 0,
    claimed_until   timestamptz,
    create_time     timestamptz not null,
    -- When the state changed last; while uploading, when bytes came last.
    change_time     timestamptz not null,
    constraint attachment_has_an_owner check ((state = 'LINKED') = (owner_id is not null))
);
create index attachment_aggregate on attachment (aggregate_id) where aggregate_id is not null;
create index attachment_owner on attachment (owner_id) where owner_id is not null;
create index attachment_loose on attachment (state, change_time) where state <> 'LINKED';
create index attachment_uploader on attachment (organisation_id, uploader) where state in ('UPLOADING', 'PENDING');
create index attachment_care on attachment (create_time) where thumbnail = 'WAITING' or scan = 'WAITING';

-- How much of its quota an organisation has taken in this context. A row, so that counting and judging are one step.
create table attachment_usage (
    organisation_id uuid   primary key,
    bytes           bigint not null
);

-- What download links are signed with. The highest id signs; all verify.
create table attachment_secret (
    id         integer     primary key,
    secret     bytea       not null,
    created_at timestamptz not null default now()
);

-- The owner of this kind and id has exactly these attachments from now on: what is new is linked, what it has let go is
-- pending again. Called within the statement that writes the owner, so that both happen or neither. Refuses what is not
-- there any more, is another's, or belongs to another organisation.
create function own_attachments(_kind text, _organisation uuid, _aggregate uuid, _owner uuid, _ids jsonb) returns void
language plpgsql as $$
declare
    wanted uuid[] := array(select distinct value::uuid from jsonb_array_elements_text(coalesce(_ids, '[]'::jsonb)));
    held   integer;
begin
    update attachment
    set state = 'PENDING', owner_kind = null, owner_id = null, change_time = now()
    where owner_id = _owner and owner_kind = _kind and state = 'LINKED' and id <> all (wanted);
    update attachment
    set state = 'LINKED', owner_kind = _kind, owner_id = _owner, aggregate_id = _aggregate, change_time = now()
    where id = any (wanted) and organisation_id = _organisation
      and (state = 'PENDING' or (state = 'LINKED' and owner_kind = _kind and owner_id = _owner));
    get diagnostics held = row_count;
    if held <> cardinality(wanted) then
        raise exception 'an attachment of this % is not there, or not to be had', _kind
            using errcode = 'integrity_constraint_violation';
    end if;
end
$$;

-- For tables of owners with the columns id, organisation_id, aggregate_id and attachments (a JSON list of ids):
--   create trigger … after insert or update of attachments on … for each row when (…)
--       execute function link_attachments('message');
create function link_attachments() returns trigger language plpgsql as $$
begin
    perform own_attachments(tg_argv[0], new.organisation_id, new.aggregate_id, new.id, new.attachments);
    return null;
end
$$;

-- All attachments of an aggregate are to be removed, for good (T-11). What names anything is emptied at once, the bytes
-- follow.
create function purge_attachments_of(_aggregate uuid) returns void language sql as $$
    update attachment
    set state = 'PURGED', owner_kind = null, owner_id = null, aggregate_id = null, name = '', uploader = 'system',
        sha256 = '', change_time = now()
    where aggregate_id = _aggregate and state <> 'PURGED'
$$;

-- For root tables whose rows stay bare when deleted:
--   create trigger … after update of deleted on … for each row when (new.deleted and not old.deleted)
--       execute function purge_attachments();
create function purge_attachments() returns trigger language plpgsql as $$
begin
    perform purge_attachments_of(new.id);
    return null;
end
$$;
