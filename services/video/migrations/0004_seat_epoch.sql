-- A place in a call ends with the access token it was given for, and tokens end by their epoch (D-3): a time of joining
-- says nothing where "log out" was said before and heard of after. `issued_at` is the token's from now on. Null: the
-- token has no epoch, or the row is of an older release.
alter table call_seat add column epoch bigint;
