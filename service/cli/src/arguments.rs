//! The command line as typed. Help is written as "中文 | English" and shown in one language.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Arg, ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, builder::StyledStr,
};

use crate::{command::Command, text::Lang};

/// 居民健康卡身份服务的命令行 | Command line of the resident health card service
#[derive(Debug, Parser)]
#[command(name = "healthcard", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "退出码：0 完成；1 被拒绝或失败；2 用法错误；3 无法连接服务或读卡器；4 核对发现改动；5 证据不足，无法核对 | \
    Exit codes: 0 done; 1 refused or failed; 2 usage; 3 service or reader out of reach; 4 tampering found; 5 not enough to check";

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Global {
    /// 服务地址；国密 TLS 为 national://主机:端口 | Address of the service; national://host:port for national TLS
    #[arg(
        long,
        global = true,
        env = "HEALTHCARD_SERVER",
        value_name = "URL",
        default_value = "https://localhost:7443"
    )]
    pub(crate) server: String,
    /// 服务证书的签发机构（PEM）；缺省为身份目录下的 tls-ca.pem | Authority of the server's certificate, PEM; by default tls-ca.pem in the identity directory
    #[arg(long, global = true, env = "HEALTHCARD_TLS_CA", value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// 国密 TLS 所信任的根证书（PEM）；缺省为身份目录下的 root.pem | Root that is believed on national TLS, PEM; by default root.pem in the identity directory
    #[arg(long, global = true, env = "HEALTHCARD_NATIONAL_ROOT", value_name = "FILE")]
    pub(crate) national_root: Option<PathBuf>,
    /// 允许 http:// 不加密传输，仅供测试 | Allow http:// without encryption, for tests only
    #[arg(long, global = true)]
    pub(crate) insecure_plaintext: bool,
    /// 身份目录（私钥、证书、会话）；缺省为 ~/.config/healthcard | Directory of one identity: key, certificate, session; by default ~/.config/healthcard
    #[arg(long = "as", global = true, env = "HEALTHCARD_AS", value_name = "DIR")]
    pub(crate) identity: Option<PathBuf>,
    /// 私钥口令文件，仅本人可读 | File with the passphrase of the key, readable by its owner only
    #[arg(long, global = true, env = "HEALTHCARD_PASSPHRASE_FILE", value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// 索取回执的目录：证明所做之事已入日志，每笔一个文件 | Directory for receipts, which prove that what was done is in the log, a file for each
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) receipts: Option<PathBuf>,
    /// 输出 JSON，供程序使用 | Print JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// 界面语言 | Language
    #[arg(long, global = true, env = "LANG_UI", value_name = "LANG", default_value = "zh-CN")]
    pub(crate) lang: Lang,
}

/// Parses the arguments, program name included.
pub(crate) fn parse(arguments: &[OsString], lang: Lang) -> Result<Cli, clap::Error> {
    let matches = localised(Cli::command(), lang).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// Keeps one language of every help text.
fn localised(mut command: clap::Command, lang: Lang) -> clap::Command {
    if let Some(about) = command.get_about().map(|text| one(text, lang)) {
        command = command.about(about);
    }
    if let Some(after) = command.get_after_help().map(|text| one(text, lang)) {
        command = command.after_help(after);
    }
    if lang == Lang::Zh {
        command = command
            .help_template("{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}")
            .subcommand_help_heading("命令");
    }
    command = command.disable_help_subcommand(true).disable_help_flag(true).arg(
        Arg::new("help")
            .short('h')
            .long("help")
            .action(ArgAction::Help)
            .help("显示帮助 | Print help"),
    );
    if command.get_version().is_some() {
        command = command.disable_version_flag(true).arg(
            Arg::new("version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .help("显示版本 | Print version"),
        );
    }
    command
        .mut_args(|argument| {
            let heading = heading(&argument, lang);
            let help = argument.get_help().map(|text| one(text, lang));
            let argument = argument.help_heading(heading);
            match help {
                Some(help) => argument.help(help),
                None => argument,
            }
        })
        .mut_subcommands(|below| localised(below, lang))
}

/// Under which words an argument is listed; the parser's own words in English.
fn heading(argument: &Arg, lang: Lang) -> Option<&'static str> {
    match (argument.get_help_heading().is_some(), lang) {
        (true, Lang::Zh) => Some("公共选项"),
        (true, Lang::En) => Some("Common options"),
        (false, Lang::Zh) if argument.is_positional() => Some("参数"),
        (false, Lang::Zh) => Some("选项"),
        (false, Lang::En) => None,
    }
}

fn one(text: &StyledStr, lang: Lang) -> String {
    half(&text.to_string(), lang).to_owned()
}

fn half(text: &str, lang: Lang) -> &str {
    match (text.split_once(" | "), lang) {
        (Some((zh, _)), Lang::Zh) => zh,
        (Some((_, en)), Lang::En) => en,
        (None, _) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(command: &clap::Command, check: &mut impl FnMut(&str, String)) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        check(command.get_name(), about);
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            check(argument.get_id().as_str(), help);
        }
        command.get_subcommands().for_each(|below| each(below, check));
    }

    #[test]
    fn every_help_text_has_both_languages() {
        let mut seen = 0;
        each(&Cli::command(), &mut |what, help| {
            let (zh, en) = help.split_once(" | ").unwrap_or_else(|| panic!("{what}: {help:?}"));
            assert!(!zh.is_ascii() && en.is_ascii(), "{what}: {help:?}");
            seen += 1;
        });
        assert!(seen > 50, "{seen}");
    }

    #[test]
    fn help_speaks_one_language() {
        for (lang, own, other) in
            [(Lang::Zh, "服务地址", "Address of"), (Lang::En, "Address of", "服务地址")]
        {
            let help = localised(Cli::command(), lang).render_help().to_string();
            assert!(help.contains(own) && !help.contains(other) && !help.contains(" | "), "{help}");
        }
    }

    #[test]
    fn command_table_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn command_lines_are_understood_or_refused() {
        use clap::error::ErrorKind::{
            ArgumentConflict, InvalidSubcommand, InvalidValue, MissingRequiredArgument,
            UnknownArgument, ValueValidation,
        };
        let issue = "token issue --visit v --audience emr.example --classes health,care";
        let cases = [
            ("status --json --lang en".to_owned(), None),
            ("key new --passphrase-file p".to_owned(), None),
            ("key accept --answer f".to_owned(), None),
            ("key accept".to_owned(), Some(MissingRequiredArgument)),
            ("key-centre make --count 1000".to_owned(), None),
            ("key-centre make --count 0".to_owned(), Some(ValueValidation)),
            ("key-centre recover --serial s --to t".to_owned(), None),
            ("key-centre recover --serial s --request f --order g".to_owned(), None),
            ("key-centre recover --serial s --request f".to_owned(), Some(MissingRequiredArgument)),
            ("key-centre recover --serial s".to_owned(), Some(MissingRequiredArgument)),
            ("key-centre review r".to_owned(), Some(MissingRequiredArgument)),
            ("resident erase r --basis order --order f".to_owned(), None),
            ("resident erase r --basis order".to_owned(), Some(MissingRequiredArgument)),
            ("resident erase r --basis mood".to_owned(), Some(InvalidValue)),
            ("resident erase r".to_owned(), Some(MissingRequiredArgument)),
            ("resident erase-review e".to_owned(), Some(MissingRequiredArgument)),
            ("resident erase-review e --approve --reject".to_owned(), Some(ArgumentConflict)),
            ("key-centre review r --approve f --reject".to_owned(), Some(ArgumentConflict)),
            ("identity suspend --serial s".to_owned(), None),
            ("identity renew --serial s --out d".to_owned(), None),
            ("identity renew --serial s".to_owned(), Some(MissingRequiredArgument)),
            ("identity release".to_owned(), Some(MissingRequiredArgument)),
            ("identity ending --within 90".to_owned(), None),
            ("identity ending --qualifications --within 90".to_owned(), None),
            ("identity find --institution i --number n".to_owned(), None),
            ("identity find --number n".to_owned(), Some(MissingRequiredArgument)),
            ("identity find --file f --serial s".to_owned(), Some(ArgumentConflict)),
            ("identity find".to_owned(), Some(MissingRequiredArgument)),
            ("identity qualify --id i --until 2030-12-31".to_owned(), None),
            ("identity qualify --id i".to_owned(), Some(MissingRequiredArgument)),
            ("identity qualify --id i --until d --unlimited".to_owned(), Some(ArgumentConflict)),
            ("identity change --file f".to_owned(), None),
            ("identity depart".to_owned(), Some(MissingRequiredArgument)),
            ("staff plan --file f --institution i --requests d".to_owned(), None),
            ("staff plan --file f".to_owned(), Some(MissingRequiredArgument)),
            ("staff apply --file f --institution i --pair --leavers 3".to_owned(), None),
            (
                "staff apply --file f --institution i --leavers some".to_owned(),
                Some(ValueValidation),
            ),
            (
                "staff review --file f --institution i --requests r --approve 7 --out d".to_owned(),
                None,
            ),
            (
                "staff review --file f --institution i --approve 7".to_owned(),
                Some(MissingRequiredArgument),
            ),
            (
                "staff review --file f --institution i --out d".to_owned(),
                Some(MissingRequiredArgument),
            ),
            ("identity ending --within 3661".to_owned(), Some(ValueValidation)),
            ("enrolment enter --id i --request f --pair".to_owned(), None),
            ("enrolment enter --id i".to_owned(), Some(MissingRequiredArgument)),
            ("enrolment review e".to_owned(), None),
            ("enrolment review e --approve --out d".to_owned(), None),
            ("enrolment review e --out d".to_owned(), Some(MissingRequiredArgument)),
            ("enrolment review e --approve --id-number-file f".to_owned(), None),
            ("enrolment review e --id-number-file f".to_owned(), Some(MissingRequiredArgument)),
            ("enrolment review e --approve --reject why".to_owned(), Some(ArgumentConflict)),
            ("enrolment review e --reject why --out d".to_owned(), Some(ArgumentConflict)),
            ("enrolment show".to_owned(), Some(MissingRequiredArgument)),
            ("enrolment show --serial s".to_owned(), None),
            ("audit search --resident r".to_owned(), None),
            ("audit search --outcome refused --from 2026-11-23".to_owned(), None),
            ("audit search --outcome maybe".to_owned(), Some(InvalidValue)),
            ("audit search --from yesterday".to_owned(), Some(ValueValidation)),
            ("audit check".to_owned(), Some(MissingRequiredArgument)),
            (format!("{issue} --grade 3"), None),
            (format!("{issue} --grade 6"), Some(ValueValidation)),
            (format!("{issue} --grade 3 --purpose curiosity"), Some(InvalidValue)),
            ("token revoke".to_owned(), Some(MissingRequiredArgument)),
            ("token revoke t".to_owned(), None),
            ("token revoke --visit v".to_owned(), None),
            ("token revoke t --visit v".to_owned(), Some(ArgumentConflict)),
            ("token revoke --identity i --consent c".to_owned(), Some(ArgumentConflict)),
            ("token exchange --token t".to_owned(), None),
            ("token exchange --receipt r --audience emr.example --grade 2".to_owned(), None),
            ("token exchange --receipt r".to_owned(), Some(MissingRequiredArgument)),
            ("token exchange --audience emr.example".to_owned(), Some(MissingRequiredArgument)),
            (
                "token exchange --token t --receipt r --audience a".to_owned(),
                Some(ArgumentConflict),
            ),
            ("token exchange --token t --grade 0".to_owned(), Some(ValueValidation)),
            ("token prove --uri u --method PUT".to_owned(), None),
            ("token prove --rpc u".to_owned(), None),
            ("token prove".to_owned(), Some(MissingRequiredArgument)),
            ("token prove --rpc u --method GET".to_owned(), Some(ArgumentConflict)),
            ("token prove --rpc u --uri u".to_owned(), Some(ArgumentConflict)),
            ("token introspect --audience a --proof p --rpc u".to_owned(), None),
            ("token introspect --audience a".to_owned(), None),
            ("token introspect --audience a --proof p".to_owned(), Some(MissingRequiredArgument)),
            ("token introspect --audience a --rpc u".to_owned(), Some(MissingRequiredArgument)),
            ("card get".to_owned(), Some(MissingRequiredArgument)),
            ("card get c".to_owned(), None),
            ("card get --chip-serial 1234567890".to_owned(), None),
            ("card register --file -".to_owned(), None),
            ("card register --resident r".to_owned(), Some(MissingRequiredArgument)),
            ("card list --ending-within 30".to_owned(), None),
            ("card list --ending-within 30 --status lost".to_owned(), Some(ArgumentConflict)),
            ("card list fetch".to_owned(), Some(MissingRequiredArgument)),
            ("card list fetch --out f".to_owned(), None),
            ("card check --list f --serial 1234567890 --keys k".to_owned(), None),
            ("card check --serial 1234567890".to_owned(), Some(MissingRequiredArgument)),
            ("card review c".to_owned(), Some(MissingRequiredArgument)),
            ("card review c --approve".to_owned(), None),
            ("card review c --approve --reject x".to_owned(), Some(ArgumentConflict)),
            ("card unblacklist c --cause mood".to_owned(), Some(InvalidValue)),
            ("audit search --alerts".to_owned(), None),
            ("card code create --resident r --form signed --nonce 00".to_owned(), None),
            ("card code create --resident r --form paper".to_owned(), Some(InvalidValue)),
            ("card code verify --step 010108".to_owned(), Some(ValueValidation)),
            ("card code verify --step 010103 --channel 02 --terminal 99".to_owned(), None),
            ("card code revoke".to_owned(), Some(MissingRequiredArgument)),
            ("card code check".to_owned(), Some(MissingRequiredArgument)),
            ("identity register --file f --role king".to_owned(), Some(InvalidValue)),
            ("visit list --page-size 501".to_owned(), Some(ValueValidation)),
            ("authority status".to_owned(), None),
            ("timestamp request --file f --out s".to_owned(), None),
            ("timestamp request --file f".to_owned(), Some(MissingRequiredArgument)),
            ("timestamp verify --file f --stamp s --issuers i".to_owned(), None),
            ("timestamp verify --file f".to_owned(), Some(MissingRequiredArgument)),
            ("authority status --certificate f".to_owned(), None),
            ("authority status f".to_owned(), Some(UnknownArgument)),
            ("resident register --name x".to_owned(), Some(UnknownArgument)),
            ("resident remove".to_owned(), Some(InvalidSubcommand)),
        ];
        for (line, expected) in cases {
            let line = format!("healthcard {line}");
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let refused = parse(&arguments, Lang::Zh).err().map(|error| error.kind());
            assert_eq!(refused, expected, "{line}");
        }
    }

    #[test]
    fn personal_data_is_never_an_argument() {
        let banned = ["name", "id_number", "phone", "pin", "passphrase", "password", "person"];
        each(&Cli::command(), &mut |what, _| {
            assert!(!banned.contains(&what), "{what}");
        });
    }
}
