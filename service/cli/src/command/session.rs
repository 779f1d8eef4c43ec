//! `healthcard session`: logging in and out by hand. Other commands do it by themselves.

use clap::Subcommand;
use proto::v1::{CloseSessionResponse, OpenSessionResponse};
use serde_json::{Value, json};

use crate::{
    clock,
    context::{Context, Outcome},
    exit::Exit,
    json,
    page::{Page, instant},
    show,
    text::{self, word_of},
};

#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// 登录，并保存会话 | Log in and save the session
    Open,
    /// 退出登录 | Log out
    Close,
    /// 显示已保存的会话 | Show the saved session
    Show,
}

impl SessionCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Open => {
                let (_, opened) = context.service.log_in().await?;
                context
                    .screen
                    .show(&without_secret(&opened), &show::session(text::SESSION_OPENED, &opened));
                Ok(Exit::Done)
            }
            Self::Close => {
                let receipt = context.service.log_out().await?;
                let page = show::receipt(Page::titled(text::SESSION_CLOSED), receipt.as_ref());
                context.answer("CloseSessionResponse", &CloseSessionResponse { receipt }, &page)
            }
            Self::Show => Ok(held(context)),
        }
    }
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
    let Some(session) = context.service.home().session() else {
        context.screen.show(&json!({ "session": null }), &Page::titled(text::SESSION_NONE));
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
