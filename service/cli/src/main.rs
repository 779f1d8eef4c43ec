//! `healthcard`, the command line: an ordinary client of the service. It can only ask: policy, card
//! keys and the log are the service's.

mod approval;
mod arguments;
mod attributes;
mod batch;
mod card_list;
mod certificate_status;
mod clock;
mod code_check;
mod command;
mod consent;
mod context;
mod csr_response;
mod csv;
mod desk;
mod doctor;
mod exit;
mod failure;
mod files;
mod history;
mod identity;
mod input;
mod json;
mod jws;
mod ministry;
mod page;
mod paper;
mod possession;
mod proof;
mod qr;
mod screen;
mod service;
mod show;
mod staff;
#[cfg(test)]
mod testing;
mod text;
mod time_stamp;
mod witness;

use std::{env, ffi::OsString, process::ExitCode, sync::Arc};

use crate::{
    arguments::{Cli, parse},
    context::{Context, Outcome},
    exit::Exit,
    failure::Failure,
    identity::Home,
    screen::Screen,
    service::{Address, Security, Service, TlsCa},
    text::{Lang, problems},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    let lang = Lang::early(&arguments);
    let cli = match parse(&arguments, lang) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments, lang).into(),
    };
    let screen = Screen { lang: cli.global.lang, json: cli.global.json };
    match run(cli, screen).await {
        Ok(exit) => exit.into(),
        Err(failure) => {
            screen.fail(&failure);
            failure.exit.into()
        }
    }
}

async fn run(cli: Cli, screen: Screen) -> Outcome {
    let Cli { global, command } = cli;
    let address = Address::parse(&global.server, global.insecure_plaintext)?;
    let home = Home::new(global.identity, global.passphrase_file, screen)?;
    let tls_ca = match address.security {
        Security::National => TlsCa { named: global.national_root, beside: home.root_path() },
        _ => TlsCa { named: global.tls_ca, beside: home.tls_ca_path() },
    };
    let service = Service::new(address, tls_ca, home, global.receipts);
    let context = Context { screen, service: Arc::new(service) };
    let exit = command.run(&context).await?;
    if let Some(failure) = context.service.no_receipt() {
        context.screen.fail(failure);
        return Ok(failure.exit);
    }
    if exit == Exit::Done && context.service.lacks_receipts() {
        context.screen.hint(text::NO_RECEIPT);
    }
    Ok(exit)
}

/// Help and version are answers; the rest is a usage error, told in the form and language that were
/// asked for, with the parser's own first line as the detail.
fn usage(error: &clap::Error, arguments: &[OsString], lang: Lang) -> Exit {
    if !error.use_stderr() {
        // Nothing is left to say when the terminal itself is gone.
        let _ = error.print();
        return Exit::Done;
    }
    let json = arguments.iter().any(|argument| argument == "--json");
    let said = error.to_string();
    let said = said.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ").trim();
    Screen { lang, json }.fail(&Failure::of(problems::USAGE).about(said));
    Exit::Usage
}
