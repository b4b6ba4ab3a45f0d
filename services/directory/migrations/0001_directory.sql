-- What the directory keeps (D-1). Removed records stay as bare rows without personal data, so that late commands find
-- them gone and ids are not given twice.
--
-- `names` is the name in lower case (a template's names one a line): lists are sorted and searched by it.

create table organisation (
    id              uuid        primary key,
    organisation_id uuid        not null check (organisation_id = id),
    version         bigint      not null,
    names           text        not null collate "C",
    removed         boolean     not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    name            text        not null,
    isolation       text        not null,
    language        text        not null
);

create table employee (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    names           text        not null collate "C",
    removed         boolean     not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    name            text        not null,
    email           text        not null,
    role            text        not null,
    language        text        not null,
    department_ids  jsonb       not null,
    team_ids        jsonb       not null,
    auth_epoch      bigint      not null
);
create index employee_names on employee (organisation_id, names, id) where not removed;
create index employee_department_ids on employee using gin (department_ids);
create index employee_team_ids on employee using gin (team_ids);

create table department (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    names           text        not null collate "C",
    removed         boolean     not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    name            text        not null
);
create index department_names on department (organisation_id, names, id) where not removed;

create table team (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    names           text        not null collate "C",
    removed         boolean     not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    name            text        not null
);
create index team_names on team (organisation_id, names, id) where not removed;

create table meta_team (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    names           text        not null collate "C",
    removed         boolean     not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    name            text        not null,
    team_ids        jsonb       not null
);
create index meta_team_names on meta_team (organisation_id, names, id) where not removed;
create index meta_team_team_ids on meta_team using gin (team_ids);

create table customer (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    names           text        not null collate "C",
    removed         boolean     not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    name            text        not null,
    kind            text        not null,
    -- Meta team id to team id.
    serving         jsonb       not null
);
create index customer_names on customer (organisation_id, names, id) where not removed;
create index customer_serving on customer using gin (serving);

create table customer_user (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    names           text        not null collate "C",
    removed         boolean     not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    customer_id     uuid        not null,
    name            text        not null,
    email           text        not null,
    language        text        not null,
    auth_epoch      bigint      not null
);
create index customer_user_names on customer_user (organisation_id, names, id) where not removed;
create index customer_user_customer on customer_user (customer_id) where not removed;

create table template (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    names           text        not null collate "C",
    removed         boolean     not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    -- Language to name.
    name            jsonb       not null
);
create index template_names on template (organisation_id, names, id) where not removed;

create table device (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    names           text        not null collate "C",
    removed         boolean     not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    template_id     uuid        not null,
    name            text        not null,
    serial_number   text        not null,
    customer_id     uuid,
    department_ids  jsonb       not null
);
create index device_names on device (organisation_id, names, id) where not removed;
create index device_template on device (template_id) where not removed;
create index device_customer on device (customer_id) where not removed;
create index device_department_ids on device using gin (department_ids);

create table code (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    removed         boolean     not null,
    -- Never given again, so unique with removed ones too.
    token           text        not null unique,
    device_id       uuid,
    active          boolean     not null,
    pin_hash        text,
    wrong_pins      integer     not null,
    locked_until    timestamptz,
    session_epoch   bigint      not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null
);
create index code_newest on code (organisation_id, created_at, id) where not removed;
create index code_device on code (device_id) where not removed;

create table session (
    id              uuid        primary key,
    organisation_id uuid        not null,
    version         bigint      not null,
    -- `code_user`, `employee` or `customer_user`.
    holder          text        not null,
    -- Of an employee or customer user; null for code users, who are known by the session alone.
    person_id       uuid,
    code_id         uuid,
    device_id       uuid,
    code_epoch      bigint,
    language        text        not null,
    family          bytea       not null,
    secret          bytea       not null,
    expires_at      timestamptz not null,
    -- Null while it lasts; `logged_out` or `reused`.
    ended           text,
    created_at      timestamptz not null,
    updated_at      timestamptz not null
);
create index session_expires_at on session (expires_at);
create index session_code on session (code_id, code_epoch) where ended is null;

-- Keys of the built-in issuer. A key signs from `active_at` on until the next one does; its public half is published
-- before and after, so that tokens under way stay valid.
create table signing_key (
    id         text        primary key,
    pkcs8_pem  text        not null,
    active_at  timestamptz not null,
    created_at timestamptz not null default now()
);

-- Guards. The service looks before it writes and answers politely; these hold what must hold when two write at once,
-- wherever they run. Errors begin with `callboard:` and are read by src/api/refusal.rs.

-- An e-mail address names one person of an organisation, employee or customer user.
create table email_claim (
    organisation_id uuid not null,
    email           text not null,
    person_id       uuid not null,
    constraint email_claim_unique primary key (organisation_id, email)
);
create index email_claim_person on email_claim (person_id);
create index email_claim_email on email_claim (email);

create function claim_email() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.email = new.email and old.removed = new.removed then
        return null;
    end if;
    delete from email_claim where person_id = new.id;
    if not new.removed then
        insert into email_claim values (new.organisation_id, new.email, new.id);
    end if;
    return null;
end $$;
create trigger employee_email after insert or update on employee for each row execute function claim_email();
create trigger customer_user_email after insert or update on customer_user for each row execute function claim_email();

-- At least one administrator remains. The lock lets those who leave the role pass one after another.
create function keep_administrator() returns trigger language plpgsql as $$
begin
    if old.role = 'administrator' and not old.removed and (new.removed or new.role <> 'administrator') then
        perform pg_advisory_xact_lock(hashtextextended('administrators:' || new.organisation_id::text, 0));
        if not exists (
            select from employee
            where organisation_id = new.organisation_id and not removed and role = 'administrator'
        ) then
            raise exception 'callboard:LAST_ADMINISTRATOR';
        end if;
    end if;
    return null;
end $$;
create trigger employee_keep_administrator after update on employee
    for each row execute function keep_administrator();

-- Whoever is named must be there, in the same organisation, and stays until this is written.
create function require_named(kind text, organisation uuid, ids uuid[]) returns void language plpgsql as $$
declare
    found_ids bigint;
begin
    if coalesce(cardinality(ids), 0) = 0 then
        return;
    end if;
    execute format(
        'select count(*) from (select id from %I where id = any($1) and organisation_id = $2 and not removed
         order by id for share) as found', kind)
        into found_ids using ids, organisation;
    if found_ids < (select count(distinct id) from unnest(ids) as id) then
        raise exception 'callboard:NO_SUCH:%', kind;
    end if;
end $$;

-- Those of the new list that are not in the old one.
create function added(old_ids jsonb, new_ids jsonb) returns uuid[] language sql immutable as $$
    select array_agg(id::uuid) from jsonb_array_elements_text(new_ids) as id where not coalesce(old_ids ? id, false)
$$;

create function guard_employee() returns trigger language plpgsql as $$
declare
    was employee;
begin
    if tg_op = 'UPDATE' then was := old; end if;
    perform require_named('department', new.organisation_id, added(was.department_ids, new.department_ids));
    perform require_named('team', new.organisation_id, added(was.team_ids, new.team_ids));
    return null;
end $$;
create trigger employee_guard after insert or update on employee for each row execute function guard_employee();

create function guard_meta_team() returns trigger language plpgsql as $$
declare
    was meta_team;
begin
    if tg_op = 'UPDATE' then was := old; end if;
    perform require_named('team', new.organisation_id, added(was.team_ids, new.team_ids));
    return null;
end $$;
create trigger meta_team_guard after insert or update on meta_team for each row execute function guard_meta_team();

create function guard_device() returns trigger language plpgsql as $$
declare
    was device;
begin
    if new.removed then
        return null;
    end if;
    if tg_op = 'UPDATE' then was := old; end if;
    if was.template_id is distinct from new.template_id then
        perform require_named('template', new.organisation_id, array[new.template_id]);
    end if;
    if new.customer_id is not null and was.customer_id is distinct from new.customer_id then
        perform require_named('customer', new.organisation_id, array[new.customer_id]);
    end if;
    perform require_named('department', new.organisation_id, added(was.department_ids, new.department_ids));
    return null;
end $$;
create trigger device_guard after insert or update on device for each row execute function guard_device();

create function guard_customer_user() returns trigger language plpgsql as $$
begin
    perform require_named('customer', new.organisation_id, array[new.customer_id]);
    return null;
end $$;
create trigger customer_user_guard after insert on customer_user for each row execute function guard_customer_user();

create function guard_code() returns trigger language plpgsql as $$
declare
    was code;
begin
    if tg_op = 'UPDATE' then was := old; end if;
    if new.device_id is not null and was.device_id is distinct from new.device_id then
        perform require_named('device', new.organisation_id, array[new.device_id]);
    end if;
    return null;
end $$;
create trigger code_guard after insert or update on code for each row execute function guard_code();

-- What something else needs cannot be removed. The row is locked by the update itself, so whoever wants to name it
-- waits in require_named and then finds it gone.
create function keep_needed() returns trigger language plpgsql as $$
declare
    needed_by text;
begin
    if old.removed or not new.removed then
        return null;
    end if;
    if tg_table_name = 'template' then
        if exists (select from device where template_id = new.id and not removed) then
            needed_by := 'devices';
        end if;
    elsif tg_table_name = 'customer' then
        if exists (select from device where customer_id = new.id and not removed) then
            needed_by := 'devices';
        end if;
    elsif tg_table_name = 'department' then
        if exists (select from employee where department_ids ? new.id::text and not removed) then
            needed_by := 'employees';
        elsif exists (select from device where department_ids ? new.id::text and not removed) then
            needed_by := 'devices';
        end if;
    end if;
    if needed_by is not null then
        raise exception 'callboard:IN_USE:%', needed_by;
    end if;
    return null;
end $$;
create trigger template_keep_needed after update on template for each row execute function keep_needed();
create trigger customer_keep_needed after update on customer for each row execute function keep_needed();
create trigger department_keep_needed after update on department for each row execute function keep_needed();
