//! `healthcard referral`.

use clap::Subcommand;
use proto::v1::{
    EndReferralRequest, ListReferralsRequest, MakeReferralRequest, Referral,
    referrals_client::ReferralsClient,
};

use crate::{
    context::{Context, Outcome},
    page::{Cell, Page, timestamp},
    show::{listed, receipt},
    text::{self, Text},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ReferralCommand {
    /// 将就诊中的居民转往另一机构，其医师即可查看本机构的数据 | Send the resident of a visit to another institution, whose doctors then see this one's data
    Make {
        /// 就诊编号 | Number of the visit
        #[arg(long, value_name = "VISIT")]
        visit: String,
        /// 转入机构 | Institution they are sent to
        #[arg(long, value_name = "INSTITUTION")]
        to: String,
        /// 天数，最多 90；缺省 30 | Days, at most 90; 30 when absent
        #[arg(long, value_name = "DAYS", default_value_t = 0, hide_default_value = true)]
        days: u32,
    },
    /// 提前终止转诊 | End a referral early
    End {
        /// 转诊编号 | Number of the referral
        #[arg(value_name = "REFERRAL")]
        id: String,
    },
    /// 就诊居民转入、转出本机构的转诊 | Referrals of the resident of a visit, to and from this institution
    List {
        /// 就诊编号 | Number of the visit
        #[arg(long, value_name = "VISIT")]
        visit: String,
    },
}

impl ReferralCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let service = &context.service;
        match self {
            Self::Make { visit, to, days } => {
                let request = MakeReferralRequest { visit_id: visit, recipient_id: to, days };
                let made = service
                    .ask(async |channel| ReferralsClient::new(channel).make(request.clone()).await)
                    .await?;
                context.answer("Referral", &made, &shown(text::REFERRAL_MADE, &made))
            }
            Self::End { id } => {
                let request = EndReferralRequest { referral_id: id };
                let ended = service
                    .ask(async |channel| ReferralsClient::new(channel).end(request.clone()).await)
                    .await?;
                context.answer("Referral", &ended, &shown(text::REFERRAL_ENDED, &ended))
            }
            Self::List { visit } => {
                let request = ListReferralsRequest { visit_id: visit };
                let found = service
                    .ask(async |channel| ReferralsClient::new(channel).list(request.clone()).await)
                    .await?;
                let lines = found.referrals.iter().map(|referral| {
                    vec![
                        Cell::from(&referral.institution_id),
                        Cell::from(&referral.recipient_id),
                        Cell::from(timestamp(referral.ends_at.as_ref()).unwrap_or_default()),
                        Cell::from(if referral.stands { text::YES } else { text::NO }),
                        Cell::from(&referral.referral_id),
                    ]
                });
                let headings = [
                    text::REFERRED_FROM,
                    text::REFERRED_TO,
                    text::CONSENT_UNTIL,
                    text::STANDS,
                    text::REFERRAL_ID,
                ];
                let page = listed(text::REFERRALS, &headings, lines.collect(), "");
                context.answer("ListReferralsResponse", &found, &page)
            }
        }
    }
}

fn shown(title: Text, referral: &Referral) -> Page {
    let page = Page::titled(title)
        .row(text::REFERRAL_ID, &referral.referral_id)
        .row(text::RESIDENT_ID, &referral.resident_id)
        .row(text::REFERRED_FROM, &referral.institution_id)
        .row(text::REFERRED_TO, &referral.recipient_id)
        .maybe(text::CONSENT_UNTIL, timestamp(referral.ends_at.as_ref()))
        .row(text::STANDS, if referral.stands { text::YES } else { text::NO });
    receipt(page, referral.receipt.as_ref())
}
