-- Customer users as the directory told last, for whose feeds are read (K-5). Newest version wins; who was removed stays, so
-- that a feed that was under way at that moment is not read either. Who was heard of before this table was made has no row
-- until the next news of them.
create table known_customer_user (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null,
    customer_id     uuid    not null
);
