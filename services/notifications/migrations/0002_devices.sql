-- Who hears and reads is judged by the subject's device as it is now (table of actors, department isolation).

-- Of which version of the device customer_id and department_ids are; 0: not told.
alter table known_subject add column device_version bigint not null default 0;
create index known_subject_device on known_subject (device_id);

-- A read copy like the others.
create table known_device (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    customer_id     uuid,
    department_ids  jsonb   not null
);

-- Who is responsible for the video sessions of a template (V-2).
create table known_session_flow (
    organisation_id uuid   not null,
    template_id     uuid   not null,
    version         bigint not null,
    employee_ids    jsonb  not null,
    department_ids  jsonb  not null,
    primary key (organisation_id, template_id)
);
