//! A query for a time stamp.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Err(refused) = ca::timestamp::Query::parse(data) {
        let reply = ca::timestamp::Reply::parse(&refused.failure().reply());
        let told = Some(refused.failure());
        assert_eq!(reply.err(), Some(ca::timestamp::ReplyError::Rejected(told)));
    }
});
