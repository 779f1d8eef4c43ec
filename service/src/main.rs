//! `healthcardd`: makes a service, runs it, checks it, and shows it at work.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use hsm::key::Label;
use service::{
    bench::{self, BenchOptions, Question},
    config::Config,
    demo::{self, DemoOptions, Form, Language},
    init::{self, InitOptions},
    log_needs::{GO_ON, Need},
    memory::{self, Memory},
    policy::Act,
    serve::{self, Protection},
    start, telemetry,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::command::{
    Failure, Place, Stretching, erased::Erased, keys::Keys, policy::Rules, runtime,
    warnings::Warnings,
};

mod command;

/// 居民健康卡身份服务 · The health card service.
#[derive(Parser)]
#[command(name = "healthcardd", version, about, long_about = None)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// 建立服务：密钥、证书、数据库、首两位管理员 · Make a service: keys, certificates, database, first two operators.
    Init(Init),
    /// 有效管理员不足两位时另立一位：双人操作由此可继续 · Make another operator where there are not two in force.
    Operator(Operator),
    /// 运行服务 · Run the service.
    Serve(Serve),
    /// 检查设置、密钥、证书和日志末端，不开放端口 · Check settings, keys, certificates and the end of the log.
    Check(Place),
    /// 检查已删除的居民在数据库中是否还有残留；服务可在运行 · Check that nothing of a resident who was erased is left in the database; the service may be running.
    CheckErased(Erased),
    /// 查看和更换密钥 · List the keys, and change them.
    Keys(Keys),
    /// 查看、试用和签名授权规则 · Look at rules of access, try them, and sign them.
    Policy(Rules),
    /// 试用预警规则的参数 · Try the numbers that warnings are tuned with.
    Warnings(Warnings),
    /// 日志不可写时哪些操作照常、哪些停办 · What goes on when the log cannot be written, and what does not.
    Acts,
    /// 演示一次完整的就诊 · Play a visit from beginning to end.
    Demo(Demo),
    /// 测量本机性能 · Measure what the service does on this machine.
    Bench(Bench),
}

#[derive(Args)]
struct Init {
    #[command(flatten)]
    place: Place,
    /// 服务名称，写入证书、令牌和日志 · Name of the service, written into certificates, tokens and the log.
    #[arg(long, default_value = "healthcard.localhost")]
    name: String,
    /// 监听地址 · Address to listen on.
    #[arg(long, default_value = "127.0.0.1:7443")]
    listen: SocketAddr,
    /// TLS 证书包含的其他主机名或地址，可多次 · A further host name or address for the TLS certificate; may be repeated.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// 首位管理员的证书申请（healthcard key new），私钥不离开管理员；省略时在数据目录内生成 · The first operator's certification request (`healthcard key new`), whose key stays with them; made in the data directory when absent.
    #[arg(long, value_name = "FILE")]
    operator_request: Option<PathBuf>,
    /// 第二位管理员（另一个人）的证书申请；首位录入，第二位复核，任何一人都不能单独签发证书 · The certification request of the second operator, another person: one enters what the other reviews.
    #[arg(long, value_name = "FILE")]
    reviewer_request: Option<PathBuf>,
    /// 密钥仪式在场者的角色，可多次；在数据目录内留下由根密钥签名的记录 · Role of a participant of the key ceremony; may be repeated. Leaves a transcript signed by the root in the data directory.
    #[arg(long = "participant", value_name = "ROLE")]
    participants: Vec<Label>,
    #[command(flatten)]
    stretching: Stretching,
}

#[derive(Args)]
struct Operator {
    #[command(flatten)]
    place: Place,
    /// 其证书申请（healthcard key new） · Their certification request (`healthcard key new`).
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// 存放 certificate.der 和 chain.pem 的新目录 · New directory for certificate.der and chain.pem.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    place: Place,
    /// 监听地址，代替设置文件中的 · Address to listen on, in place of the one in the settings.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// 不加密连接，仅供测试或本机代理 · Serve without TLS: only for tests or behind a proxy on the same machine.
    #[arg(long)]
    insecure_plaintext: bool,
}

#[derive(Args)]
struct Demo {
    /// 结束后不停留 · End after the last step.
    #[arg(long)]
    once: bool,
    /// 每步输出一个 JSON 对象 · One JSON object a step.
    #[arg(long)]
    json: bool,
    /// 语言 · Language: zh-CN, en.
    #[arg(long, env = "LANG_UI", default_value = "zh-CN")]
    lang: Language,
    /// 演示目录 · Directory of the demo.
    #[arg(long, value_name = "DIR", default_value = ".demo")]
    dir: PathBuf,
}

#[derive(Args)]
struct Bench {
    /// 测量项目，缺省为 tokens、log、size · What to measure; tokens, log and size when absent.
    #[arg(value_enum)]
    questions: Vec<Question>,
    /// 每项速率的测量时长（秒）· Seconds for each rate.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// 日志测量的最大条数 · Entries of the largest log that is measured.
    #[arg(long, default_value_t = 1_000_000)]
    entries: u64,
    /// 批量入职的人数 · Clinicians to put on record.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    people: u32,
    /// 故障恢复的轮数 · Rounds of recovery.
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// 临时目录，须不存在，结束后删除 · Directory to work in: must not exist, removed at the end.
    #[arg(long, value_name = "DIR", default_value = ".bench")]
    dir: PathBuf,
    /// 每项输出一个 JSON 对象 · One JSON object a question.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    telemetry::start();
    protect_memory();
    let outcome = match arguments.command {
        Command::Init(options) => make(options),
        Command::Operator(options) => another_operator(options),
        Command::Serve(options) => run(options),
        Command::Check(place) => check(place),
        Command::CheckErased(erased) => erased.check(),
        Command::Keys(keys) => keys.run(),
        Command::Policy(rules) => rules.run(),
        Command::Warnings(warnings) => warnings.run(),
        // Whoever reads no further has what they wanted.
        Command::Acts => {
            let _ = acts();
            Ok(())
        }
        Command::Demo(options) => play(options),
        Command::Bench(options) => measure(options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let line = telemetry::chain(&*failure);
            // Standard error may be gone; there is nobody left to tell then.
            let _ = writeln!(std::io::stderr(), "错误 · error: {line}");
            ExitCode::FAILURE
        }
    }
}

/// Before keys come into this process. A system that refuses is told of, and the work goes on.
fn protect_memory() {
    match memory::protect() {
        Ok(Memory::Locked) => tracing::debug!("memory is locked, and never dumped"),
        Ok(Memory::Limited) => {
            tracing::debug!("memory is never dumped; LimitMEMLOCK=infinity would lock it as well");
        }
        Err(error) => tracing::warn!(%error, "protecting the memory that keys are in"),
    }
}

fn make(options: Init) -> Result<(), Failure> {
    let Init { place, name, listen, hosts, operator_request, reviewer_request, .. } = options;
    let (participants, stretching) = (options.participants, options.stretching);
    let passphrase = place.new_passphrase()?;
    let data = place.data;
    let listen = listen.to_string();
    let data_directory = data.clone();
    let init = InitOptions {
        data: data_directory,
        passphrase,
        iterations: stretching.iterations,
        name,
        listen,
        hosts,
        operator_request,
        reviewer_request,
        participants,
    };
    runtime()?.block_on(init::init(init))?;
    println!(
        "服务已建立：{0}\n首位管理员：{0}/{1}，第二位：{0}/{2}；请分别交给两个人\n启动：healthcardd serve --data {0}\n\
         made a service in {0}; its first operators are in {0}/{1} and {0}/{2}: give them to two people",
        data.display(),
        init::OPERATOR,
        init::REVIEWER,
    );
    Ok(())
}

fn another_operator(options: Operator) -> Result<(), Failure> {
    let Operator { place, request, out } = options;
    let config = Config::load(&place.data)?;
    let opening = place.opening()?;
    runtime()?.block_on(async {
        let registrar = start::open(config, opening.unseal()).await?;
        init::another_operator(&registrar, &request, &out).await?;
        Ok::<_, Failure>(())
    })?;
    println!(
        "已另立一位管理员，证书在 {0}\nmade another operator; the certificate is in {0}",
        out.display(),
    );
    Ok(())
}

fn run(options: Serve) -> Result<(), Failure> {
    let Serve { place, listen, insecure_plaintext } = options;
    let config = Config::load(&place.data)?;
    let listen =
        start::Addresses { ordinary: listen.unwrap_or(config.listen), national: config.national };
    let protection = if insecure_plaintext {
        tracing::warn!("serving without TLS");
        Protection::InsecurePlaintext
    } else {
        serve::tls(&config.tls_certificate, &config.tls_key)?
    };
    let opening = place.opening()?;
    runtime()?.block_on(async {
        let stop = stop_signal()?;
        let registrar = start::open(config, opening.unseal()).await?;
        drop(opening);
        init::keep_card_issuer(&place.data, &registrar);
        init::look_at_root(&place.data, &registrar);
        start::run(registrar, listen, protection, stop, |address| {
            println!("listening on {}", address.ordinary);
            if let Some(national) = address.national {
                println!("national listener on {national}");
            }
        })
        .await?;
        Ok(())
    })
}

fn check(place: Place) -> Result<(), Failure> {
    let config = Config::load(&place.data)?;
    serve::tls(&config.tls_certificate, &config.tls_key)?;
    let opening = place.opening()?;
    runtime()?.block_on(start::open(config, opening.unseal()))?.tested()?;
    println!(
        "设置、自检、密钥、证书和日志末端均正常 · settings, self-tests, keys, certificates and the end of the log are good"
    );
    Ok(())
}

/// Which act needs what of the log.
fn acts() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for need in Need::ALL {
        let (zh, en) = need.told();
        writeln!(out, "{zh}\n{en}")?;
        for act in Act::ALL.iter().filter(|act| act.needs() == *need) {
            writeln!(out, "  {act}")?;
        }
    }
    writeln!(out, "照常答复的调用和地址\ncalls and addresses that are answered")?;
    GO_ON.iter().try_for_each(|call| writeln!(out, "  {call}"))
}

fn play(options: Demo) -> Result<(), Failure> {
    let form = if options.json { Form::Json } else { Form::Lines };
    let Demo { once, lang: language, dir: directory, .. } = options;
    Ok(demo::run(&DemoOptions { once, form, language, directory })?)
}

fn measure(options: Bench) -> Result<(), Failure> {
    let Bench { mut questions, seconds, entries, people, rounds, dir: directory, json } = options;
    if questions.is_empty() {
        questions = vec![Question::Tokens, Question::Pairs, Question::Log, Question::Size];
    }
    bench::run(&BenchOptions { questions, directory, seconds, entries, people, rounds, json })
        .map_err(|error| -> Failure { error })
}

/// Turns true at SIGTERM or SIGINT.
fn stop_signal() -> Result<watch::Receiver<bool>, Failure> {
    let (stop, stopped) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = stop.send(true);
    });
    Ok(stopped)
}
