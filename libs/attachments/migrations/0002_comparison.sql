-- When the objects were last compared with what is known: once a day, by one replica, however often they are restarted.
create table attachment_comparison (
    id       integer     primary key check (id = 1),
    begun_at timestamptz not null
);

-- Objects that no file names, and since which comparison. What is still unknown at the next is removed.
create table attachment_stray (
    object_key text        primary key,
    noticed_at timestamptz not null,
    seen_at    timestamptz not null
);
