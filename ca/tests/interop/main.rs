//! Independent programs read what is made here, and what they make is read here.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its bench up has failed")]

mod bench;
mod bouncycastle;
mod openssl;
