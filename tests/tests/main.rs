//! The tests across processes: the real programs, a real PC/SC daemon, and the implementations of others. One file for
//! each thing that is shown, named after it.

#![expect(clippy::unwrap_used, reason = "the helpers of a test end where the test does")]

mod agent;
mod bad_caller;
mod bad_card;
mod bad_reader;
mod bad_storage;
mod bench;
mod bindings;
mod card_certificate;
mod card_events;
mod certificate_status;
mod codes;
mod crash;
mod dependencies;
mod desk;
mod desk_offline;
mod desk_sam;
mod device_keys;
mod doctor;
mod dump;
mod e2e;
mod enrolments;
mod faults;
mod flood;
mod identifiers;
mod interface;
mod interop;
mod issue;
mod issue_command;
mod issue_held;
mod issue_kinds;
mod issue_script;
mod issue_transcript;
mod keys;
mod keystores;
mod leak;
mod life;
mod national;
mod pairs;
mod qualifications;
mod readme;
mod recovery;
mod revocation_lists;
mod rights;
mod root_succession;
mod sdf_device;
mod security_modules;
mod self_test;
mod softsdf;
mod tamper;
mod time_stamps;
mod transparency;
mod transports;
mod write;
