-- Files of updates and answers (T-1, T-12), in the tables of libs/attachments. Linked by the statement that writes the
-- owner; gone with the ticket (T-11).

create trigger ticket_update_attachments after insert on ticket_update for each row
    when (new.attachments <> '[]'::jsonb) execute function link_attachments('update');

-- The ids in the answers to attachment steps.
create function answered_attachments(answers jsonb) returns jsonb language sql immutable as $$
    select jsonb_path_query_array(answers, '$[*].value ? (@.kind == "attachments").value[*]')
$$;

-- The ticket has exactly the files that its answers name: one that is taken back is pending again.
create function link_answered_attachments() returns trigger language plpgsql as $$
begin
    perform own_attachments('answer', new.organisation_id, new.id, new.id, answered_attachments(new.answers));
    return null;
end
$$;
create trigger ticket_made_with_attachments after insert on ticket for each row
    when (not new.deleted and answered_attachments(new.answers) <> '[]'::jsonb)
    execute function link_answered_attachments();
create trigger ticket_attachments_answered after update on ticket for each row
    when (not new.deleted and old.answers is distinct from new.answers
        and answered_attachments(old.answers) is distinct from answered_attachments(new.answers))
    execute function link_answered_attachments();

create trigger ticket_attachments_purged after update of deleted on ticket for each row
    when (new.deleted and not old.deleted) execute function purge_attachments();
