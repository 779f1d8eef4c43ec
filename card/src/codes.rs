//! Code tables (代码表) with their labels in Chinese and English.

/// A table of codes.
#[derive(Debug, PartialEq, Eq)]
pub struct CodeTable {
    /// The standard it is from.
    pub standard: &'static str,
    /// Code, Chinese label, English label.
    pub entries: &'static [(u8, &'static str, &'static str)],
}

impl CodeTable {
    /// The labels of `code`, Chinese and English.
    pub fn labels(&self, code: u8) -> Option<(&'static str, &'static str)> {
        self.entries.iter().find(|(known, ..)| *known == code).map(|(_, zh, en)| (*zh, *en))
    }
}

/// Sex (性别代码).
pub static SEXES: CodeTable = CodeTable {
    standard: "GB/T 2261.1-2003",
    entries: &[
        (0, "未知的性别", "unknown"),
        (1, "男", "male"),
        (2, "女", "female"),
        (9, "未说明的性别", "not stated"),
    ],
};

/// Means of payment (医疗费用支付方式).
pub static PAYMENTS: CodeTable = CodeTable {
    standard: "WS 364.13 CV07.10.003",
    entries: &[
        (1, "城镇职工基本医疗保险", "urban employees' insurance"),
        (2, "城镇居民基本医疗保险", "urban residents' insurance"),
        (3, "新型农村合作医疗", "rural cooperative insurance"),
        (4, "贫困救助", "poverty aid"),
        (5, "商业医疗保险", "commercial insurance"),
        (6, "全公费", "fully public"),
        (7, "全自费", "self-paid"),
        (8, "其他", "other"),
    ],
};

/// Ethnic groups (民族代码).
pub static ETHNIC_GROUPS: CodeTable = CodeTable {
    standard: "GB 3304-1991",
    entries: &[
        (1, "汉族", "Han"),
        (2, "蒙古族", "Mongol"),
        (3, "回族", "Hui"),
        (4, "藏族", "Zang"),
        (5, "维吾尔族", "Uygur"),
        (6, "苗族", "Miao"),
        (7, "彝族", "Yi"),
        (8, "壮族", "Zhuang"),
        (9, "布依族", "Buyei"),
        (10, "朝鲜族", "Chosen"),
        (11, "满族", "Man"),
        (12, "侗族", "Dong"),
        (13, "瑶族", "Yao"),
        (14, "白族", "Bai"),
        (15, "土家族", "Tujia"),
        (16, "哈尼族", "Hani"),
        (17, "哈萨克族", "Kazak"),
        (18, "傣族", "Dai"),
        (19, "黎族", "Li"),
        (20, "傈僳族", "Lisu"),
        (21, "佤族", "Va"),
        (22, "畲族", "She"),
        (23, "高山族", "Gaoshan"),
        (24, "拉祜族", "Lahu"),
        (25, "水族", "Sui"),
        (26, "东乡族", "Dongxiang"),
        (27, "纳西族", "Naxi"),
        (28, "景颇族", "Jingpo"),
        (29, "柯尔克孜族", "Kirgiz"),
        (30, "土族", "Tu"),
        (31, "达斡尔族", "Daur"),
        (32, "仫佬族", "Mulao"),
        (33, "羌族", "Qiang"),
        (34, "布朗族", "Blang"),
        (35, "撒拉族", "Salar"),
        (36, "毛南族", "Maonan"),
        (37, "仡佬族", "Gelao"),
        (38, "锡伯族", "Xibe"),
        (39, "阿昌族", "Achang"),
        (40, "普米族", "Pumi"),
        (41, "塔吉克族", "Tajik"),
        (42, "怒族", "Nu"),
        (43, "乌孜别克族", "Uzbek"),
        (44, "俄罗斯族", "Russ"),
        (45, "鄂温克族", "Ewenki"),
        (46, "德昂族", "Deang"),
        (47, "保安族", "Bonan"),
        (48, "裕固族", "Yugur"),
        (49, "京族", "Gin"),
        (50, "塔塔尔族", "Tatar"),
        (51, "独龙族", "Derung"),
        (52, "鄂伦春族", "Oroqen"),
        (53, "赫哲族", "Hezhen"),
        (54, "门巴族", "Monba"),
        (55, "珞巴族", "Lhoba"),
        (56, "基诺族", "Jino"),
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
        SEXES.labels(self.code()).expect("every sex is in the table")
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
                $table.labels(code).map(|_| Self(code))
            }

            /// The code.
            pub const fn code(self) -> u8 {
                self.0
            }

            /// Labels in Chinese and English.
            pub fn labels(self) -> (&'static str, &'static str) {
                $table.labels(self.0).expect("the code was looked up when it was made")
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
        let codes: Vec<u8> = ETHNIC_GROUPS.entries.iter().map(|(code, ..)| *code).collect();
        assert_eq!(codes, (1..=56).collect::<Vec<_>>());
        for code in 0..=u8::MAX {
            assert_eq!(Sex::from_code(code).is_some(), SEXES.labels(code).is_some(), "{code}");
        }
        assert_eq!(EthnicGroup::from_code(57), None);
        assert_eq!(Sex::Female.labels(), ("女", "female"));
    }
}
