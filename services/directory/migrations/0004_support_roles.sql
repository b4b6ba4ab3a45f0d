-- Fields of work at the support desk: care, access, sales.
alter table employee add column support_roles jsonb not null default '[]';
