//! Code tables (代码表) with their labels in Chinese and English.

mod clinical;

pub use clinical::{
    ABO_GROUPS, ANAESTHESIA, DRUG_FORMS, DRUG_ROUTES, INDEX_FLAGS, OUTCOMES, OUTPATIENT_FEES,
    RH_GROUPS, SEROLOGY_ITEMS, SEROLOGY_RESULTS, TEST_RESULTS, TRANSFUSIONS, WOUND_HEALING,
};

/// A table of codes.
#[derive(Debug, PartialEq, Eq)]
pub struct CodeTable {
    /// The standard it is from.
    pub standard: &'static str,
    /// Code as written, Chinese label, English label.
    pub entries: &'static [(&'static str, &'static str, &'static str)],
}

impl CodeTable {
    /// The labels of `code`, Chinese and English. Of a code that is a number, zeros before it do
    /// not count: fields of two digits hold `01` or `1`.
    pub fn labels(&self, code: &str) -> Option<(&'static str, &'static str)> {
        self.find(code).map(|(_, zh, en)| (zh, en))
    }

    /// The entry of `code`: code as the table writes it, Chinese label, English label.
    pub fn find(&self, code: &str) -> Option<(&'static str, &'static str, &'static str)> {
        let number = |text: &str| text.parse::<u16>().ok();
        let found = self.entries.iter().find(|(known, ..)| {
            *known == code || number(known).is_some_and(|known| number(code) == Some(known))
        });
        found.copied()
    }

    /// The labels of a code that is a number.
    pub fn labels_of(&self, code: u8) -> Option<(&'static str, &'static str)> {
        let found = self.entries.iter().find(|(known, ..)| known.parse() == Ok(code));
        found.map(|(_, zh, en)| (*zh, *en))
    }
}

/// Sex (性别代码).
pub static SEXES: CodeTable = CodeTable {
    standard: "GB/T 2261.1-2003",
    entries: &[
        ("0", "未知的性别", "unknown"),
        ("1", "男", "male"),
        ("2", "女", "female"),
        ("9", "未说明的性别", "not stated"),
    ],
};

/// Means of payment (医疗费用支付方式).
pub static PAYMENTS: CodeTable = CodeTable {
    standard: "WS 364.13 CV07.10.003",
    entries: &[
        ("1", "城镇职工基本医疗保险", "urban employees' insurance"),
        ("2", "城镇居民基本医疗保险", "urban residents' insurance"),
        ("3", "新型农村合作医疗", "rural cooperative insurance"),
        ("4", "贫困救助", "poverty aid"),
        ("5", "商业医疗保险", "commercial insurance"),
        ("6", "全公费", "fully public"),
        ("7", "全自费", "self-paid"),
        ("8", "其他", "other"),
    ],
};

/// Ethnic groups (民族代码).
pub static ETHNIC_GROUPS: CodeTable = CodeTable {
    standard: "GB 3304-1991",
    entries: &[
        ("1", "汉族", "Han"),
        ("2", "蒙古族", "Mongol"),
        ("3", "回族", "Hui"),
        ("4", "藏族", "Zang"),
        ("5", "维吾尔族", "Uygur"),
        ("6", "苗族", "Miao"),
        ("7", "彝族", "Yi"),
        ("8", "壮族", "Zhuang"),
        ("9", "布依族", "Buyei"),
        ("10", "朝鲜族", "Chosen"),
        ("11", "满族", "Man"),
        ("12", "侗族", "Dong"),
        ("13", "瑶族", "Yao"),
        ("14", "白族", "Bai"),
        ("15", "土家族", "Tujia"),
        ("16", "哈尼族", "Hani"),
        ("17", "哈萨克族", "Kazak"),
        ("18", "傣族", "Dai"),
        ("19", "黎族", "Li"),
        ("20", "傈僳族", "Lisu"),
        ("21", "佤族", "Va"),
        ("22", "畲族", "She"),
        ("23", "高山族", "Gaoshan"),
        ("24", "拉祜族", "Lahu"),
        ("25", "水族", "Sui"),
        ("26", "东乡族", "Dongxiang"),
        ("27", "纳西族", "Naxi"),
        ("28", "景颇族", "Jingpo"),
        ("29", "柯尔克孜族", "Kirgiz"),
        ("30", "土族", "Tu"),
        ("31", "达斡尔族", "Daur"),
        ("32", "仫佬族", "Mulao"),
        ("33", "羌族", "Qiang"),
        ("34", "布朗族", "Blang"),
        ("35", "撒拉族", "Salar"),
        ("36", "毛南族", "Maonan"),
        ("37", "仡佬族", "Gelao"),
        ("38", "锡伯族", "Xibe"),
        ("39", "阿昌族", "Achang"),
        ("40", "普米族", "Pumi"),
        ("41", "塔吉克族", "Tajik"),
        ("42", "怒族", "Nu"),
        ("43", "乌孜别克族", "Uzbek"),
        ("44", "俄罗斯族", "Russ"),
        ("45", "鄂温克族", "Ewenki"),
        ("46", "德昂族", "Deang"),
        ("47", "保安族", "Bonan"),
        ("48", "裕固族", "Yugur"),
        ("49", "京族", "Gin"),
        ("50", "塔塔尔族", "Tatar"),
        ("51", "独龙族", "Derung"),
        ("52", "鄂伦春族", "Oroqen"),
        ("53", "赫哲族", "Hezhen"),
        ("54", "门巴族", "Monba"),
        ("55", "珞巴族", "Lhoba"),
        ("56", "基诺族", "Jino"),
    ],
};

/// Card classes (卡的类别).
pub static CARD_CLASSES: CodeTable = CodeTable {
    standard: "文件结构表 (2012), item 1",
    entries: &[("1", "普通卡", "ordinary"), ("2", "高级卡", "advanced")],
};

/// Address classes (地址类别).
pub static ADDRESS_CLASSES: CodeTable = CodeTable {
    standard: "文件结构表 (2012), item 21",
    entries: &[("1", "户籍住址", "registered"), ("2", "现居住地址", "current")],
};

/// Family relations (联系人关系).
pub static RELATIONS: CodeTable = CodeTable {
    standard: "GB/T 4761-2008",
    entries: &[
        ("0", "本人或户主", "self"),
        ("1", "配偶", "spouse"),
        ("2", "子", "son"),
        ("3", "女", "daughter"),
        ("4", "孙子、孙女或外孙子、外孙女", "grandchild"),
        ("5", "父母", "parent"),
        ("6", "祖父母或外祖父母", "grandparent"),
        ("7", "兄、弟、姐、妹", "sibling"),
        ("8", "其他", "other"),
        ("97", "其他亲属", "other relative"),
        ("98", "护工", "nurse"),
        ("99", "非亲属", "not related"),
    ],
};

/// Education (文化程度).
pub static EDUCATION: CodeTable = CodeTable {
    standard: "GB/T 4658-2006",
    entries: &[
        ("1", "研究生教育", "postgraduate"),
        ("2", "大学本科教育", "undergraduate"),
        ("3", "大学专科教育", "college"),
        ("4", "中等职业教育", "secondary vocational school"),
        ("5", "技工学校教育", "technical school"),
        ("6", "普通高级中学教育", "senior high school"),
        ("7", "初级中学教育", "junior high school"),
        ("8", "小学教育", "primary school"),
        ("9", "文盲或半文盲", "illiterate or nearly so"),
    ],
};

/// Marital status (婚姻状况).
pub static MARRIAGE: CodeTable = CodeTable {
    standard: "GB/T 2261.2-2003",
    entries: &[
        ("10", "未婚", "single"),
        ("20", "已婚", "married"),
        ("30", "丧偶", "widowed"),
        ("40", "离婚", "divorced"),
        ("90", "未说明的婚姻状况", "other"),
    ],
};

/// Occupations (职业): the first character of the code.
pub static OCCUPATIONS: CodeTable = CodeTable {
    standard: "GB/T 6565-2009",
    entries: &[
        ("0", "国家机关、党群组织、企业、事业单位负责人", "head of an organisation"),
        ("1", "专业技术人员", "professional or technician"),
        ("3", "办事人员和有关人员", "clerk"),
        ("4", "商业、服务业人员", "commerce and service"),
        ("5", "农、林、牧、渔、水利业生产人员", "agriculture"),
        ("6", "生产、运输设备操作人员及有关人员", "production and transport"),
        ("X", "军人", "soldier"),
        ("Y", "不便分类的其他从业人员", "other"),
    ],
};

/// Documents (证件类别).
pub static DOCUMENTS: CodeTable = CodeTable {
    standard: "WS 364.3 CV02.01.101",
    entries: &[
        ("1", "居民身份证", "ID card"),
        ("2", "居民户口簿", "household book"),
        ("3", "护照", "passport"),
        ("4", "军官证", "officer's card"),
        ("5", "驾驶证", "driving licence"),
        ("99", "其他", "other"),
    ],
};

/// Sex (性别, GB/T 2261.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sex {
    /// 0: unknown.
    Unknown,
    /// 1: male.
    Male,
    /// 2: female.
    Female,
    /// 9: not stated.
    NotStated,
}

impl Sex {
    /// The code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Male => 1,
            Self::Female => 2,
            Self::NotStated => 9,
        }
    }

    /// The sex of that code.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Unknown),
            1 => Some(Self::Male),
            2 => Some(Self::Female),
            9 => Some(Self::NotStated),
            _ => None,
        }
    }

    /// Whether it is male or female.
    pub const fn is_stated(self) -> bool {
        matches!(self, Self::Male | Self::Female)
    }

    /// Labels in Chinese and English.
    pub fn labels(self) -> (&'static str, &'static str) {
        SEXES.labels_of(self.code()).expect("every sex is in the table")
    }
}

/// Defines a newtype of the codes of one table.
macro_rules! coded {
    ($(#[$doc:meta])* $name:ident, $table:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(u8);

        impl $name {
            /// The entry of that code, when the table has it.
            pub fn from_code(code: u8) -> Option<Self> {
                $table.labels_of(code).map(|_| Self(code))
            }

            /// The code.
            pub const fn code(self) -> u8 {
                self.0
            }

            /// Labels in Chinese and English.
            pub fn labels(self) -> (&'static str, &'static str) {
                $table.labels_of(self.0).expect("the code was looked up when it was made")
            }
        }
    };
}

coded! {
    /// Ethnic group (民族, GB 3304-1991), 1 to 56.
    EthnicGroup, ETHNIC_GROUPS
}
coded! {
    /// Means of payment (医疗费用支付方式, CV07.10.003), 1 to 8.
    Payment, PAYMENTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_complete() {
        let codes = ETHNIC_GROUPS.entries.iter().map(|(code, ..)| code.parse::<u8>().unwrap());
        assert!(codes.eq(1..=56));
        for code in 0..=u8::MAX {
            assert_eq!(Sex::from_code(code).is_some(), SEXES.labels_of(code).is_some(), "{code}");
        }
        assert_eq!(EthnicGroup::from_code(57), None);
        assert_eq!(Sex::Female.labels(), ("女", "female"));
        let route = DRUG_ROUTES.labels("0401");
        assert_eq!(route, Some(("皮下注射", "subcutaneous injection")));
    }
}
