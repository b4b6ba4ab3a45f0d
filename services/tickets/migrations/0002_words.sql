-- Full text (T-15) in one row per ticket: a text is found when its words stand anywhere in the ticket, some in the title,
-- others in an update. Kept beside `ticket`, so that a change of status does not write every word anew into the index.

create table ticket_words (
    ticket_id  uuid     primary key,
    -- Words of the ticket and of all its updates. The organisation is a word, too, so that one tenant's search never
    -- walks another's words.
    everything tsvector not null,
    -- The same without internal updates, for people from outside; null: there are none. Without an index: they see the
    -- tickets of few devices only, and an index over everything would tell them what is absent there.
    public     tsvector
);
create index ticket_words_everything on ticket_words using gin (everything);

-- A ticket's own words. A tsvector holds 1 MiB at most; longer answers are found by their beginning.
create function own_words(organisation uuid, number bigint, title text, description text, words text)
returns tsvector language sql immutable as $$
    select to_tsvector('simple'::regconfig, number::text || ' ' || coalesce(title, '') || ' ' || coalesce(description, '')
            || ' ' || left(coalesce(words, ''), 60000))
        || array_to_tsvector(array['o' || replace(organisation::text, '-', '')])
$$;

-- More words. Those that no longer fit are left out: the ticket is found by the others.
create function with_words(present tsvector, more tsvector) returns tsvector language plpgsql immutable as $$
begin
    return present || more;
exception when program_limit_exceeded then
    return present;
end
$$;

-- Adds an update to the words of its ticket.
create function add_update_words(ticket uuid, visibility text, words tsvector) returns void language plpgsql as $$
begin
    if visibility = 'PUBLIC' then
        update ticket_words set everything = with_words(everything, words), public = with_words(public, words)
            where ticket_id = ticket;
    else
        update ticket_words set everything = with_words(everything, words), public = coalesce(public, everything)
            where ticket_id = ticket;
    end if;
end
$$;

create function index_new_tickets() returns trigger language plpgsql as $$
begin
    insert into ticket_words (ticket_id, everything)
        select id, own_words(organisation_id, number, title, description, words) from made where not deleted
        on conflict (ticket_id) do nothing;
    return null;
end
$$;
-- Once per commit of many tickets.
create trigger ticket_made after insert on ticket
    referencing new table as made for each statement execute function index_new_tickets();

-- Its own words changed: all are collected anew, in the order they were written.
create function index_ticket_again() returns trigger language plpgsql as $$
declare
    written record;
begin
    update ticket_words
        set everything = own_words(new.organisation_id, new.number, new.title, new.description, new.words), public = null
        where ticket_id = new.id;
    for written in
        select visibility, to_tsvector('simple', text) as words from ticket_update
        where aggregate_id = new.id and text <> '' order by sequence
    loop
        perform add_update_words(new.id, written.visibility, written.words);
    end loop;
    return null;
end
$$;
create trigger ticket_reworded after update on ticket for each row
    when (not new.deleted and (old.number, old.title, old.description, old.words)
        is distinct from (new.number, new.title, new.description, new.words))
    execute function index_ticket_again();

create function index_update() returns trigger language plpgsql as $$
begin
    perform add_update_words(new.aggregate_id, new.visibility, to_tsvector('simple', new.text));
    return null;
end
$$;
create trigger ticket_update_written after insert on ticket_update for each row
    when (new.text <> '') execute function index_update();

-- A deleted ticket takes its words along, too (T-11).
create or replace function forget_ticket_offers() returns trigger language plpgsql as $$
begin
    delete from ticket_offer where ticket_id = new.id;
    delete from ticket_words where ticket_id = new.id;
    return null;
end
$$;

insert into ticket_words (ticket_id, everything)
    select id, own_words(organisation_id, number, title, description, words) from ticket where not deleted;
do $$
declare
    written record;
begin
    for written in
        select aggregate_id, visibility, to_tsvector('simple', text) as words from ticket_update
        where text <> '' order by aggregate_id, sequence
    loop
        perform add_update_words(written.aggregate_id, written.visibility, written.words);
    end loop;
end
$$;

-- Nothing asks these any more.
drop index ticket_search;
drop index ticket_update_search;
alter table ticket drop column search;
alter table ticket_update drop column search;
