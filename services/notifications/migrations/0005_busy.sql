-- What is at a destination now is counted at every look at the queue, so by an index that is read in its order: that
-- leaves out what is over, where a bitmap of it would visit every delivery there was since the last vacuum.
create index delivery_busy on delivery (channel, destination) where state in ('CLAIMED', 'HANDED_OVER');
