-- Files of definitions' steps, in the tables of libs/attachments. A file is its definition's; tasks made from it name it
-- too, and keep it when the definition lets it go (K-4).

-- The ids in a list of steps.
create function step_attachments(steps jsonb) returns jsonb language sql immutable as $$
    select jsonb_path_query_array(steps, '$[*].attachments[*]')
$$;

create index task_definition on task (definition_id)
    where definition_id is not null and not deleted and step_attachments(steps) <> '[]'::jsonb;

-- The definition has exactly what its own steps name, and of what it had before what its tasks name. Called with the
-- definition's row locked, so that no task comes in between.
create function hold_definition_attachments(_organisation uuid, _definition uuid, _steps jsonb) returns void
language plpgsql as $$
declare
    kept jsonb := (
        select coalesce(jsonb_agg(a.id), '[]'::jsonb) from attachment a
        where a.owner_kind = 'definition' and a.owner_id = _definition and a.state = 'LINKED'
          and a.id::text in (
              select jsonb_array_elements_text(step_attachments(t.steps)) from task t
              where t.definition_id = _definition and not t.deleted
                and step_attachments(t.steps) <> '[]'::jsonb));
begin
    perform own_attachments('definition', _organisation, _definition, _definition,
        step_attachments(_steps) || kept);
end
$$;

create function definition_written() returns trigger language plpgsql as $$
begin
    perform hold_definition_attachments(new.organisation_id, new.id, new.steps);
    return null;
end
$$;
create trigger definition_made_with_attachments after insert on definition for each row
    when (step_attachments(new.steps) <> '[]'::jsonb) execute function definition_written();
create trigger definition_attachments_changed after update on definition for each row
    when (step_attachments(old.steps) is distinct from step_attachments(new.steps))
    execute function definition_written();

-- What the definition has just let go is a task's now. Waits for whoever changes the definition at this moment.
create function task_made() returns trigger language plpgsql as $$
begin
    perform from definition where id = new.definition_id for share;
    update attachment
    set state = 'LINKED', owner_kind = 'definition', owner_id = new.definition_id,
        aggregate_id = new.definition_id, change_time = now()
    where organisation_id = new.organisation_id and aggregate_id = new.definition_id and state = 'PENDING'
      and id::text in (select jsonb_array_elements_text(step_attachments(new.steps)));
    return null;
end
$$;
create trigger task_made_with_attachments after insert on task for each row
    when (new.definition_id is not null and step_attachments(new.steps) <> '[]'::jsonb)
    execute function task_made();

-- The last task that named them lets them go.
create function task_deleted() returns trigger language plpgsql as $$
declare
    now_steps jsonb;
begin
    select steps into now_steps from definition where id = old.definition_id for update;
    perform hold_definition_attachments(old.organisation_id, old.definition_id, coalesce(now_steps, '[]'::jsonb));
    return null;
end
$$;
create trigger task_deleted_with_attachments after update of deleted on task for each row
    when (new.deleted and not old.deleted and old.definition_id is not null
        and step_attachments(old.steps) <> '[]'::jsonb)
    execute function task_deleted();
