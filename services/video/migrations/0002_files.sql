-- Recordings and screenshots (V-8), in the tables of libs/attachments.

alter table session
    -- A list of {id, kind, call}, oldest first.
    add column files     jsonb not null default '[]',
    -- Who recorded, a list of {who, until}.
    add column recorders jsonb not null default '[]',
    -- Who was in the last call when it ended.
    add column callers   jsonb not null default '[]';

-- The session has exactly the files it names. What it lets go is removed at once and not kept for a day, as what is nobody's
-- yet: somebody wants it gone.
create function session_files_written() returns trigger language plpgsql as $$
declare
    named jsonb := jsonb_path_query_array(new.files, '$[*].id');
begin
    update attachment
    set state = 'PURGED', owner_kind = null, owner_id = null, aggregate_id = null, name = '', uploader = 'system',
        sha256 = '', change_time = now()
    where owner_kind = 'session' and owner_id = new.id and state = 'LINKED' and not named ? id::text;
    perform own_attachments('session', new.organisation_id, new.id, new.id, named);
    return null;
end
$$;
create trigger session_files_changed after update on session for each row
    when (old.files is distinct from new.files) execute function session_files_written();
