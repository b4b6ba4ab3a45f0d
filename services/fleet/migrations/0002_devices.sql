-- Who sees a ticket is judged by its device as it is now (department isolation, F-8).

-- Of which version of the device customer_id and department_ids are; 0: not told.
alter table dispatch add column device_version bigint not null default 0;
-- F-8: the tickets on a device that changed.
create index dispatch_of_device on dispatch (organisation_id, device_id)
    where status not in ('CLOSED', 'CANCELLED');

-- A read copy like the others of the directory.
create table known_device (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    customer_id     uuid,
    department_ids  uuid[]  not null
);
