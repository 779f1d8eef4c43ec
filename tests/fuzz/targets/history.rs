//! An access history, checked under whatever key it names; and a node of the index that it comes from.
#![no_main]

#[allow(dead_code)]
#[path = "../../../service/src/store/resident_index/node.rs"]
mod node;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(read) = node::Node::read(data) {
        assert_eq!(node::Node::read(&read.write()), Some(read));
    }
    let Ok(history) = audit::history::Reader::new(data) else { return };
    let key = history.header().key.clone();
    let _ = audit::history::check(history, &key, &[]);
});
