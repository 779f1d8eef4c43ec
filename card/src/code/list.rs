//! What a code was shown for and where: lists that the platforms share (health-card.md 7.3).

use std::{fmt, str::FromStr};

/// The text is on no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a code of the list")]
pub struct UnknownListCode;

macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident { $($(#[$entry_doc:meta])* $entry:ident = $code:literal $zh:literal $en:literal,)+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum $name {
                $($(#[$entry_doc])* $entry,)+
            }

            impl $name {
                /// The whole list, in its order.
                pub const ALL: &[Self] = &[$(Self::$entry,)+];

                /// The code as it travels.
                #[must_use]
                pub fn code(self) -> &'static str {
                    match self { $(Self::$entry => $code,)+ }
                }

                /// What it means: 中文, English.
                #[must_use]
                pub fn labels(self) -> (&'static str, &'static str) {
                    match self { $(Self::$entry => ($zh, $en),)+ }
                }
            }

            impl FromStr for $name {
                type Err = UnknownListCode;

                fn from_str(text: &str) -> Result<Self, UnknownListCode> {
                    match text { $($code => Ok(Self::$entry),)+ _ => Err(UnknownListCode) }
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(self.code())
                }
            }
        )+
    };
}

lists! {
    /// Step of a treatment (诊疗环节, medstepcode).
    MedicalStep {
        /// 挂号
        Registration = "010101" "挂号" "registration",
        /// 诊断
        Diagnosis = "010102" "诊断" "diagnosis",
        /// 取药
        Dispensing = "010103" "取药" "dispensing",
        /// 检查
        Examination = "010104" "检查" "examination",
        /// 收费
        Payment = "010105" "收费" "payment",
        /// 开方
        Prescription = "010106" "开方" "prescription",
        /// 手术
        Operation = "010107" "手术" "operation",
        /// 其他
        Other = "000000" "其他" "other",
    }

    /// Where a code is read (渠道、终端, channelcode and terminalcode).
    Channel {
        /// 窗口
        Window = "01" "窗口" "window",
        /// 自助机
        SelfService = "02" "自助机" "self-service",
        /// 其他
        Other = "99" "其他" "other",
    }
}
