use std::collections::BTreeMap;
use std::fmt;

use time::Date;

use super::cell::{date, of_text, value};
use super::{BadField, Column, Holds, Row, Why, column};
use crate::codes::{EthnicGroup, Payment, Sex};
use crate::data::{ContactData, Contents, HolderData, Photo, Value};
use crate::layout::ddf1::{ef05, ef06, ef08};
use crate::layout::{Element, File, Profile};
use crate::number::{BadResidentIdNumber, CityCode, ResidentIdNumber};
use crate::value::{Name, Phone};

/// A person whose card can be made: every field was checked, and fits the card.
#[derive(Clone, PartialEq, Eq)]
pub struct CardOrder {
    /// Item 57.
    pub city: CityCode,
    /// DDF1/EF06.
    pub holder: HolderData,
    /// DDF1/EF07.
    pub photo: Option<Photo>,
    /// DDF1/EF08.
    pub contact: ContactData,
    /// What the card has room for.
    pub profile: Profile,
    /// What the other directories hold, by item number.
    more: BTreeMap<u16, Value>,
}

/// Collects what is wrong, so that a person hears all of it at once.
struct Checker<'r> {
    row: &'r Row,
    wrong: Vec<BadField>,
}

impl Row {
    /// Checks every field. `today` is the day on which the card is made; `profile` is what it has
    /// room for, unless the row says so itself.
    ///
    /// # Errors
    /// All that is wrong, in the order of the card.
    pub fn check(&self, today: Date, profile: Profile) -> Result<CardOrder, Vec<BadField>> {
        let mut checker = Checker { row: self, wrong: Vec::new() };
        let order = checker.order(today, profile);
        match order {
            Some(order) if checker.wrong.is_empty() => Ok(order),
            _ => Err(checker.wrong),
        }
    }
}

impl Checker<'_> {
    /// The order, when all that it needs is there.
    fn order(&mut self, today: Date, profile: Profile) -> Option<CardOrder> {
        let capacity = Column { holds: Holds::Capacity };
        let profile = match self.row.cell(column::CAPACITY_CELL).map(Profile::named) {
            None => profile,
            Some(Some(named)) => named,
            Some(None) => {
                self.wrong.push(BadField::of(&capacity, Why::NotCapacity));
                profile
            }
        };
        let city = self.needed(&ef05::CITY_CODE, |text| text.parse().map_err(|_| Why::NotDigits));
        let name = self.needed(&ef06::NAME, |text| text.parse::<Name>().map_err(of_text));
        let id_number = self.needed(&ef06::ID_NUMBER, |text| {
            text.parse::<ResidentIdNumber>().map_err(|bad| match bad {
                BadResidentIdNumber::Check => Why::IdCheck,
                BadResidentIdNumber::BirthDate => Why::NoSuchDate,
                _ => Why::IdForm,
            })
        });
        let ethnic_group = self.coded(&ef06::ETHNIC_GROUP, EthnicGroup::from_code);
        let sex = self.coded(&ef06::SEX, Sex::from_code);
        let birth_date = self.wanted(&ef06::BIRTH_DATE, |text| date(&ef06::BIRTH_DATE, text));
        if let Some(id) = &id_number {
            self.agrees(&ef06::SEX, sex.filter(|sex| sex.is_stated()), id.sex());
            self.agrees(&ef06::BIRTH_DATE, birth_date, id.birth_date());
        }
        let valid_until =
            self.needed(&ef08::VALID_UNTIL, |text| match date(&ef08::VALID_UNTIL, text)? {
                day if day < today => Err(Why::Past),
                day => Ok(day),
            });
        let phone = |text: &str| text.parse::<Phone>().map_err(|_| Why::NotPhone);
        let phones = [&ef08::PHONE_1, &ef08::PHONE_2].map(|e| self.wanted(e, phone));
        let payments = [&ef08::PAYMENT_1, &ef08::PAYMENT_2, &ef08::PAYMENT_3]
            .map(|element| self.coded(element, Payment::from_code));
        let photo = self.photo();
        let more = self.more();
        if profile == Profile::Reduced {
            self.refuse_what_has_no_place();
        }

        let id_number = id_number?;
        Some(CardOrder {
            city: city?,
            holder: HolderData {
                name: name?,
                sex: id_number.sex(),
                ethnic_group,
                birth_date: id_number.birth_date(),
                id_number,
            },
            photo,
            contact: ContactData { valid_until: valid_until?, phones, payments },
            profile,
            more,
        })
    }

    /// What belongs into the other directories.
    fn more(&mut self) -> BTreeMap<u16, Value> {
        let mut more = BTreeMap::new();
        for element in column::elements().filter(|element| !is_of_ddf1(element)) {
            let text = self.row.cell(element.item);
            if let Some(value) = self.keep(&element, value(&element, text)) {
                more.insert(element.item, value);
            }
        }
        more
    }

    /// What somebody gave and a 16K card cannot hold is not left out unsaid. The first phone is for
    /// the register, too.
    fn refuse_what_has_no_place(&mut self) {
        let given = |element: &Element| self.row.cell(element.item).is_some();
        let beyond = column::elements()
            .filter(|element| element.full_only && element.item != ef08::PHONE_1.item)
            .filter(given)
            .collect::<Vec<_>>();
        for element in beyond {
            self.refuse(&element, Why::NoPlace);
        }
        if self.row.photo().is_some() {
            self.wrong.push(BadField::of(&Column { holds: Holds::Photo }, Why::NoPlace));
        }
    }

    fn photo(&mut self) -> Option<Photo> {
        let jpeg = self.row.photo()?;
        match checked_photo(jpeg) {
            Ok(photo) => Some(photo),
            Err(why) => {
                self.wrong.push(BadField::of(&Column { holds: Holds::Photo }, why));
                None
            }
        }
    }

    fn needed<T>(&mut self, at: &Element, read: impl Fn(&str) -> Result<T, Why>) -> Option<T> {
        let value = self.row.cell(at.item).ok_or(Why::Missing).and_then(|text| {
            if text.chars().any(char::is_control) { Err(Why::Control) } else { read(text) }
        });
        self.keep(at, value)
    }

    fn wanted<T>(&mut self, at: &Element, read: impl Fn(&str) -> Result<T, Why>) -> Option<T> {
        let text = self.row.cell(at.item)?;
        self.keep(at, read(text))
    }

    fn coded<T>(&mut self, at: &Element, of: impl Fn(u8) -> Option<T>) -> Option<T> {
        self.wanted(at, |text| {
            let code = match value(at, Some(text))? {
                Value::Code(code) => code.number(),
                _ => None,
            };
            code.and_then(&of).ok_or(Why::UnknownCode)
        })
    }

    fn agrees<T: PartialEq>(&mut self, at: &Element, said: Option<T>, known: T) {
        if said.is_some_and(|said| said != known) {
            self.refuse(at, Why::Disagrees);
        }
    }

    fn keep<T>(&mut self, at: &Element, value: Result<T, Why>) -> Option<T> {
        value.map_err(|why| self.refuse(at, why)).ok()
    }

    fn refuse(&mut self, at: &Element, why: Why) {
        let field = Column::of_item(at.item).map_or_else(|| "row".to_owned(), |it| it.name());
        self.wrong.push(BadField { field, why });
    }
}

/// Elements that have a type of their own in an order.
fn is_of_ddf1(element: &Element) -> bool {
    matches!(element.item, 7 | 11..=20 | 57)
}

/// A photo that the card can hold. Where pictures can be read, it is read.
fn checked_photo(jpeg: &[u8]) -> Result<Photo, Why> {
    let photo = Photo::new(jpeg.to_vec()).map_err(|_| match jpeg.len() > Photo::MAX {
        true => Why::HugePicture,
        false => Why::NotPicture,
    })?;
    #[cfg(feature = "pictures")]
    crate::picture::check(photo.jpeg())?;
    Ok(photo)
}

impl CardOrder {
    /// What the row gives of an element of DF01 or DF02, by its item number.
    pub fn value(&self, item: u16) -> Option<&Value> {
        self.more.get(&item).filter(|value| **value != Value::Empty)
    }

    /// The records of a file of DF01 or DF02 with one element a record, as a 32K card has them.
    pub fn records(&self, file: &'static File) -> Vec<Vec<u8>> {
        let mut contents = Contents::empty(file, 0, Profile::Full);
        for item in file.items(Profile::Full) {
            if let Some(value) = self.more.get(&item.element.item) {
                contents.set(item.element.item, value.clone()).expect("checked as it was ordered");
            }
        }
        contents.encode().expect("none of these always says something")
    }
}

/// Personal data: prints nothing of itself.
impl fmt::Debug for CardOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardOrder(..)")
    }
}
