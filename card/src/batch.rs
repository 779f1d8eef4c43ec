//! Rows of people for whom cards are to be made (制卡数据), as they come from outside: checked, and
//! refused with reasons, before any card is touched.
//!
//! A [`Row`] holds what somebody typed, cell by cell; [`Row::check`] makes a [`CardOrder`] of it or
//! says of every field what is wrong. [`csv`] reads rows from a table file. A row that cannot be
//! read or is refused says nothing about the rows after it.
//!
//! Columns are the elements of the layout that belong to a person, so that a correction there is
//! one here: by their Chinese name, or by their English name in small letters with underscores.

mod cell;
mod column;
#[cfg(feature = "batch")]
pub mod csv;
mod order;
mod row;
#[cfg(test)]
mod tests;
mod why;

pub use column::{Column, Holds};
pub use order::CardOrder;
pub use row::Row;
pub use why::{BadField, Why};

/// Most rows of a batch.
pub const MAX_ROWS: u32 = 100_000;
/// Most bytes of a row without its photo.
pub const MAX_ROW: usize = 16 * 1024;
