//! `healthcardd keys`: lists the keys, and changes their versions. The service does not run meanwhile.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use hsm::{
    KeyDescription, KeyRef,
    key::Label,
    soft::{KeystoreError, Passphrase, SoftKeystore},
};
use service::{
    config::Config,
    devices::{Devices, Placed},
    key_change::{self, KeyChangeError, KeyOrder, RevokedAuthority, SucceededAuthority},
    key_list::{self, KeyLine, state_text},
    start::StartError,
    store::StoreError,
};

use super::{Failure, Place, Stretching, ask_twice, runtime};

#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Subcommand)]
enum KeysCommand {
    /// 列出密钥：用途、版本、状态、校验值或指纹 · List the keys: use, version, state, check value or thumbprint.
    List(Common),
    /// 预先产生下一版本，公布其公钥，暂不签名 · Make the next version ahead: its public key is published, it does not sign yet.
    Prepare(One),
    /// 启用下一版本；旧版本只验证、解密 · Take the next version into use; the one before verifies and opens, and never signs.
    Rotate {
        #[command(flatten)]
        one: One,
        /// 令牌密钥：不等新公钥公布满 5 分钟，验证方可能暂不认识新密钥 · Of the key of tokens: do not wait until the next public key was published for 5 minutes; verifiers may not know it yet.
        #[arg(long)]
        at_once: bool,
    },
    /// 更换根密钥：新旧密钥互签链接证书，机构证书重新签发，人员证书不变 · Give the root another key: the old and the new one certify each other, authorities are certified anew, nobody else needs a certificate.
    SucceedRoot(Common),
    /// 更换签发机构的密钥：由根签发下一代，此后一律由其签发；前一代只签吊销列表，已签发的证书不变 · Give an issuing authority another key: the root certifies the next generation, which issues from then on; the one before signs its lists, and what it issued stays good.
    SucceedAuthority {
        #[command(flatten)]
        common: Common,
        /// 要被接替的一代，如 ca-people；再次更换时为 ca-people-g2 · The generation that is to be succeeded, as in ca-people; the next time it is ca-people-g2.
        name: String,
    },
    /// 吊销已被接替且私钥可能泄露的一代签发机构，其签发的全部证书随之吊销 · Revoke an authority's key that was succeeded and may be in other hands: the root's list has it, and all that it certified is revoked.
    RevokeAuthority {
        #[command(flatten)]
        common: Common,
        /// 要吊销的一代，如 ca-people · The generation that is to be revoked, as in ca-people.
        name: String,
    },
    /// 停用服务不再需要的密钥 · Retire a key that the service does not need.
    Retire(Version),
    /// 销毁一个已停用的版本，不可恢复 · Destroy a version that is retired, for ever.
    Destroy {
        #[command(flatten)]
        version: Version,
        /// 令牌密钥：即使它签过的授权确认回执仍有效也销毁，这些回执须重新取得 · Of the key of tokens: though receipts of consents that it signed go on, which then have to be fetched anew.
        #[arg(long)]
        receipts_too: bool,
    },
    /// 声明一个版本已泄露：不再签名，其签名不再可信 · Declare a version compromised: it signs no more, and what it signed is not believed.
    Compromise(Version),
    /// 把打开密钥库的秘密分成分量，由多名保管人共同打开 · Share what opens the keystore among custodians, who open it together.
    Share(Sharing),
    /// 更换密钥库口令，原有密钥分量全部失效 · Give the keystore another passphrase; all shares become void.
    Passphrase(PassphraseChange),
    /// 为现有全部密钥举行仪式，留下由根密钥签名的记录 · Hold a ceremony over all keys as they are: a transcript signed by the root.
    Ceremony {
        #[command(flatten)]
        common: Common,
        /// 在场者的角色，可多次 · Role of a participant; may be repeated.
        #[arg(long = "participant", value_name = "ROLE", required = true)]
        participants: Vec<Label>,
        /// 保存记录的新文件 · New file to keep the transcript in.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// 设置密钥的标签 · Set what a key is called.
    Label {
        #[command(flatten)]
        one: One,
        /// 标签，至多 60 字 · The label, up to 60 characters.
        label: Label,
    },
}

#[derive(Args)]
struct Common {
    #[command(flatten)]
    place: Place,
    /// 每个版本输出一个 JSON 对象 · One JSON object a version.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Sharing {
    #[command(flatten)]
    common: Common,
    /// 打开所需的分量数 · Shares that are needed to open.
    #[arg(long)]
    threshold: u8,
    /// 分量总数，至多 16 · Shares that are made, up to 16.
    #[arg(long = "shares", value_name = "NUMBER")]
    count: u8,
    /// 存放分量文件的新目录 · New directory for the files, one for each custodian.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Args)]
struct PassphraseChange {
    #[command(flatten)]
    common: Common,
    /// 新口令文件，只能由本人读取；省略时在终端输入 · File with the new passphrase, readable by its owner only; asked for at the terminal when absent.
    #[arg(long = "new-passphrase-file", value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    stretching: Stretching,
}

#[derive(Args)]
struct One {
    #[command(flatten)]
    common: Common,
    /// 密钥，如 soft:token · The key, as in soft:token.
    key: KeyRef,
}

#[derive(Args)]
struct Version {
    #[command(flatten)]
    one: One,
    /// 版本 · The version.
    #[arg(long)]
    version: u32,
}

impl Keys {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            KeysCommand::List(common) => {
                let config = Config::load(&common.place.data)?;
                let keystore =
                    SoftKeystore::open(&config.keystore, common.place.opening()?.unseal())?;
                let placed = Placed::new(keystore, Devices::new(config.devices));
                show(&key_list::list(&placed), common.json)
            }
            KeysCommand::Prepare(one) => change(&one, KeyOrder::Prepare),
            KeysCommand::Rotate { one, at_once: false } => change(&one, KeyOrder::Rotate),
            KeysCommand::Rotate { one, at_once: true } => change(&one, KeyOrder::RotateAtOnce),
            KeysCommand::SucceedRoot(common) => succeed_root(&common),
            KeysCommand::SucceedAuthority { common, name } => succeed_authority(&common, &name),
            KeysCommand::RevokeAuthority { common, name } => revoke_authority(&common, &name),
            KeysCommand::Retire(Version { one, version }) => {
                change(&one, KeyOrder::Retire(version))
            }
            KeysCommand::Destroy { version: Version { one, version }, receipts_too } => {
                let order = match receipts_too {
                    true => KeyOrder::DestroyReceiptsToo(version),
                    false => KeyOrder::Destroy(version),
                };
                change(&one, order)
            }
            KeysCommand::Compromise(Version { one, version }) => {
                change(&one, KeyOrder::Compromise(version))
            }
            KeysCommand::Share(sharing) => share(&sharing),
            KeysCommand::Passphrase(order) => change_passphrase(&order),
            KeysCommand::Ceremony { common, participants, out } => {
                ceremony(&common, &participants, &out)
            }
            KeysCommand::Label { one, label } => set_label(&one, label),
        }
    }
}

fn change(one: &One, order: KeyOrder) -> Result<(), Failure> {
    let place = &one.common.place;
    let opening = place.opening()?;
    let versions = runtime()?
        .block_on(key_change::change(&place.data, opening.unseal(), &one.key, order))
        .map_err(explained)?;
    show(&lines(versions), one.common.json)?;
    if !one.common.json {
        println!(
            "请重新备份密钥库，然后启动服务 · back the keystore up again, then start the service"
        );
    }
    Ok(())
}

fn succeed_root(Common { place, json }: &Common) -> Result<(), Failure> {
    let opening = place.opening()?;
    let succeeded = runtime()?
        .block_on(key_change::succeed_root(&place.data, opening.unseal()))
        .map_err(explained)?;
    let thumbprint = |certificate: &ca::Certificate| hex::encode(certificate.thumbprint());
    let (root, before) = (thumbprint(&succeeded.root), thumbprint(&succeeded.before));
    let until = service::clock::rfc3339(succeeded.root.not_after());
    if *json {
        let said = serde_json::json!({
            "succeeded": succeeded.now, "root": root, "before": before, "valid_until": until,
        });
        println!("{said}");
        return Ok(());
    }
    println!(
        "{}；指纹按 SM3 计算 · thumbprints are by SM3\n\
         原根证书 · root before  {before}\n\
         新根证书 · new root     {root}\n\
         有效期至 · valid until  {until}\n\
         请一并重新备份密钥库和数据库，启动服务，并把新的 root.pem 交给信任原根的各方：\n\
         \x20 healthcard authority export --known 原根.pem --out DIR 核对新根由原根签名\n\
         back keystore and database up together, start the service, and give the new root.pem to all who trust the one before: \
         `healthcard authority export --known OLD.pem --out DIR` checks that the old root vouches for the new one",
        match succeeded.now {
            true => "根密钥已更换 · the root has another key",
            false => {
                "此前已更换，root.pem 现已更新；如需再次更换请再执行一次 · \
                 it had another key already, and root.pem has its certificate now; run this once more to give it the next key"
            }
        }
    );
    Ok(())
}

fn succeed_authority(Common { place, json }: &Common, name: &str) -> Result<(), Failure> {
    let opening = place.opening()?;
    let SucceededAuthority { now, next, certificate, before, certificate_before } = runtime()?
        .block_on(key_change::succeed_authority(&place.data, opening.unseal(), name))
        .map_err(explained)?;
    let thumbprint = |certificate: &ca::Certificate| hex::encode(certificate.thumbprint());
    let until = |certificate: &ca::Certificate| service::clock::rfc3339(certificate.not_after());
    if *json {
        let said = serde_json::json!({
            "succeeded": now,
            "authority": next.to_string(),
            "thumbprint": thumbprint(&certificate),
            "valid_until": until(&certificate),
            "before": before.to_string(),
            "before_valid_until": until(&certificate_before),
        });
        println!("{said}");
        return Ok(());
    }
    println!(
        "{}；指纹按 SM3 计算 · thumbprints are by SM3\n\
         新一代 · generation     {next}  {}\n\
         有效期至 · valid until  {}\n\
         前一代 · before         {before}，不再签发证书，继续签发吊销列表和状态应答至 · issues no more certificates, and tells how they stand until {}\n\
         请一并重新备份密钥库和数据库，然后启动服务；已签发的证书照常使用 · \
         back keystore and database up together, then start the service; certificates that were issued stay good",
        match now {
            true => "签发机构密钥已更换 · the authority has another key".to_owned(),
            false => format!(
                "{before} 此前已被 {next} 接替；如需再次更换，请指名 {next} · \
                 {before} was succeeded by {next} before; name {next} to give the authority the key after that"
            ),
        },
        thumbprint(&certificate),
        until(&certificate),
        until(&certificate_before),
    );
    Ok(())
}

fn revoke_authority(Common { place, json }: &Common, name: &str) -> Result<(), Failure> {
    let opening = place.opening()?;
    let RevokedAuthority { now, generation, at } = runtime()?
        .block_on(key_change::revoke_authority(&place.data, opening.unseal(), name))
        .map_err(explained)?;
    let (generation, at) = (generation.to_string(), service::clock::rfc3339(at));
    if *json {
        let said = serde_json::json!({ "revoked": now, "authority": generation, "at": at });
        println!("{said}");
        return Ok(());
    }
    println!(
        "{}：{generation}，{at}\n\
         其签发的全部证书已吊销，持有人须用新密钥重新登记；管理员不足两名时用 healthcardd operator · \
         whatever it certified is revoked, and holders enrol anew with new keys; where fewer than two operators are left: `healthcardd operator`",
        match now {
            true => "已由根吊销 · revoked by the root",
            false => "此前已吊销 · revoked before",
        }
    );
    Ok(())
}

/// Writes each share into a file of its own, in a directory that must not be there yet.
fn share(Sharing { common, threshold, count, out }: &Sharing) -> Result<(), Failure> {
    let place = &common.place;
    let opening = place.opening()?;
    DirBuilder::new().mode(0o700).create(out)?;
    let shares = runtime()?
        .block_on(key_change::share(&place.data, opening.unseal(), *threshold, *count))
        .map_err(|error| {
            // It was made for nothing; an empty directory is all that is removed.
            let _ = fs::remove_dir(out);
            explained(error)
        })?;
    for share in shares {
        let path = out.join(format!("share-{}.txt", share.index()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(share.to_text().as_bytes())?;
        file.sync_all()?;
        let path = path.display().to_string();
        match common.json {
            true => println!("{}", serde_json::json!({ "index": share.index(), "file": path })),
            false => println!("{path}"),
        }
    }
    fs::File::open(out)?.sync_all()?;
    if !common.json {
        println!(
            "请把各文件分别交给保管人，然后从本机删除；更换口令后须重新分割\n\
             give each file to its custodian, then remove it here; a new passphrase needs new shares"
        );
    }
    Ok(())
}

fn ceremony(common: &Common, participants: &[Label], out: &Path) -> Result<(), Failure> {
    let place = &common.place;
    let opening = place.opening()?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(out)?;
    let transcript = runtime()?
        .block_on(key_change::hold_ceremony(&place.data, opening.unseal(), participants))
        .map_err(|error| {
            // It is empty.
            let _ = fs::remove_file(out);
            explained(error)
        })?;
    file.write_all(transcript.as_bytes())?;
    file.sync_all()?;
    match common.json {
        true => println!("{}", serde_json::json!({ "file": out.display().to_string() })),
        false => println!(
            "核对：healthcard ceremony verify --root root.pem {0}\n\
             to check it: healthcard ceremony verify --root root.pem {0}",
            out.display()
        ),
    }
    Ok(())
}

fn change_passphrase(
    PassphraseChange { common, file, stretching }: &PassphraseChange,
) -> Result<(), Failure> {
    let place = &common.place;
    let opening = place.opening()?;
    let iterations = stretching.iterations;
    let passphrase = match file {
        Some(file) => Passphrase::from_file(file)?,
        None => ask_twice()?,
    };
    runtime()?
        .block_on(key_change::change_passphrase(
            &place.data,
            opening.unseal(),
            &passphrase,
            iterations,
        ))
        .map_err(explained)?;
    match common.json {
        true => println!("{}", serde_json::json!({ "iterations": iterations.to_string() })),
        false => println!(
            "口令已更换，原有密钥分量全部失效；原备份仍可用原口令或分量打开，请重新备份并销毁原备份\n\
             the passphrase was changed, and all shares are void; copies from before still open as they did: \
             make a new one and destroy those"
        ),
    }
    Ok(())
}

fn set_label(one: &One, label: Label) -> Result<(), Failure> {
    let place = &one.common.place;
    let opening = place.opening()?;
    let versions = runtime()?
        .block_on(key_change::relabel(&place.data, opening.unseal(), &one.key, label))
        .map_err(explained)?;
    show(&lines(versions), one.common.json)
}

fn lines(versions: Vec<KeyDescription>) -> Vec<KeyLine> {
    versions.into_iter().map(KeyLine::from).collect()
}

fn show(lines: &[KeyLine], json: bool) -> Result<(), Failure> {
    if json {
        for line in lines {
            println!("{}", serde_json::to_string(line)?);
        }
        return Ok(());
    }
    println!(
        "{:<28} {:<18} {:>4}  状态 · state           校验值或指纹 · check value or thumbprint",
        "密钥 · key", "用途 · use", "版本"
    );
    for line in lines {
        let KeyLine { key, key_use, version, state, label, .. } = line;
        let state = state_text(state);
        // Characters of Chinese take two columns.
        let width = 22 - state.chars().filter(|c| !c.is_ascii() && *c != '·').count();
        let compared_by = line.compared_by();
        println!("{key:<30} {key_use:<20} {version:>4}  {state:<width$} {compared_by}  {label}");
    }
    Ok(())
}

/// The failure with what to do about it, where that is known.
fn explained(error: KeyChangeError) -> Failure {
    let advice = match &error {
        KeyChangeError::Service(start) => match &**start {
            StartError::Store(StoreError::InUse) => {
                "服务正在运行，请先停止 · the service is running: stop it first"
            }
            _ => "请用 healthcardd check 检查服务 · look at the service with `healthcardd check`",
        },
        KeyChangeError::Keystore(KeystoreError::Fixed { .. }) => {
            "该密钥只有一个版本 · the key has one version only"
        }
        KeyChangeError::Keystore(KeystoreError::NoSuchTransition { .. }) => {
            "请用 healthcardd keys list 查看各版本的状态 · see the states with `healthcardd keys list`"
        }
        KeyChangeError::Key(_) => {
            "请用 healthcardd keys list 查看密钥名称 · see the names with `healthcardd keys list`"
        }
        KeyChangeError::NotTheRoot { .. } => {
            "请放回本服务的根证书：healthcard authority export · put the certificate of this service's root there: healthcard authority export"
        }
        KeyChangeError::NamedByCertificates { key, .. } if key.name() == "ca-root" => {
            "请用 healthcardd keys succeed-root · use `healthcardd keys succeed-root`"
        }
        KeyChangeError::NotAnAuthority { .. } => {
            "签发机构：ca-institutions、ca-people、ca-devices，更换后为 ca-people-g2 等，见 healthcardd keys list · \
             authorities are ca-institutions, ca-people, ca-devices, after a succession ca-people-g2 and so on: see `healthcardd keys list`"
        }
        KeyChangeError::IsTheRoot => {
            "请用 healthcardd keys succeed-root · use `healthcardd keys succeed-root`"
        }
        KeyChangeError::Issues(_) => {
            "请先用 healthcardd keys succeed-authority 更换 · first give the authority another key: `healthcardd keys succeed-authority`"
        }
        KeyChangeError::NamedByCertificates { key, .. } if key.name().starts_with("ca-") => {
            "更换用 healthcardd keys succeed-authority，泄露后再用 revoke-authority · \
             `healthcardd keys succeed-authority` gives the authority another key, and `revoke-authority` revokes the one before"
        }
        KeyChangeError::NamedByCertificates { .. } => {
            "证书中载有该密钥，须换发证书 · certificates carry this key: certificates have to be issued anew"
        }
        KeyChangeError::InDevice(_) => {
            "设备中的密钥由设备管理，在配置 [keys] 中另指索引 · name another index in [keys] of the settings"
        }
        KeyChangeError::NotPublished { from: None, .. } => {
            "请先 healthcardd keys prepare，启动服务并运行 5 分钟；--at-once 不等待 · \
             first `healthcardd keys prepare`, start the service and let it serve for 5 minutes; --at-once does not wait"
        }
        KeyChangeError::NotPublished { from: Some(_), .. } => {
            "新公钥公布满 5 分钟后再启用；--at-once 不等待 · wait until the next public key was published for 5 minutes; --at-once does not wait"
        }
        KeyChangeError::TokensGoOn { .. } => {
            "请待这些令牌到期后再销毁 · destroy it when those tokens are over"
        }
        KeyChangeError::ConsentsGoOn { .. } => {
            "请待这些授权确认终止后再销毁；加 --receipts-too 则立即销毁，回执须重新取得 · \
             destroy it when those consents are over; with --receipts-too at once, and the receipts have to be fetched anew"
        }
        KeyChangeError::Needed(_) => "服务需要该密钥 · the service needs this key",
        KeyChangeError::Opens { .. } => "数据仍由该版本加密 · data are sealed under this version",
        _ => return error.into(),
    };
    format!("{}（{advice}）", service::telemetry::chain(&error)).into()
}
