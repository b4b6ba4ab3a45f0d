-- Of which version of the device customer_id and department_ids are: others, who hear of devices on a way of their own,
-- tell by it whether what they know is newer. 0: not kept.
alter table ticket add column device_version bigint not null default 0;
