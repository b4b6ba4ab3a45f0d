-- Ids and keys of events that other systems publish are theirs to choose: they name nothing outside their organisation.
alter table dead_letter drop constraint dead_letter_pkey;
alter table dead_letter add primary key (consumer, organisation_id, event_id);
drop index dead_letter_key;
create index dead_letter_key on dead_letter (consumer, organisation_id, key, position);
-- Could not be read: what is kept is only what could, and no handler may be given it.
alter table dead_letter add column unreadable boolean not null default false;
