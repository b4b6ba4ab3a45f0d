-- Calls that a server of its own carries (V-10): what is to be asked, and closed, there.

-- One for each such call, until some time after its end: tokens that were given out let in as long as they are good, and
-- a server opens a room for who comes with one.
create table call_room (
    session_id      uuid        not null,
    -- Which call of the session.
    number          integer     not null,
    organisation_id uuid        not null,
    -- When it is looked at next.
    due_at          timestamptz not null,
    -- Until when a process has it in its hands.
    claimed_until   timestamptz,
    -- Rises with everything that asks for a look: what comes while one is under way asks for another.
    hints           bigint      not null default 0,
    -- Looks in a row that the server did not answer.
    failures        integer     not null default 0,
    -- When the call ended.
    closed_at       timestamptz,
    primary key (session_id, number)
);
create index call_room_due on call_room (due_at);

-- Whom a token was given, so that whose sessions are ended (D-3) is put out.
create table call_seat (
    connection_id uuid        primary key,
    session_id    uuid        not null,
    number        integer     not null,
    -- Whose end ends it: the person's, the code's.
    keys          uuid[]      not null,
    issued_at     timestamptz not null
);
create index call_seat_room on call_seat (session_id, number);

-- In the commit that begins a call, ends it, or gives a place in it to somebody else: nothing of it can be forgotten.
create function session_call_written() returns trigger language plpgsql as $$
declare
    before integer := case when old.call ->> 'provider' = 'LIVEKIT' then (old.call ->> 'number')::integer end;
    after integer := case when new.call ->> 'provider' = 'LIVEKIT' then (new.call ->> 'number')::integer end;
begin
    if before is not null and before is distinct from after then
        update call_room set closed_at = now(), due_at = now(), hints = hints + 1
        where session_id = new.id and number = before;
    end if;
    if after is not null and (
        before is distinct from after
        or old.call #>> '{guest,connection}' is distinct from new.call #>> '{guest,connection}'
        or old.call #>> '{employee,connection}' is distinct from new.call #>> '{employee,connection}'
    ) then
        insert into call_room (session_id, number, organisation_id, due_at)
        values (new.id, after, new.organisation_id, now())
        on conflict (session_id, number) do update set due_at = now(), hints = call_room.hints + 1;
    end if;
    return null;
end
$$;
create trigger session_call_changed after update on session for each row
    when (old.call is distinct from new.call) execute function session_call_written();
