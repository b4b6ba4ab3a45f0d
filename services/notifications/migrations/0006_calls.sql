-- Who is offered, or assigned to, a ticket, as fleet told last (V-2, N-3): beside who declined it, whose rows are written
-- at the same events.

-- Null: not told yet.
alter table known_decline add column offered boolean;
alter table known_decline add column assigned boolean;
