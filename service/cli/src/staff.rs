//! Joiners, movers and leavers (入职、调岗、离职): a staff file is compared with what is on record, and what differs is
//! done; what one operator entered so another reviews with a copy of the file.

pub(crate) mod apply;
pub(crate) mod file;
pub(crate) mod plan;
mod pool;
pub(crate) mod record;
mod requests;
pub(crate) mod results;
pub(crate) mod review;
pub(crate) mod work;
