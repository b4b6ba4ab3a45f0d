-- Ratings of subjects, switches of templates, and what other contexts told.

-- One per subject; its id is the subject's. A bare row with `deleted` stays behind, so that late news find it gone.
create table rating_request (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    deleted         boolean not null,
    -- TICKET, VIDEO_SESSION; null: never told of it, or deleted.
    kind            text,
    -- The subject's version these facts are of.
    subject_version bigint,
    device_id       uuid,
    template_id     uuid,
    customer_id     uuid,
    -- INTERNAL, PUBLIC
    visibility      text,
    -- Lists of ids.
    department_ids  jsonb   not null,
    involved        jsonb   not null,
    -- How many times it has become DONE (R-3).
    done_round      integer not null,
    -- UNASKED, REQUESTED, SUBMITTED, WAIVED, WITHDRAWN
    standing        text    not null,
    -- The DONE that was asked or waived last.
    asked_round     integer not null,
    requested_at    timestamptz,
    -- The rating in force; null while there is none.
    score           integer check (score between 1 and 5),
    comment         text,
    author          text,
    submitted_at    timestamptz
);
create index rating_request_given on rating_request (organisation_id, submitted_at desc, id desc)
    where score is not null;
create index rating_request_template on rating_request (organisation_id, template_id) where score is not null;
create index rating_request_involved on rating_request using gin (involved) where score is not null;

-- One per template; its id is the template's (R-2).
create table switch_set (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    tickets         boolean not null,
    video_sessions  boolean not null,
    changes         integer not null
);

-- Every change, because the switch at the moment of DONE counts (R-2).
create table switch_change (
    aggregate_id   uuid        not null,
    number         integer     not null,
    at             timestamptz not null,
    tickets        boolean     not null,
    video_sessions boolean     not null,
    primary key (aggregate_id, number)
);

-- Read copies of the directory: newest version wins.

create table known_organisation (
    id        uuid   primary key,
    version   bigint not null,
    -- off, basic, strict
    isolation text   not null
);

create table known_template (
    id              uuid    primary key,
    organisation_id uuid    not null,
    version         bigint  not null,
    removed         boolean not null
);
