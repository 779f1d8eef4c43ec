use std::fmt;

use super::Column;

/// A field of a row, and what is wrong with it. It never holds what was written there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct BadField {
    /// Name of the column; `row` for the row as a whole.
    pub field: String,
    /// What is wrong.
    pub why: Why,
}

impl BadField {
    /// Something is wrong with this field.
    pub fn of(column: &Column, why: Why) -> Self {
        Self { field: column.name(), why }
    }

    /// Something is wrong with the row as a whole.
    pub fn row(why: Why) -> Self {
        Self { field: "row".to_owned(), why }
    }
}

/// The reasons, each with its stable code, Chinese and English.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $code:literal $zh:literal $en:literal;)+) => {
        /// What is wrong with a field or a row.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Why {
            $($(#[$doc])* $name,)+
        }

        impl Why {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Stable name for programs.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// For people, in Chinese.
            pub const fn zh(self) -> &'static str {
                match self { $(Self::$name => $zh,)+ }
            }

            /// For people, in English.
            pub const fn en(self) -> &'static str {
                match self { $(Self::$name => $en,)+ }
            }

            /// The reason with this code.
            pub fn named(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|why| why.code() == code)
            }
        }
    };
}

reasons! {
    // fields
    /// Nothing where something is needed.
    Missing "MISSING" "必填项为空" "is missing";
    /// A control character in a text.
    Control "CONTROL_CHARACTER" "含有控制字符" "holds a control character";
    /// A character that is not in GBK.
    NotGbk "NOT_GBK" "含有卡片字符集（GBK）没有的字符" "holds a character that the card (GBK) has not";
    /// More than the card has room for.
    TooLong "TOO_LONG" "超过卡片允许的长度" "is longer than the card has room for";
    /// Not digits, or not so many.
    NotDigits "NOT_DIGITS" "应为规定位数的数字" "must be digits, as many as the field has";
    /// Not in the code table.
    UnknownCode "UNKNOWN_CODE" "代码不在代码表中" "is not in its code table";
    /// Not a date that exists.
    NoSuchDate "NO_SUCH_DATE" "日期不存在，应为 YYYY-MM-DD" "is no date that exists, as YYYY-MM-DD";
    /// Neither 32K nor 16K.
    NotCapacity "NOT_A_CAPACITY" "应为 32K 或 16K" "must be 32K or 16K";
    /// A 16K card has no place for it.
    NoPlace "NO_PLACE" "16K 卡没有此项的位置，请删去此项或改用 32K 卡" "has no place on a 16K card; leave it out, or ask for a 32K card";
    /// Over before the card is made.
    Past "IN_THE_PAST" "日期已过" "is in the past";
    /// Neither yes nor no.
    NotFlag "NOT_A_FLAG" "应为 是 或 否" "must be yes or no";
    /// Not 18 characters with the right form.
    IdForm "ID_NUMBER_FORM" "身份证号应为 18 位" "must be an ID number of 18 characters";
    /// A wrong check character.
    IdCheck "ID_NUMBER_CHECK" "身份证号校验位不符" "has a wrong check character";
    /// Not a phone number.
    NotPhone "NOT_A_PHONE" "不是电话号码" "is no telephone number";
    /// Sex or date of birth are others than in the ID number.
    Disagrees "DISAGREES" "与身份证号不一致" "disagrees with the ID number";
    /// Not a JPEG or PNG that can be read.
    NotPicture "NOT_A_PICTURE" "照片不是可读的 JPEG 或 PNG" "is no JPEG or PNG that can be read";
    /// A picture beyond all bounds.
    HugePicture "PICTURE_TOO_LARGE" "照片过大" "is too large a picture";
    /// The photo's file cannot be read.
    PhotoFile "PHOTO_FILE" "照片文件无法读取" "names a file that cannot be read";
    // rows
    /// Another number of fields than the head of the table.
    Columns "COLUMNS" "列数与表头不符" "has another number of columns than the head";
    /// A column that no batch has.
    UnknownColumn "UNKNOWN_COLUMN" "有不认识的列" "has a column that is not known";
    /// A field given twice.
    Twice "TWICE" "同一项给出了两次" "is given twice";
    /// A quotation mark that does not end.
    Quote "QUOTE" "引号不成对" "has a quotation mark without its pair";
    /// Beyond the bound of a row.
    RowTooLong "ROW_TOO_LONG" "该行过长" "is too long";
    /// Bytes that are not UTF-8.
    NotUtf8 "NOT_UTF8" "不是 UTF-8 编码" "is not UTF-8";
    /// A message that cannot be read.
    Unreadable "UNREADABLE" "该行无法读取" "cannot be read";
    // what the register knows
    /// The ID number stands in an earlier row.
    Duplicate "DUPLICATE" "本批前面已有同一身份证号" "is in an earlier row of this batch";
    /// The person has a card.
    HasCard "HAS_CARD" "此人已有健康卡" "has a card already";
    /// Another institution registered the person.
    RegisteredElsewhere "REGISTERED_ELSEWHERE" "此人由其他机构登记" "was registered by another institution";
    /// The register has the ID number under another name.
    NameDiffers "NAME_DIFFERS" "与登记的姓名不符" "differs from the name on record";
    /// Somebody else has the same name and date of birth.
    AlikeByBirthDate "LOOK_ALIKE_BIRTH_DATE" "与在册或本批另一人同名同出生日期；请核对证件后以 resident register 登记并作出决定，再以同一命令继续" "is the name of somebody else of the same date of birth, on record or in this batch: see the documents, register the person with your decision (resident register), and give the same command again";
    /// Somebody else has the same name and phone.
    AlikeByPhone "LOOK_ALIKE_PHONE" "与在册或本批另一人同名同电话；请核对证件后以 resident register 登记并作出决定，再以同一命令继续" "is the name of somebody else with the same phone, on record or in this batch: see the documents, register the person with your decision (resident register), and give the same command again";
    /// Somebody else has the same number of a document.
    NumberShared "NUMBER_SHARED" "该证件号码属于在册或本批另一人；请核对证件后登记此人并以 resident bind 作出决定，再以同一命令继续" "is the number of somebody else, on record or in this batch: see the documents, register the person, bind the number with your decision (resident bind), and give the same command again";
    /// The person's data was erased while the row waited.
    Erased "RESIDENT_ERASED" "此人的个人信息已删除" "is a person whose data was erased meanwhile";
    // what became of a batch
    /// The batch was given up: its rows are wrong.
    AbandonedWrongRows "ABANDONED_WRONG_ROWS" "批次作废：数据有误" "was given up with its batch: rows are wrong";
    /// The batch was given up: no blank cards.
    AbandonedNoBlanks "ABANDONED_NO_BLANKS" "批次提前结束：空白卡不足" "was given up with its batch: there are no blank cards";
    /// The batch was given up: the cards are not wanted.
    AbandonedNotWanted "ABANDONED_NOT_WANTED" "批次提前结束：不再需要" "was given up with its batch: the cards are no longer wanted";
    /// The batch was given up: who is held is on record already.
    AbandonedSamePeople "ABANDONED_SAME_PEOPLE" "批次提前结束：经核对为已在册人员" "was given up with its batch: people of held rows are on record already";
    /// The row never came.
    NotHandedIn "NOT_HANDED_IN" "该行未提交" "was never handed in";
    /// The card cannot hold what the issuer writes.
    Issuer "ISSUER" "发卡机构设置不能写入卡片" "cannot be written with the issuer's settings";
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.en())
    }
}
