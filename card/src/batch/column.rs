use crate::layout::ddf1::{ef05, ef06, ef08};
use crate::layout::{self, Element, File, Profile, df01, df02};

/// A column of a batch: one element of the card, or the photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// What it holds.
    pub holds: Holds,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The element with this item number.
    Element(Element),
    /// What the card has room for (卡容量): `32K` or `16K`.
    Capacity,
    /// The photo: its file's name.
    Photo,
}

/// Files whose elements a row may give, all of them; of EF05 it is the city code alone, since the
/// rest is the issuer's.
static FILES: [&File; 8] = [
    &ef06::FILE,
    &ef08::FILE,
    &df01::ef05::FILE,
    &df01::ef06::FILE,
    &df01::ef07::FILE,
    &df01::ef08::FILE,
    &df02::ef05::FILE,
    &df02::ef06::FILE,
];

/// What people write at the head of columns beside the names of the layout.
const ALIASES: [(&str, u16); 16] = [
    ("city", 57),
    ("birth_date", 14),
    ("城市代码", 57),
    ("phone", 16),
    ("电话", 16),
    ("手机", 16),
    ("电话1", 16),
    ("电话2", 17),
    ("民族", 13),
    ("身份证号", 15),
    ("身份证号码", 15),
    ("公民身份号码", 15),
    ("有效期至", 7),
    ("支付方式1", 18),
    ("支付方式2", 19),
    ("支付方式3", 20),
];

/// Names of the column of capacities.
const CAPACITY: [&str; 3] = ["capacity", "卡容量", "容量"];
/// Number of the cell of a capacity: beyond those of all items.
pub(super) const CAPACITY_CELL: u16 = 0xFFFF;

/// Names of the column of photos.
const PHOTO: [&str; 2] = ["photo", "照片"];

impl Column {
    /// The column of that name, spaces around it and case left aside.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim_matches([' ', '\u{3000}']).to_lowercase();
        if PHOTO.contains(&name.as_str()) {
            return Some(Self { holds: Holds::Photo });
        }
        if CAPACITY.contains(&name.as_str()) {
            return Some(Self { holds: Holds::Capacity });
        }
        let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, item)| *item);
        let of = |element: &Element| {
            alias == Some(element.item)
                || element.zh.to_lowercase() == name
                || spelled(element.en) == name
        };
        elements().find(of).map(|element| Self { holds: Holds::Element(element) })
    }

    /// Its cell in a row: the item number of its element. The photo has none.
    pub(super) fn cell(&self) -> Option<u16> {
        match self.holds {
            Holds::Element(element) => Some(element.item),
            Holds::Capacity => Some(CAPACITY_CELL),
            Holds::Photo => None,
        }
    }

    /// The column with this cell.
    pub(super) fn of_cell(cell: u16) -> Option<Self> {
        match cell {
            CAPACITY_CELL => Some(Self { holds: Holds::Capacity }),
            item => Self::of_item(item),
        }
    }

    /// The column of the element with this item number.
    pub fn of_item(item: u16) -> Option<Self> {
        let element = elements().find(|element| element.item == item)?;
        Some(Self { holds: Holds::Element(element) })
    }

    /// Its name in files and messages, such as `id_number`.
    pub fn name(&self) -> String {
        match self.holds {
            Holds::Element(element) if element.item == 57 => "city".to_owned(),
            Holds::Element(element) => spelled(element.en),
            Holds::Capacity => CAPACITY[0].to_owned(),
            Holds::Photo => PHOTO[0].to_owned(),
        }
    }

    /// Every column there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let others = [Holds::Capacity, Holds::Photo].map(|holds| Self { holds });
        elements().map(|element| Self { holds: Holds::Element(element) }).chain(others)
    }
}

/// The elements that a row may give.
pub(super) fn elements() -> impl Iterator<Item = Element> {
    let files = FILES.iter().flat_map(|file: &&layout::File| file.items(Profile::Full));
    std::iter::once(ef05::CITY_CODE).chain(files.map(|item| item.element))
}

/// `ID number` as `id_number`.
fn spelled(name: &str) -> String {
    name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
