//! The health card service.

pub mod clock;
pub mod store;
