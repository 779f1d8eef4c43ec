//! `healthcard session`: logging in and out by hand. Other commands do it by themselves.

use std::time::Duration;

use clap::{Args, Subcommand};
use proto::v1::{
    CloseSessionResponse, EndSessionRequest, ListSessionsRequest, ListSessionsResponse,
    OpenSessionResponse, UnlockLoginsRequest, sessions_client::SessionsClient,
};
use serde_json::{Value, json};

use crate::{
    clock,
    context::{Context, Outcome},
    desk::{self, HoldOptions},
    exit::Exit,
    json,
    page::{Cell, Page, instant, timestamp},
    service::Left,
    show,
    text::{self, word_of},
};

#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// 登录，并保存会话 | Log in and save the session
    Open,
    /// 登录并保持会话：取卡、锁屏或离开工作站时结束，其令牌随即失效 | Log in and hold the session until the card is out, the desk locked or left; its tokens end with it
    Hold(Hold),
    /// 离开工作站：本机立即不再使用会话，并在服务端结束（供锁屏程序调用） | Leave the desk: the session is used here no more, and ended at the service (for a screen locker)
    Lock,
    /// 退出登录 | Log out
    Close,
    /// 显示已保存的会话 | Show the saved session
    Show,
    /// 列出本人在各处的会话 | List your sessions, wherever they were opened
    List,
    /// 结束本人在别处的会话，其令牌随即失效 | End a session of yours elsewhere; the tokens it asked for end with it
    End {
        /// 会话编号 | Number of the session
        #[arg(value_name = "SESSION")]
        id: String,
    },
    /// 解除证书因多次登录失败而受的锁定（管理员） | Let a certificate log in again where it was locked after failed logins (operators)
    Unlock {
        /// 证书序列号，见日志中的告警 | Serial number of the certificate, as in the alert in the log
        #[arg(value_name = "SERIAL")]
        serial: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Hold {
    /// 卡在名称含此文字的读卡器中才登录，取卡即结束；任何卡均可，不识别持卡人 | Only while there is a card in a reader whose name contains this. Any card will do: it says nothing of who it is
    #[arg(long, value_name = "TEXT")]
    reader: Option<String>,
    /// 等待放卡的秒数 | Seconds to wait for the card
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "reader")]
    timeout: u16,
    /// 本程序或网络中断后，服务保留会话的秒数 | Seconds that the service keeps the session when it hears nothing of this program
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(5..=300))]
    lease: u16,
    /// 此秒数内没有命令使用会话即结束 | End it when no command used it for so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(10..=86400))]
    idle: Option<u32>,
}

impl Hold {
    fn options(self) -> HoldOptions {
        let seconds = |count: u32| Duration::from_secs(count.into());
        HoldOptions {
            reader: self.reader,
            patience: seconds(self.timeout.into()),
            lease: seconds(self.lease.into()),
            idle: self.idle.map(seconds),
        }
    }
}

impl SessionCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Open => {
                let opened = context.service.log_in().await?;
                context
                    .screen
                    .show(&without_secret(&opened), &show::session(text::SESSION_OPENED, &opened));
                Ok(Exit::Done)
            }
            Self::Hold(order) => desk::hold(context, order.options()).await,
            Self::Lock => {
                let (title, receipt) = match context.service.lock().await? {
                    Left::Session(receipt) => (text::DESK_LOCKED, receipt),
                    Left::Nothing => (text::DESK_HAD_NO_SESSION, None),
                };
                let page = show::receipt(Page::titled(title), receipt.as_ref());
                context.answer("CloseSessionResponse", &CloseSessionResponse { receipt }, &page)
            }
            Self::Close => {
                let receipt = context.service.log_out().await?;
                let page = show::receipt(Page::titled(text::SESSION_CLOSED), receipt.as_ref());
                context.answer("CloseSessionResponse", &CloseSessionResponse { receipt }, &page)
            }
            Self::Show => Ok(held(context)),
            Self::List => {
                let found = context
                    .service
                    .ask(async |channel| {
                        SessionsClient::new(channel).list(ListSessionsRequest {}).await
                    })
                    .await?;
                context.answer("ListSessionsResponse", &found, &list(&found))
            }
            Self::End { id } => {
                let request = EndSessionRequest { session_id: id };
                let ended = context
                    .service
                    .ask(async |channel| SessionsClient::new(channel).end(request.clone()).await)
                    .await?;
                let page = show::receipt(Page::titled(text::SESSION_ENDED), ended.receipt.as_ref());
                context.answer("CloseSessionResponse", &ended, &page)
            }
            Self::Unlock { serial } => {
                let request = UnlockLoginsRequest { certificate_serial: serial };
                let unlocked = context
                    .service
                    .ask(async |channel| SessionsClient::new(channel).unlock(request.clone()).await)
                    .await?;
                let page = Page::titled(text::LOGINS_UNLOCKED)
                    .row(text::ADDRESSES_UNLOCKED, unlocked.addresses.to_string());
                let page = show::receipt(page, unlocked.receipt.as_ref());
                context.answer("UnlockLoginsResponse", &unlocked, &page)
            }
        }
    }
}

fn list(found: &ListSessionsResponse) -> Page {
    let at = |at: &Option<prost_types::Timestamp>| timestamp(at.as_ref()).unwrap_or_default();
    let lines = found.sessions.iter().map(|session| {
        vec![
            Cell::from(if session.this_one { text::YES } else { text::NO }),
            Cell::from(at(&session.opened_at)),
            Cell::from(at(&session.expires_at)),
            Cell::from(at(&session.leased_until)),
            Cell::from(&session.address),
            Cell::from(&session.session_id),
        ]
    });
    let headings = [
        text::SESSION_THIS,
        text::SESSION_OPENED_AT,
        text::EXPIRES_AT,
        text::LEASED_UNTIL,
        text::SESSION_ADDRESS,
        text::SESSION_ID,
    ];
    show::listed(text::SESSIONS, &headings, lines.collect(), "")
}

/// The token is in the session file and nowhere else.
fn without_secret(opened: &OpenSessionResponse) -> Value {
    let mut json = json::of("OpenSessionResponse", opened);
    if let Value::Object(fields) = &mut json {
        fields.remove("token");
    }
    json
}

fn held(context: &Context) -> Exit {
    let home = context.service.home();
    let Some(session) = home.session() else {
        let none = if home.is_held() { text::SESSION_NOT_HELD } else { text::SESSION_NONE };
        context.screen.show(&json!({ "session": null }), &Page::titled(none));
        return Exit::Done;
    };
    let json = json!({ "session": {
        "server": session.server,
        "identity_id": session.identity_id,
        "certificate_serial": session.certificate,
        "role": proto::v1::Role::try_from(session.role).ok().map(|role| role.as_str_name()),
        "institution_id": session.institution_id,
        "expires_at": json::instant(session.expires_at),
        "expired": session.expires_at <= clock::now(),
    }});
    let page = Page::titled(text::SESSION_HELD)
        .row(text::SERVER, &session.server)
        .row(text::IDENTITY_ID, &session.identity_id)
        .maybe(text::ROLE, word_of::<proto::v1::Role>(session.role))
        .row(text::INSTITUTION_ID, &session.institution_id)
        .row(text::EXPIRES_AT, instant(session.expires_at));
    context.screen.show(&json, &page);
    Exit::Done
}
