//! `healthcard status`.

use proto::v1::{StatusRequest, admin_client::AdminClient};

use crate::{
    context::{Context, Outcome},
    show,
};

pub(crate) async fn run(context: &Context) -> Outcome {
    let status = context
        .service
        .ask(async |channel| AdminClient::new(channel).status(StatusRequest {}).await)
        .await?;
    context.answer("StatusResponse", &status, &show::status(&status))
}
