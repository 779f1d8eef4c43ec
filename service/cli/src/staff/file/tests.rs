use proptest::prelude::*;
use time::macros::date;

use super::*;

const HEAD: &str = "工号,姓名,角色,科室,公民身份号码,执业资格到期日\n";

fn read(text: &str) -> Result<StaffFile, BadStaffFile> {
    StaffFile::read(text.as_bytes())
}

/// Line, column and code.
type Told = (u32, &'static str, &'static str);

fn faults(rows: &str) -> Vec<Told> {
    match read(&format!("{HEAD}{rows}")).unwrap_err() {
        BadStaffFile::Rows(bad) => {
            bad.iter().map(|row| (row.line, row.column, row.fault.code())).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_languages_say_the_same_as_spreadsheets_write_it() {
    let texts = [
        "工号,姓名,角色,科室,公民身份号码,执业资格到期日\nD001,王秀英,医师,内科,11010519491231002X,2030-12-31\nC1,李窗口,窗口人员,,,\n",
        "\u{feff}Number,Name,Role,Department,ID_Number,Qualified_Until\r\n\r\nD001,王秀英,doctor,内科,11010519491231002x,2030/12/31\r\nC1,李窗口,clerk,,,\r\n",
        "角色,工号,姓名,身份证号,部门,资格到期日\n医生, D001 ,\"王秀英\",11010519491231002X,内科,2030-12-31\n窗口,C1,李窗口,,,",
    ];
    for (at, text) in texts.iter().enumerate() {
        let rows = read(text).unwrap().rows;
        let doctor = &rows[0];
        assert_eq!((doctor.number.as_str(), doctor.name.as_str()), ("D001", "王秀英"), "{at}");
        assert_eq!((doctor.role, doctor.department.as_str()), (StaffRole::Doctor, "内科"));
        assert_eq!(doctor.qualification, Qualification::Until(date!(2030 - 12 - 31)), "{at}");
        assert_eq!(doctor.id_number.as_ref().unwrap().as_str(), "11010519491231002X");
        assert_eq!((rows[1].role, rows[1].qualification), (StaffRole::Clerk, Qualification::Open));
    }
    // Lines are counted as a spreadsheet does.
    let lines = |text| read(text).unwrap().rows.iter().map(|it| it.line).collect::<Vec<_>>();
    assert_eq!(texts.map(lines), [[2, 3], [3, 4], [2, 3]]);
    let unsaid = read("工号,姓名,角色,科室\nD001,王秀英,医师,内科\n").unwrap();
    assert_eq!(unsaid.rows[0].qualification, Qualification::Unsaid);
}

#[test]
fn what_is_no_staff_file_is_refused_as_a_whole() {
    // Excel's CSV in China.
    let gb18030 = b"\xB9\xA4\xBA\xC5,\xD0\xD5\xC3\xFB,\xBD\xC7\xC9\xAB\n";
    assert_eq!(StaffFile::read(gb18030).unwrap_err(), BadStaffFile::NotUtf8);
    let cases = [
        ("", BadStaffFile::NoHead),
        ("\n \n", BadStaffFile::NoHead),
        ("工号,姓名,\"角色\n", BadStaffFile::NoHead),
        ("工号,姓名,薪酬,角色\n", BadStaffFile::Column(3)),
        ("工号,姓名,number,角色\n", BadStaffFile::Column(3)),
        ("工号,姓名\n", BadStaffFile::ColumnMissing("role")),
        ("工号,姓名,角色\n\n,,\n", BadStaffFile::Empty),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text).unwrap_err(), expected, "{text}");
    }
    let many = |count: usize| {
        let rows: String = (0..count).map(|at| format!("N{at},某人,窗口,,,\n")).collect();
        read(&format!("{HEAD}{rows}"))
    };
    assert_eq!(many(MAX_ROWS).unwrap().rows.len(), MAX_ROWS);
    assert_eq!(many(MAX_ROWS + 1).unwrap_err(), BadStaffFile::TooManyRows);
}

#[test]
fn all_that_is_wrong_is_told_by_line_and_column() {
    let long = "长".repeat(31);
    let cases: Vec<(String, Vec<Told>)> = vec![
        (",王,医师,内科,,".into(), vec![(2, "number", "MISSING")]),
        ("../x,王,医师,内科,,".into(), vec![(2, "number", "CHARACTER")]),
        ("=1,王,医师,内科,,".into(), vec![(2, "number", "CHARACTER")]),
        ("D 1,王,医师,内科,,".into(), vec![(2, "number", "CHARACTER")]),
        (format!("{},王,医师,内科,,", "1".repeat(33)), vec![(2, "number", "TOO_LONG")]),
        ("D1,,医师,内科,,".into(), vec![(2, "name", "MISSING")]),
        (format!("D1,{long},医师,内科,,"), vec![(2, "name", "TOO_LONG")]),
        ("D1,王\u{202e}秀,医师,内科,,".into(), vec![(2, "name", "CHARACTER")]),
        ("D1,王,,内科,,".into(), vec![(2, "role", "MISSING")]),
        ("D1,王,院长,内科,,".into(), vec![(2, "role", "ROLE")]),
        ("D1,王,窗口设备,,,".into(), vec![(2, "role", "ROLE")]),
        ("D1,王,system,,,".into(), vec![(2, "role", "ROLE")]),
        ("D1,王,医师,,,".into(), vec![(2, "department", "MISSING")]),
        ("C1,王,窗口,内科,,".into(), vec![(2, "department", "NOT_FOR_ROLE")]),
        ("C1,王,窗口,,,2030-12-31".into(), vec![(2, "qualified_until", "NOT_FOR_ROLE")]),
        ("D1,王,医师,内科,,2030-02-29".into(), vec![(2, "qualified_until", "NO_SUCH_DATE")]),
        ("D1,王,医师,内科,,明年".into(), vec![(2, "qualified_until", "NO_SUCH_DATE")]),
        ("D1,王,医师,内科,110105194912310021,".into(), vec![(2, "id_number", "ID_NUMBER_CHECK")]),
        ("D1,王,医师,内科,1.10105E+17,".into(), vec![(2, "id_number", "ID_NUMBER_FORM")]),
        ("O1,王,管理员,,,".into(), vec![(2, "id_number", "MISSING")]),
        ("D1,王,医师,内科".into(), vec![(2, "row", "COLUMNS")]),
        ("D1,\"王,医师,内科,,".into(), vec![(2, "row", "QUOTE")]),
        (
            "D1,,院长,,1,x".into(),
            vec![
                (2, "name", "MISSING"),
                (2, "id_number", "ID_NUMBER_FORM"),
                (2, "role", "ROLE"),
                (2, "qualified_until", "NO_SUCH_DATE"),
            ],
        ),
        (
            "D1,王,医师,内科,11010519491231002X,\nC1,李,窗口,,,\nD1,赵,护士,外科,11010519491231002X,".into(),
            vec![(4, "number", "TWICE"), (4, "id_number", "TWICE")],
        ),
    ];
    for (rows, expected) in cases {
        assert_eq!(faults(&rows), expected, "{rows}");
    }
    let bad = read(&format!("{HEAD}D1,王,医师,内科,,\nD1,王,医师,内科,,\n")).unwrap_err();
    let BadStaffFile::Rows(bad) = bad else { panic!("{bad:?}") };
    let (zh, en) = bad[0].fault.words();
    assert!(zh.contains("第 2 行") && en.contains("line 2"), "{zh} {en}");
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        people in prop::collection::vec(
            ("[0-9A-Za-z一-鿿][0-9A-Za-z一-鿿_-]{0,5}", "[一-鿿·\",]{1,20}", "[一-鿿\"]{1,10}", any::<bool>()),
            1..20,
        ),
        marked: bool,
        end in "\r?\n",
    ) {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mark = if marked { "\u{feff}" } else { "" };
        let mut file = format!("{mark}工号,角色,科室,姓名{end}");
        for (at, (number, name, department, doctor)) in people.iter().enumerate() {
            let (role, department) = match doctor {
                true => ("医师", quoted(department)),
                false => ("窗口", String::new()),
            };
            file += &format!("{at}{number},{role},{department},{}{end}", quoted(name));
        }
        let rows = read(&file).unwrap().rows;
        prop_assert_eq!(rows.len(), people.len());
        for (at, (row, (number, name, department, doctor))) in rows.iter().zip(&people).enumerate() {
            prop_assert_eq!(&row.number, &format!("{at}{number}"));
            prop_assert_eq!(&row.name, name);
            prop_assert_eq!(row.role.treats(), *doctor);
            prop_assert_eq!(&row.department, if *doctor { department } else { "" });
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(head: bool, bytes: Vec<u8>) {
        let file = [if head { HEAD.as_bytes() } else { b"" }, &bytes].concat();
        if let Ok(file) = StaffFile::read(&file) {
            prop_assert!((1..=MAX_ROWS).contains(&file.rows.len()));
        }
    }

    #[test]
    fn dates_are_read_as_they_are_written(days in 0_i32..400_000) {
        let day = date!(1900 - 01 - 01) + time::Duration::days(days.into());
        prop_assert_eq!(date(&day.to_string()), Some(day));
        let (year, month, of_month) = day.to_calendar_date();
        prop_assert_eq!(date(&format!("{year}/{}/{of_month}", u8::from(month))), Some(day));
    }
}
