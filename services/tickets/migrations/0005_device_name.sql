-- What the digital service record calls the machine (T-12). Null: nothing was heard of the device since these columns are
-- there; the record names it by its id until it is edited next.
alter table device add column name text, add column serial_number text;
