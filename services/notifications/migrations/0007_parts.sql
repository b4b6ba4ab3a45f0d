-- What several people share, such as a code's addresses and browsers, is one delivery: what became of each part that is
-- not tried again, by the part's id (N-5). Null: it is one person's, or nothing is settled yet.
alter table delivery add column parts jsonb;
