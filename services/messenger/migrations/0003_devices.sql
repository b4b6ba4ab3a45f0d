-- Who sees a conversation is judged by its ticket's device as it is now (table of actors, department isolation).

-- Of which version of the device customer_id and department_ids are; 0: not told.
alter table conversation add column device_version bigint not null default 0;

-- A read copy like the other of the directory.
create table known_device (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    customer_id     uuid,
    department_ids  uuid[]  not null
);
