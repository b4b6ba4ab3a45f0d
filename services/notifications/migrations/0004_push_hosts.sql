-- Pushes of one host are bounded and rest together; a delivery's destination is known when it is claimed.
alter table push_subscription add column host text not null generated always as
    (coalesce(lower(substring(endpoint from '^[A-Za-z]+://(\[[^]]*\]|[^/?#:]*)')), '')) stored;
