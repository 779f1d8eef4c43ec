//! Packages of evidence: [`audit::package`], with the certificates that it leaves to others.

mod archive;
mod chain;
mod check;
mod make;
mod readme;
mod signature;
mod status;
mod vouched;

pub(super) use self::{
    check::{Judged, is_package, judge},
    make::Package,
    vouched::root,
};
