//! A staff file: the first byte says whether it has a head of ours or brings its own.
#![no_main]
#![allow(dead_code, reason = "the rest of the program uses what is not asked for here")]

#[path = "../../../service/cli/src/staff/file.rs"]
mod file;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let head = if first % 2 == 0 { "工号,姓名,角色,科室,公民身份号码,执业资格到期日\n" } else { "" };
    match file::StaffFile::read(&[head.as_bytes(), rest].concat()) {
        Ok(read) => {
            assert!((1..=file::MAX_ROWS).contains(&read.rows.len()));
            for row in &read.rows {
                assert!(!row.number.contains(['/', '.', ',']) && !row.name.is_empty());
                assert_eq!(row.role.treats(), !row.department.is_empty());
            }
        }
        Err(file::BadStaffFile::Rows(bad)) => assert!(!bad.is_empty()),
        Err(_) => {}
    }
});
