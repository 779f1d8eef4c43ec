//! A chart to look at.

use access_token::words::DataClass;

use super::{Observation, Person};

/// Somebody. No place has the region code of this ID number.
pub const PERSON: Person = Person {
    name: "张三丰",
    id_number: "990000198001011234",
    phone: "00099900017",
    address: "虚构省虚构市虚构区一号",
    birth_date: "1980-01-01",
    gender: "male",
};
/// Health data of a middle grade.
pub const PRESSURE: Observation = Observation {
    id: "pressure",
    code: "8480-6",
    display: "收缩压",
    value: (128.0, "mmHg"),
    class: DataClass::Health,
    grade: 3,
};
/// A laboratory report.
pub const REPORT: Observation = Observation {
    id: "report",
    code: "718-7",
    display: "血红蛋白",
    value: (141.0, "g/L"),
    class: DataClass::Care,
    grade: 4,
};
/// Open to very few.
pub const RARE: Observation = Observation {
    id: "rare",
    code: "75622-1",
    display: "HIV",
    value: (0.0, ""),
    class: DataClass::Health,
    grade: 5,
};
