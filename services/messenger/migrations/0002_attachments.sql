-- Files of messages, in the tables of libs/attachments. Linked by the statement that writes the message; gone with the
-- conversation (T-11). A message that is taken back keeps them, as the trace for employees (M-6), though it names none.

create function link_message_attachments() returns trigger language plpgsql as $$
begin
    perform own_attachments('message', c.organisation_id, c.id, new.id, new.attachment_ids)
    from conversation c where c.id = new.aggregate_id;
    return null;
end
$$;
create trigger message_attachments after insert on message for each row
    when (new.attachment_ids <> '[]'::jsonb) execute function link_message_attachments();

create index message_with_attachments on message (aggregate_id, id) where attachment_ids <> '[]'::jsonb;

create trigger conversation_attachments_purged after update of deleted on conversation for each row
    when (new.deleted and not old.deleted) execute function purge_attachments();
