-- IANA names; empty: that of the organisation, of the organisation itself UTC.
alter table organisation add column time_zone text not null default '';
alter table device add column time_zone text not null default '';
