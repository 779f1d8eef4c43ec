//! The staff file of a hospital (人员名册): one line for each member of staff, with department and role, as a
//! spreadsheet writes it (CSV in UTF-8). It is read whole, and nothing is done while anything in it is wrong.
//!
//! What is wrong is told by line and column: what stands there is never quoted.

use std::{collections::HashMap, fmt};

use card::{
    ResidentIdNumber,
    batch::{Why, csv::Lines},
    number::BadResidentIdNumber,
};
use time::{Date, Month};

/// Most rows of a staff file.
pub(crate) const MAX_ROWS: usize = 20_000;
/// Largest staff file, bytes.
pub(crate) const MAX_FILE: u64 = 8 << 20;

/// A staff file without a fault.
#[derive(Debug)]
pub(crate) struct StaffFile {
    pub(crate) rows: Vec<StaffRow>,
}

/// A member of staff as the file has them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StaffRow {
    /// Line of the file, from 1.
    pub(crate) line: u32,
    /// Number within the institution (工号). A file can bear its name.
    pub(crate) number: String,
    pub(crate) name: String,
    pub(crate) role: StaffRole,
    /// Of doctors and nurses; empty for others.
    pub(crate) department: String,
    pub(crate) id_number: Option<ResidentIdNumber>,
    pub(crate) qualification: Qualification,
}

/// How long somebody is qualified (执业资格).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Qualification {
    /// The file does not speak of it.
    Unsaid,
    /// No end is known.
    Open,
    /// Its last day.
    Until(Date),
}

/// Roles that people have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StaffRole {
    Doctor,
    Nurse,
    Clerk,
    Operator,
    Auditor,
}

/// Columns, each by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Number,
    Name,
    Role,
    Department,
    IdNumber,
    QualifiedUntil,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// Line of the file, from 1.
    pub(crate) line: u32,
    /// `row` for the line as a whole.
    pub(crate) column: &'static str,
    pub(crate) fault: Fault,
}

/// Why a file is no staff file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadStaffFile {
    /// It is in another encoding than UTF-8.
    NotUtf8,
    /// It has no line with names of columns, or one that cannot be read.
    NoHead,
    /// A name of a column that is not known, or is there twice: which one, from 1.
    Column(usize),
    /// A column that every staff file has.
    ColumnMissing(&'static str),
    /// It names nobody.
    Empty,
    /// More than [`MAX_ROWS`].
    TooManyRows,
    /// Rows with faults, in their order.
    Rows(Vec<BadRow>),
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident $code:literal $zh:literal $en:literal;)+) => {
        /// What is wrong with a field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault {
            /// The line cannot be read.
            Line(Why),
            /// It stands in an earlier line.
            Twice(u32),
            $($(#[$doc])* $name,)+
        }

        impl Fault {
            /// Stable name for programs.
            pub(crate) fn code(self) -> &'static str {
                match self {
                    Self::Line(why) => why.code(),
                    Self::Twice(_) => "TWICE",
                    $(Self::$name => $code,)+
                }
            }

            /// The same for people: 中文, English.
            pub(crate) fn words(self) -> (String, String) {
                let (zh, en) = match self {
                    Self::Line(why) => (why.zh(), why.en()),
                    Self::Twice(line) => {
                        return (format!("与第 {line} 行重复"), format!("stands in line {line} as well"));
                    }
                    $(Self::$name => ($zh, $en),)+
                };
                (zh.to_owned(), en.to_owned())
            }
        }
    };
}

faults! {
    /// Nothing where something is needed.
    Missing "MISSING" "必填项为空" "is missing";
    /// More bytes than there is room for.
    TooLong "TOO_LONG" "过长" "is too long";
    /// A character that is not taken there.
    Character "CHARACTER" "含有不允许的字符" "holds a character that is not allowed";
    /// No role of people.
    Role "ROLE" "不是人员角色：医师、护士、窗口人员、管理员、审计员" "is no role of people: doctor, nurse, clerk, operator, auditor";
    /// No date.
    NoSuchDate "NO_SUCH_DATE" "日期不存在，应为 YYYY-MM-DD" "is no date that exists, as YYYY-MM-DD";
    /// No ID number.
    IdForm "ID_NUMBER_FORM" "不是 18 位公民身份号码；请将该列设为文本" "is no ID number of 18 characters; format the column as text";
    /// A wrong check character.
    IdCheck "ID_NUMBER_CHECK" "校验位不符" "has a wrong check character";
    /// Something that people of this role do not have.
    NotForRole "NOT_FOR_ROLE" "此角色不填" "is left empty for this role";
    /// The role on record does not become this one.
    RoleFixed "ROLE_FIXED" "在册角色不能改为此角色；请用新工号另行登记" "is not what the role on record can become; give them a number of their own";
    /// Another name, and nothing says that it is the same person.
    NameNeedsId "NAME_NEEDS_ID" "在册姓名不同，须填写公民身份号码" "is needed, as the name on record is another";
    /// Another name, and the person on record is not the one with this ID number.
    OtherPerson "OTHER_PERSON" "在册姓名不同，且在册人员登记的不是此证件号码，或未登记；工号勿转给他人，请用新工号另行登记" "is not on record for this person, whose name is another: a number is not handed on; give them a number of their own";
    /// The certificate request cannot be read.
    Request "REQUEST" "证书申请文件无法读取" "names a certificate request that cannot be read";
}

impl StaffRole {
    /// Each with its name on the command line, and what people write.
    const TABLE: [(Self, &'static str, &'static [&'static str]); 5] = [
        (Self::Doctor, "doctor", &["医师", "医生"]),
        (Self::Nurse, "nurse", &["护士"]),
        (Self::Clerk, "clerk", &["窗口人员", "窗口"]),
        (Self::Operator, "operator", &["管理员"]),
        (Self::Auditor, "auditor", &["审计员"]),
    ];

    /// Its name on the command line.
    pub(crate) fn word(self) -> &'static str {
        Self::TABLE.iter().find(|it| it.0 == self).map_or("", |it| it.1)
    }

    fn read(text: &str) -> Result<Self, Fault> {
        let low = text.to_lowercase();
        let named = |it: &&(Self, &str, &[&str])| it.1 == low || it.2.contains(&text);
        Self::TABLE.iter().find(named).map(|it| it.0).ok_or(Fault::Role)
    }

    /// Whether these treat patients: they have a department, sign records and may have to be qualified.
    pub(crate) fn treats(self) -> bool {
        matches!(self, Self::Doctor | Self::Nurse)
    }
}

impl Column {
    const TABLE: [(Self, &'static str, &'static [&'static str]); 6] = [
        (Self::Number, "number", &["工号"]),
        (Self::Name, "name", &["姓名"]),
        (Self::Role, "role", &["角色", "岗位"]),
        (Self::Department, "department", &["科室", "部门"]),
        (Self::IdNumber, "id_number", &["公民身份号码", "身份证号", "身份证号码"]),
        (Self::QualifiedUntil, "qualified_until", &["执业资格到期日", "资格到期日"]),
    ];
    const NEEDED: [Self; 3] = [Self::Number, Self::Name, Self::Role];

    pub(crate) fn name(self) -> &'static str {
        Self::TABLE.iter().find(|it| it.0 == self).map_or("", |it| it.1)
    }

    fn named(text: &str) -> Option<Self> {
        let (text, low) = (trimmed(text), trimmed(text).to_lowercase());
        let named = |it: &&(Self, &str, &[&str])| it.1 == low || it.2.contains(&text);
        Self::TABLE.iter().find(named).map(|it| it.0)
    }
}

impl StaffFile {
    /// Reads a whole file.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, BadStaffFile> {
        std::str::from_utf8(bytes).map_err(|_| BadStaffFile::NotUtf8)?;
        // Bytes in memory are read without failing.
        let mut lines = Lines::of(bytes).map_while(Result::ok);
        let head = lines.next().and_then(|head| head.fields.ok()).ok_or(BadStaffFile::NoHead)?;
        let mut columns = Vec::new();
        for (at, name) in head.iter().enumerate() {
            let column = Column::named(name).filter(|column| !columns.contains(column));
            columns.push(column.ok_or(BadStaffFile::Column(at + 1))?);
        }
        if let Some(missing) = Column::NEEDED.iter().find(|it| !columns.contains(it)) {
            return Err(BadStaffFile::ColumnMissing(missing.name()));
        }
        let (mut rows, mut bad) = (Vec::new(), Vec::new());
        for (count, line) in lines.enumerate() {
            if count == MAX_ROWS {
                return Err(BadStaffFile::TooManyRows);
            }
            let cells = line.fields.and_then(|fields| match fields.len() == columns.len() {
                true => Ok(fields),
                false => Err(Why::Columns),
            });
            let read = match cells {
                Err(why) => {
                    Err(vec![BadRow { line: line.number, column: "row", fault: Fault::Line(why) }])
                }
                Ok(cells) => StaffRow::read(line.number, &columns, &cells),
            };
            match read {
                Ok(row) => rows.push(row),
                Err(faults) => bad.extend(faults),
            }
        }
        bad.extend(twice(&rows));
        match (bad.is_empty(), rows.is_empty()) {
            (true, false) => Ok(Self { rows }),
            (true, true) => Err(BadStaffFile::Empty),
            (false, _) => {
                bad.sort_by_key(|row| row.line);
                Err(BadStaffFile::Rows(bad))
            }
        }
    }
}

impl StaffRow {
    /// A row, or all that is wrong with it.
    fn read(line: u32, columns: &[Column], cells: &[String]) -> Result<Self, Vec<BadRow>> {
        let given = |column| {
            let at = columns.iter().position(|it| *it == column)?;
            Some(trimmed(cells.get(at)?))
        };
        let text = |column| given(column).unwrap_or_default();
        let mut bad = Vec::new();
        let mut fault = |column, fault| bad.push(BadRow::of(line, column, fault));
        let number =
            short(text(Column::Number), 32).and_then(|number| match is_file_name(number) {
                true => Ok(number.to_owned()),
                false => Err(Fault::Character),
            });
        let number = number.map_err(|it| fault(Column::Number, it));
        let name = short(text(Column::Name), 90).map_err(|it| fault(Column::Name, it));
        let id_number = match text(Column::IdNumber) {
            "" => Ok(None),
            text => text.parse::<ResidentIdNumber>().map(Some).map_err(|bad| match bad {
                BadResidentIdNumber::Check => Fault::IdCheck,
                _ => Fault::IdForm,
            }),
        };
        let id_number = id_number.map_err(|it| fault(Column::IdNumber, it));
        let role = needed(text(Column::Role)).and_then(StaffRole::read);
        let role = role.map_err(|it| fault(Column::Role, it));
        // What goes with a role is not judged without one.
        let treats = role.map(StaffRole::treats);
        let department = match (treats, text(Column::Department)) {
            (Ok(true), text) => short(text, 50).map(str::to_owned),
            (Ok(false), text) if !text.is_empty() => Err(Fault::NotForRole),
            _ => Ok(String::new()),
        };
        let department = department.map_err(|it| fault(Column::Department, it));
        let qualification = match given(Column::QualifiedUntil) {
            None => Ok(Qualification::Unsaid),
            Some("") => Ok(Qualification::Open),
            Some(_) if treats == Ok(false) => Err(Fault::NotForRole),
            Some(text) => date(text).map(Qualification::Until).ok_or(Fault::NoSuchDate),
        };
        let qualification = qualification.map_err(|it| fault(Column::QualifiedUntil, it));
        if role == Ok(StaffRole::Operator) && id_number == Ok(None) {
            fault(Column::IdNumber, Fault::Missing);
        }
        match (number, name, role, department, id_number, qualification) {
            (Ok(number), Ok(name), Ok(role), Ok(department), Ok(id_number), Ok(qualification))
                if bad.is_empty() =>
            {
                let name = name.to_owned();
                Ok(Self { line, number, name, role, department, id_number, qualification })
            }
            _ => Err(bad),
        }
    }
}

impl BadRow {
    pub(crate) fn of(line: u32, column: Column, fault: Fault) -> Self {
        Self { line, column: column.name(), fault }
    }
}

/// Rows whose number or ID number stands in an earlier one.
fn twice(rows: &[StaffRow]) -> Vec<BadRow> {
    let (mut numbers, mut people) = (HashMap::new(), HashMap::new());
    let mut bad = Vec::new();
    for row in rows {
        if let Some(earlier) = numbers.insert(row.number.as_str(), row.line) {
            bad.push(BadRow::of(row.line, Column::Number, Fault::Twice(earlier)));
        }
        let Some(id_number) = &row.id_number else { continue };
        if let Some(earlier) = people.insert(id_number.as_str(), row.line) {
            bad.push(BadRow::of(row.line, Column::IdNumber, Fault::Twice(earlier)));
        }
    }
    bad
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\u{3000}'])
}

fn needed(text: &str) -> Result<&str, Fault> {
    if text.is_empty() { Err(Fault::Missing) } else { Ok(text) }
}

/// A text that the service takes: of few bytes, and nothing in it that is not seen.
fn short(text: &str, most: usize) -> Result<&str, Fault> {
    let unseen = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    };
    match needed(text)? {
        text if text.len() > most => Err(Fault::TooLong),
        text if text.trim() != text || text.chars().any(unseen) => Err(Fault::Character),
        text => Ok(text),
    }
}

/// Whether files can be named after it, on every system, and no spreadsheet computes it.
fn is_file_name(number: &str) -> bool {
    number.starts_with(char::is_alphanumeric)
        && number.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
}

/// A date as people and spreadsheets write it: 2030-12-31, 2030/12/31 or 2030/1/5.
fn date(text: &str) -> Option<Date> {
    let mark = if text.contains('/') { '/' } else { '-' };
    let parts: Vec<&str> = text.split(mark).collect();
    let [year, month, day] = parts[..] else { return None };
    let digits = |part: &str, most: usize| {
        let plain = (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| part.parse::<u16>().ok()).flatten()
    };
    let year = digits(year, 4).filter(|year| (1900..=9999).contains(year))?;
    let month = Month::try_from(u8::try_from(digits(month, 2)?).ok()?).ok()?;
    Date::from_calendar_date(year.into(), month, u8::try_from(digits(day, 2)?).ok()?).ok()
}

/// Names a person.
impl fmt::Debug for StaffRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StaffRow(line {}, {})", self.line, self.role.word())
    }
}

#[cfg(test)]
mod tests;
