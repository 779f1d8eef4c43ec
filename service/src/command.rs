//! What the commands of `healthcardd` share: where the service is, and what opens its keystore.

use std::{io::IsTerminal as _, path::PathBuf};

use clap::Args;
use hsm::soft::Passphrase;
use zeroize::Zeroizing;

pub(crate) mod keys;

/// Anything that ends the program early; its causes are told on one line.
pub(crate) type Failure = Box<dyn std::error::Error>;

#[derive(Args)]
pub(crate) struct Place {
    /// 数据目录 · Data directory.
    #[arg(long, value_name = "DIR", env = "HEALTHCARD_DATA")]
    pub(crate) data: PathBuf,
    /// 密钥库口令文件，只能由本人读取；省略时在终端输入 · File with the keystore's passphrase, readable by its owner only; asked for at the terminal when absent.
    #[arg(long, value_name = "FILE", env = "HEALTHCARD_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Place {
    pub(crate) fn passphrase(&self) -> Result<Passphrase, Failure> {
        match &self.passphrase_file {
            Some(file) => Ok(Passphrase::from_file(file)?),
            None => Ok(Passphrase::from_string(ask("密钥库口令 · passphrase: ")?)?),
        }
    }

    pub(crate) fn new_passphrase(&self) -> Result<Passphrase, Failure> {
        if self.passphrase_file.is_some() {
            return self.passphrase();
        }
        let first = ask("新密钥库口令 · new passphrase: ")?;
        let again = ask("再次输入 · again: ")?;
        if first != again {
            return Err("两次口令不同 · the two passphrases differ".into());
        }
        Ok(Passphrase::from_string(first)?)
    }
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
