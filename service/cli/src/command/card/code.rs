//! `healthcard card code`: electronic cards and their codes.

use std::path::PathBuf;

use card::code::{Channel, Code, DeskNonce, MedicalStep};
use clap::{Args, Subcommand};
use proto::v1::{
    ApplyElectronicCardRequest, CancelElectronicCardRequest, CodeForm, CreateCodeRequest,
    DeskNonceRequest, RevokeCodeRequest, VerifyCodeRequest, cards_client::CardsClient,
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    clock,
    code_check::{self, Binding, Checked},
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    files::{self, Audience},
    json as render,
    page::{Page, instant, timestamp},
    qr::Picture,
    show,
    text::{self, Text, parser, problems},
};

/// Largest scan, bytes.
const LIMIT: u64 = 4 * 1024;
/// Largest key set, bytes.
const KEYS_LIMIT: u64 = 64 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum CodeCommand {
    /// 为居民申领电子健康卡；已有的返回原卡 | Give a resident an electronic card, or show the one they have
    Apply {
        /// 居民编号 | Number of the resident
        #[arg(long, value_name = "RESIDENT")]
        resident: String,
        /// 原卡已注销时申领新卡 | Give another card after one was cancelled
        #[arg(long)]
        anew: bool,
    },
    /// 生成二维码 | Make a code
    Create(Create),
    /// 显示一个二维码，或存为图片 | Show a code, or save it as a picture
    Show {
        #[command(flatten)]
        code: CodeFile,
        #[command(flatten)]
        picture: PictureFile,
    },
    /// 取得本窗口的随机码，供居民的签名码绑定 | Get a nonce of this desk, for signed codes to be bound to
    Nonce,
    /// 在线核验二维码并用去一次 | Verify a code with the service, and use it
    Verify(Verify),
    /// 离线核对签名码的签名、期限和窗口 | Check a signed code's signature, dates and desk offline
    Check(Check),
    /// 作废二维码，或注销电子健康卡 | End a code before its time, or cancel an electronic card
    #[command(group(clap::ArgGroup::new("what").required(true)))]
    Revoke {
        /// 二维码编号 | Number of the code
        #[arg(value_name = "CODE", group = "what")]
        id: Option<String>,
        /// 注销此电子健康卡，不可恢复 | Cancel this electronic card for good
        #[arg(long, value_name = "CARD", group = "what")]
        electronic_card: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// 居民编号 | Number of the resident
    #[arg(long, value_name = "RESIDENT")]
    resident: String,
    /// 码的种类 | Form of the code
    #[arg(long, value_name = "FORM", default_value = "dynamic", value_parser = parser::<CodeForm>())]
    form: CodeForm,
    /// 可成功核验的次数；0 为一次 | Successful verifications it is good for; 0 gives one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    uses: u32,
    /// 窗口的随机码，十六进制；仅用于签名码 | Nonce of the desk, hexadecimal; signed codes only
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
    /// 平台代码，如 5100A0013；不用于签名码 | Code of the platform, such as 5100A0013; not for signed codes
    #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
    platform: String,
    #[command(flatten)]
    picture: PictureFile,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    code: CodeFile,
    /// 只接受绑定此随机码的签名码，十六进制 | Accept only a signed code bound to this nonce, hexadecimal
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
    /// 诊疗环节：010101 挂号、010102 诊断、010103 取药、010104 检查、010105 收费、010106 开方、010107 手术、000000 其他 | Medical step: 010101 registration, 010102 diagnosis, 010103 dispensing, 010104 examination, 010105 payment, 010106 prescription, 010107 operation, 000000 other
    #[arg(long, value_name = "STEP", default_value = "010101", value_parser = |text: &str| text.parse::<MedicalStep>())]
    step: MedicalStep,
    /// 渠道：01 窗口、02 自助机、99 其他 | Channel: 01 window, 02 self-service, 99 other
    #[arg(long, value_name = "CHANNEL", default_value = "01", value_parser = |text: &str| text.parse::<Channel>())]
    channel: Channel,
    /// 终端：同渠道 | Terminal: as the channel
    #[arg(long, value_name = "TERMINAL", default_value = "01", value_parser = |text: &str| text.parse::<Channel>())]
    terminal: Channel,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    code: CodeFile,
    /// 公钥集文件（JWKS，healthcard token keys） | Key set (JWKS, `healthcard token keys`)
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// 本窗口的随机码，十六进制 | Nonce of this desk, hexadecimal
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CodeFile {
    /// 二维码文本文件；- 为标准输入（扫码枪） | File with the code's text; - is standard input (a scanner)
    #[arg(long = "code", value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PictureFile {
    /// 存为 PNG 图片，仅本人可读 | Save as PNG, readable by its owner only
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl CodeFile {
    /// The code, which is a secret of its holder: never an argument.
    fn read(&self) -> Result<Zeroizing<String>, Failure> {
        let bytes = files::read(&self.file, LIMIT)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| problems::CODE_FOREIGN)?;
        // Scanners end a line, and add nothing else.
        Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl PictureFile {
    /// Saves the code where that was asked for, and otherwise draws it.
    fn put(&self, context: &Context, code: &str) -> Result<(), Failure> {
        let picture = Picture::of(code)?;
        match &self.out {
            Some(file) => files::write(file, &picture.png(), Audience::Owner),
            None => {
                context.screen.draw(&picture);
                Ok(())
            }
        }
    }

    fn row(&self, page: Page) -> Page {
        page.maybe(text::FILE, self.out.as_ref().map(|file| file.display().to_string()))
    }
}

impl CodeCommand {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let service = &context.service;
        match self {
            Self::Apply { resident, anew } => {
                let request = ApplyElectronicCardRequest { resident_id: resident, anew };
                let card = service
                    .ask(async |channel| {
                        CardsClient::new(channel).apply_electronic_card(request.clone()).await
                    })
                    .await?;
                let page = show::electronic_card(text::ELECTRONIC_CARD, &card);
                context.answer("ElectronicCard", &card, &page)
            }
            Self::Create(order) => create(context, order).await,
            Self::Show { code, picture } => {
                let code = code.read()?;
                let form = form_of(&code)?;
                let page = picture.row(Page::titled(text::CODE_SHOWN).row(text::CODE_FORM, form.1));
                context.screen.show(&json!({ "form": form.0 }), &page);
                picture.put(context, &code)?;
                Ok(Exit::Done)
            }
            Self::Nonce => {
                let given = service
                    .ask(async |channel| {
                        CardsClient::new(channel).show_desk_nonce(DeskNonceRequest {}).await
                    })
                    .await?;
                let page = Page::titled(text::DESK_NONCE_GIVEN)
                    .row(text::DESK_NONCE, hex::encode_upper(&given.nonce))
                    .maybe(text::EXPIRES_AT, timestamp(given.expires_at.as_ref()));
                context.answer("DeskNonce", &given, &page)
            }
            Self::Verify(order) => verify(context, order).await,
            Self::Check(order) => check(context, &order),
            Self::Revoke { id: Some(id), .. } => {
                let request = RevokeCodeRequest { code_id: id };
                let ended = service
                    .ask(async |channel| {
                        CardsClient::new(channel).revoke_code(request.clone()).await
                    })
                    .await?;
                let id = (text::CODE_ID, request.code_id.as_str());
                let receipt = ended.receipt.as_ref();
                context.made(("RevokeCodeResponse", &ended), text::CODE_REVOKED, id, receipt)
            }
            Self::Revoke { id: None, electronic_card } => {
                let card = electronic_card.unwrap_or_default();
                let request = CancelElectronicCardRequest { electronic_card_id: card };
                let card = service
                    .ask(async |channel| {
                        CardsClient::new(channel).cancel_electronic_card(request.clone()).await
                    })
                    .await?;
                let page = show::electronic_card(text::ELECTRONIC_CARD_CANCELLED, &card);
                context.answer("ElectronicCard", &card, &page)
            }
        }
    }
}

async fn create(context: &Context, order: Create) -> Outcome {
    let request = CreateCodeRequest {
        resident_id: order.resident,
        form: order.form.into(),
        uses: order.uses,
        desk_nonce: octets(order.nonce.as_deref())?,
        platform_code: order.platform,
    };
    let mut made = context
        .service
        .ask(async |channel| CardsClient::new(channel).create_code(request.clone()).await)
        .await?;
    let page = order.picture.row(show::created_code(&made));
    let json = render::of("CreatedCode", &made);
    let code = Zeroizing::new(std::mem::take(&mut made.code));
    // A picture that cannot be saved is told before the code is; it can be made again.
    if order.picture.out.is_some() {
        order.picture.put(context, &code)?;
        context.screen.show(&json, &page);
    } else {
        context.screen.show(&json, &page);
        order.picture.put(context, &code)?;
    }
    Ok(Exit::Done)
}

async fn verify(context: &Context, order: Verify) -> Outcome {
    let request = VerifyCodeRequest {
        code: order.code.read()?.to_string(),
        desk_nonce: octets(order.nonce.as_deref())?,
        medical_step: order.step.to_string(),
        channel: order.channel.to_string(),
        terminal: order.terminal.to_string(),
    };
    let found = context
        .service
        .ask(async |channel| CardsClient::new(channel).verify_code(request.clone()).await)
        .await?;
    let label = |(zh, en)| Text::new(zh, en);
    let page = show::verified_code(&found)
        .row(text::MEDICAL_STEP, label(order.step.labels()))
        .row(text::CHANNEL, label(order.channel.labels()))
        .row(text::TERMINAL, label(order.terminal.labels()));
    context.answer("VerifiedCode", &found, &page)
}

/// What can be said of a code without the service, and what cannot.
fn check(context: &Context, order: &Check) -> Outcome {
    let code = order.code.read()?;
    let jwks = files::read(&order.keys, KEYS_LIMIT)?;
    let jwks = std::str::from_utf8(&jwks).map_err(|_| problems::TOKEN_KEYS_MALFORMED)?;
    let nonce = order.nonce.as_deref().map(desk_nonce).transpose()?;
    let found = code_check::check(&code, jwks, nonce.as_ref(), clock::now())?;
    let Checked { key_id, number, ends, binding } = found;
    let (desk, done, exit) = match binding {
        Binding::This => ("this", text::CODE_FOR_THIS_DESK, Exit::Done),
        Binding::Any => ("any", text::CODE_FOR_ANY_DESK, Exit::Done),
        Binding::Undecided => ("unknown", text::CODE_FOR_SOME_DESK, Exit::Unverifiable),
    };
    let page = Page::titled(text::CODE_GENUINE)
        .row(text::CODE_ID, &number)
        .row(text::EXPIRES_AT, instant(ends))
        .row(text::KEY_ID, &key_id)
        .row(text::CODE_DESK, done)
        .row(text::CODE_CHECKED, text::CODE_CHECKED_WHAT)
        .row(text::CODE_UNCHECKED, text::CODE_UNCHECKED_WHAT);
    let json = json!({
        "genuine": true, "code_id": number, "kid": key_id, "desk": desk,
        "expires_at": render::instant(ends),
        "not_checked": ["uses_left", "revoked", "electronic_card"],
    });
    context.screen.show(&json, &page);
    Ok(exit)
}

/// The form of a code: for programs, and for people.
fn form_of(code: &str) -> Result<(&'static str, Text), Failure> {
    Ok(match code_check::read(code)? {
        Code::Static { .. } => ("CODE_FORM_STATIC", text::CODE_STATIC),
        Code::Dynamic { .. } => ("CODE_FORM_DYNAMIC", text::CODE_DYNAMIC),
        Code::Signed(_) => ("CODE_FORM_SIGNED", text::CODE_SIGNED),
    })
}

fn desk_nonce(text: &str) -> Result<DeskNonce, Failure> {
    let octets = octets(Some(text))?;
    let nonce = octets.try_into().ok().and_then(DeskNonce::new);
    nonce.ok_or_else(|| Failure::of(problems::INPUT_MALFORMED).about("--nonce"))
}

/// The octets of a nonce as typed; none when it was not given.
fn octets(nonce: Option<&str>) -> Result<Vec<u8>, Failure> {
    let octets = hex::decode(nonce.unwrap_or_default());
    octets.map_err(|_| Failure::of(problems::INPUT_MALFORMED).about("--nonce"))
}
