//! What the commands of `healthcardd` share: where the service is, and what opens its keystore.

use std::{error::Error, io::IsTerminal as _, path::PathBuf};

use clap::Args;
use hsm::soft::{Iterations, Passphrase, Share, Unseal};
use zeroize::Zeroizing;

pub(crate) mod decisions;
pub(crate) mod erased;
pub(crate) mod keys;
pub(crate) mod policy;
pub(crate) mod warnings;

/// Anything that ends the program early; its causes are told on one line.
pub(crate) type Failure = Box<dyn Error>;

#[derive(Args)]
pub(crate) struct Place {
    /// 数据目录 · Data directory.
    #[arg(long, value_name = "DIR", env = "HEALTHCARD_DATA")]
    pub(crate) data: PathBuf,
    /// 密钥库口令文件，只能由本人读取；省略时在终端输入 · File with the keystore's passphrase, readable by its owner only; asked for at the terminal when absent.
    #[arg(long, value_name = "FILE", env = "HEALTHCARD_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    /// 密钥分量文件，可多次，代替口令 · File with a custodian's share, readable by its owner only; repeated, in place of the passphrase.
    #[arg(long = "share", value_name = "FILE")]
    shares: Vec<PathBuf>,
}

/// How a passphrase becomes a key.
#[derive(Args)]
pub(crate) struct Stretching {
    /// 由口令派生密钥的迭代次数，100000 至 10000000：越多，猜测口令和启动越慢；随机口令无须多 · Iterations that make a key of the passphrase, 100,000 to 10,000,000: more make guessing it, and each start, slower; a random passphrase needs few.
    #[arg(long, value_name = "NUMBER", value_parser = iterations, default_value_t = Iterations::DEFAULT)]
    pub(crate) iterations: Iterations,
}

fn iterations(number: &str) -> Result<Iterations, Box<dyn Error + Send + Sync>> {
    Ok(Iterations::new(number.parse()?)?)
}

/// What opens the keystore, as it was given.
pub(crate) enum Opening {
    Passphrase(Passphrase),
    Shares(Vec<Share>),
}

impl Opening {
    pub(crate) fn unseal(&self) -> Unseal<'_> {
        match self {
            Self::Passphrase(passphrase) => passphrase.into(),
            Self::Shares(shares) => shares[..].into(),
        }
    }
}

impl Place {
    /// The shares when there are any, otherwise the passphrase.
    pub(crate) fn opening(&self) -> Result<Opening, Failure> {
        if self.shares.is_empty() {
            return Ok(Opening::Passphrase(self.passphrase()?));
        }
        let read = |file: &PathBuf| {
            // Which of the files it is, and what is wrong with it.
            Share::from_file(file).map_err(|error| -> Failure {
                format!("{}: {}", file.display(), service::telemetry::chain(&error)).into()
            })
        };
        Ok(Opening::Shares(self.shares.iter().map(read).collect::<Result<_, _>>()?))
    }

    fn passphrase(&self) -> Result<Passphrase, Failure> {
        match &self.passphrase_file {
            Some(file) => Ok(Passphrase::from_file(file)?),
            None => Ok(Passphrase::from_string(ask("密钥库口令 · passphrase: ")?)?),
        }
    }

    pub(crate) fn new_passphrase(&self) -> Result<Passphrase, Failure> {
        if !self.shares.is_empty() {
            return Err("新密钥库须用口令建立，其后可用 healthcardd keys share 分成分量 · a new keystore is made with a passphrase, and shared afterwards with `healthcardd keys share`".into());
        }
        if self.passphrase_file.is_some() {
            return self.passphrase();
        }
        ask_twice()
    }
}

/// Asks at the terminal for a passphrase that nobody knows yet.
pub(crate) fn ask_twice() -> Result<Passphrase, Failure> {
    let first = ask("新密钥库口令 · new passphrase: ")?;
    let again = ask("再次输入 · again: ")?;
    if first != again {
        return Err("两次口令不同 · the two passphrases differ".into());
    }
    Ok(Passphrase::from_string(first)?)
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err("没有终端，请用 --passphrase-file · no terminal: use --passphrase-file".into());
    }
    Ok(Zeroizing::new(rpassword::prompt_password(prompt)?))
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
