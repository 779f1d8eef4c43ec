//! The rules and what they found, in words for people.

use std::collections::BTreeMap;

use super::{Familiarity, Settings, WarningRule};

impl Settings {
    /// What a rule looks for, with its numbers, in Chinese and in English.
    #[must_use]
    pub fn told(&self, rule: WarningRule) -> [String; 2] {
        match rule {
            WarningRule::TwoPlaces => {
                let minutes = self.two_places.minutes;
                [
                    format!("同一人员在一处操作后，又在另一处操作，{minutes} 分钟内再回到前一处：不可能同时在两处"),
                    format!(
                        "one person acts at one place, at another, and at the first again within {minutes} minutes: nobody is at two places at once"
                    ),
                ]
            }
            WarningRule::NightReading => {
                let it = &self.night_reading;
                let (from, until, residents, nights) =
                    (it.from, it.until, it.residents, it.usual_nights);
                [
                    format!(
                        "{from} 时至次日 {until} 时查阅了 {residents} 名以上（含）居民（紧急访问除外），且近 14 日内夜间工作不足 {nights} 次"
                    ),
                    format!(
                        "between {from}:00 and {until}:00 somebody sees {residents} residents or more, emergency accesses aside, who worked in fewer than {nights} of the last fourteen nights"
                    ),
                ]
            }
            WarningRule::WithoutRelation => {
                let it = &self.without_relation;
                let (residents, minutes) = (it.residents, it.minutes);
                [
                    format!(
                        "{minutes} 分钟内对 {residents} 名以上（含）居民，因无诊疗关系被拒绝，或在未见其卡、码、就诊的情况下查询其登记"
                    ),
                    format!(
                        "within {minutes} minutes somebody is refused the data of {residents} residents or more for want of a tie to them, or looks up their records without card, code or visit"
                    ),
                ]
            }
            WarningRule::UnusualVolume => {
                let it = &self.unusual_volume;
                let (times, residents) = (it.times, it.residents);
                [
                    format!("一日内查阅的居民超过 {residents} 名，且超过本人近 14 日日均的 {times} 倍"),
                    format!(
                        "in one day somebody sees more than {residents} residents, and more than {times} times the mean of their days of the last fourteen"
                    ),
                ]
            }
            WarningRule::FamiliarResident => [
                "查阅本人、同机构同事或同名者，而并非其接诊人员，本人也未持卡到窗口".to_owned(),
                "somebody sees data of themselves, of a colleague or of a namesake, without being named as attending or having had their card at the desk".to_owned(),
            ],
            WarningRule::CardAtTwoDesks => {
                let minutes = self.card_at_two_desks.minutes;
                [
                    format!("同一张卡或电子健康卡在 {minutes} 分钟内先后用于两家机构的窗口"),
                    format!(
                        "one card, or electronic card, is used at desks of two institutions within {minutes} minutes"
                    ),
                ]
            }
            WarningRule::DormantCard => {
                let days = self.dormant_card.days;
                [
                    format!("一张卡或电子健康卡在 {days} 日以上未使用后再次使用"),
                    format!("a card, or electronic card, is used again after {days} days or more"),
                ]
            }
        }
    }
}

/// What was found, in Chinese and in English. What is not on record is left open.
pub(super) fn found(rule: WarningRule, found: &BTreeMap<String, String>) -> [String; 2] {
    let fact = |name| found.get(name).map_or("?", String::as_str);
    match rule {
        WarningRule::TwoPlaces => {
            let (here, there, minutes) = (fact("here"), fact("there"), fact("minutes"));
            [
                format!("{minutes} 分钟内先后在 {here}、{there} 操作，又回到 {here}"),
                format!(
                    "acted from {here}, from {there} and from {here} again within {minutes} minutes"
                ),
            ]
        }
        WarningRule::NightReading => {
            let (residents, nights) = (fact("residents"), fact("nights"));
            [
                format!("夜间查阅了 {residents} 名居民；此前 14 日内夜间工作 {nights} 次"),
                format!(
                    "saw {residents} residents in the night; worked in {nights} of the fourteen nights before"
                ),
            ]
        }
        WarningRule::WithoutRelation => {
            let (refused, looked_up) = (fact("refused"), fact("looked-up"));
            [
                format!(
                    "因无诊疗关系被拒绝的居民 {refused} 名，未见卡、码、就诊而查询的居民 {looked_up} 名"
                ),
                format!(
                    "was refused the data of {refused} residents for want of a tie, and looked up {looked_up} without card, code or visit"
                ),
            ]
        }
        WarningRule::UnusualVolume => {
            let (residents, usual, days) = (fact("residents"), fact("usual"), fact("days"));
            [
                format!(
                    "当日已查阅 {residents} 名居民；近 14 日内有查阅的 {days} 日，日均 {usual} 名"
                ),
                format!(
                    "saw {residents} residents in the day; {usual} on average on {days} days of the last fourteen"
                ),
            ]
        }
        WarningRule::FamiliarResident => match Familiarity::from_word(fact("familiarity")) {
            Some(Familiarity::Themselves) => {
                ["查阅了本人的信息".to_owned(), "saw their own data".to_owned()]
            }
            Some(Familiarity::Colleague) => {
                ["查阅了同机构同事的信息".to_owned(), "saw data of a colleague".to_owned()]
            }
            Some(Familiarity::Namesake) => {
                ["查阅了同名者的信息".to_owned(), "saw data of a namesake".to_owned()]
            }
            None => ["?".to_owned(), "?".to_owned()],
        },
        WarningRule::CardAtTwoDesks => {
            let (minutes, before) = (fact("minutes"), fact("before"));
            [
                format!("{minutes} 分钟前曾在另一机构（{before}）的窗口使用"),
                format!(
                    "was used at a desk of another institution ({before}) {minutes} minutes before"
                ),
            ]
        }
        WarningRule::DormantCard => {
            let days = fact("days");
            [format!("已 {days} 日未使用"), format!("was not used for {days} days")]
        }
    }
}
