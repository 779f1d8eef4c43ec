//! All that the log has about a resident who is here.

use std::path::PathBuf;

use clap::Args;
use proto::v1::{ResidentHistoryRequest, residents_client::ResidentsClient};

use crate::{
    command::audit::{Key, judged},
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files::{self, Audience, NewFile},
    history,
    qr::Picture,
    text::problems,
};

/// Largest file, bytes: as many entries as a history has, and more than most of them have.
const LIMIT: u64 = 256 * 1024 * 1024;
/// Most people in it.
const MOST_ACTORS: usize = 100_000;

#[derive(Debug, Args)]
pub(crate) struct History {
    /// 居民编号 | Number of the resident
    #[arg(value_name = "RESIDENT")]
    resident: String,
    /// 居民或其监护人读卡得到的到场凭据 | Presence from the reading of the card of the resident, or of their guardian
    #[arg(long, value_name = "PRESENCE")]
    presence: String,
    /// 保存证明文件 | File for the history and its proof
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// 另存为可打印的网页（A4，含二维码） | Save as a page to be printed (A4, with a QR code) as well
    #[arg(long = "page", value_name = "FILE")]
    page: Option<PathBuf>,
    /// 居民取得证明文件的地址，印入二维码 | Where the resident gets the file, for the QR code
    #[arg(long, value_name = "URL", requires = "page")]
    link: Option<String>,
    #[command(flatten)]
    key: Key,
}

impl History {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let key = self.key.resolve(context).await?;
        if let Some(link) = &self.link {
            // Before anything is asked for: what does not fit the code cannot be printed.
            Picture::of(&history::code(link, &hex::encode([0; 32])))?;
        }
        let mut file = NewFile::create(&self.out, Audience::Owner)?;
        let request = ResidentHistoryRequest {
            resident_id: self.resident.clone(),
            presence_id: self.presence.clone(),
        };
        let mut stream = context
            .service
            .ask(async |channel| ResidentsClient::new(channel).history(request.clone()).await)
            .await?;
        let (mut actors, mut bytes) = (Vec::new(), 0);
        while let Some(piece) = stream.message().await.map_err(Failure::from)? {
            actors.extend(piece.actors);
            bytes += piece.chunk.len() as u64;
            if bytes > LIMIT || actors.len() > MOST_ACTORS {
                return Err(problems::SERVICE_ANSWER_MALFORMED.into());
            }
            file.append(&piece.chunk)?;
        }
        file.finish()?;
        let exit = judged(context, &self.out, &key)?;
        if exit != Exit::Done {
            return Ok(exit);
        }
        let digest = files::sm3(&self.out, LIMIT)?;
        let history = history::History::read(&self.out, digest, actors)?;
        if !history.answers(&self.resident, &self.presence) {
            return Err(problems::SERVICE_ANSWER_MALFORMED.into());
        }
        if let Some(page) = &self.page {
            let paper = history.paper(self.link.as_deref(), context.screen.lang)?;
            files::write(page, paper.as_bytes(), Audience::Owner)?;
        }
        context.screen.show(&history.json(&self.out), &history.shown(&self.out));
        Ok(Exit::Done)
    }
}
