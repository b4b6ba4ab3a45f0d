//! Every promise about files, on each kind of place that they may be in: a folder, and a bucket of a real S3 server over
//! real HTTP.

mod bed;
mod contract;
mod faults;
mod gate;
mod judged;
mod strays;
mod surroundings;
