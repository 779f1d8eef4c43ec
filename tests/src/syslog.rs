//! A repository of audit messages of others: rsyslog, which takes syslog over TLS from nodes that its authority certified.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Instant,
};

use service::demo::{programs::Background, stage::PATIENCE};

/// The repository, in a directory of its own.
#[derive(Debug)]
pub struct Repository {
    directory: PathBuf,
    running: Option<Background>,
    port: u16,
}

impl Repository {
    /// Starts one, with an authority, a certificate of its own and one of a node.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(directory: PathBuf) -> Self {
        fs::create_dir_all(&directory).expect("a directory");
        for authority in ["ca", "other-ca"] {
            let (key, certificate) = (format!("{authority}.key"), format!("{authority}.pem"));
            let subject = format!("/CN={authority}");
            let order = ["req", "-x509", "-nodes", "-newkey", "ec", "-days", "2"];
            let curve = ["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", &subject];
            let basic = ["-addext", "basicConstraints=critical,CA:TRUE"];
            let files = ["-keyout", &key, "-out", &certificate];
            openssl(&directory, &[&order[..], &curve, &basic, &files].concat());
        }
        fs::write(directory.join("names"), "subjectAltName=IP:127.0.0.1\n").expect("a file");
        for (name, authority) in [("server", "ca"), ("node", "ca"), ("stranger", "other-ca")] {
            let [key, request, certificate] =
                ["key", "csr", "pem"].map(|kind| format!("{name}.{kind}"));
            let [by, with] = ["pem", "key"].map(|kind| format!("{authority}.{kind}"));
            let subject = format!("/CN={name}");
            let order = ["req", "-new", "-nodes", "-newkey", "ec", "-subj", &subject];
            let curve = ["-pkeyopt", "ec_paramgen_curve:P-256"];
            openssl(
                &directory,
                &[&order[..], &curve, &["-keyout", &key, "-out", &request]].concat(),
            );
            let order =
                ["x509", "-req", "-in", &request, "-CA", &by, "-CAkey", &with, "-days", "2"];
            let more = ["-CAcreateserial", "-extfile", "names", "-out", &certificate];
            openssl(&directory, &[&order[..], &more].concat());
        }
        let mut repository = Self { directory, running: None, port: 0 };
        repository.resume();
        repository
    }

    /// Starts it again, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&mut self) {
        let path = |name: &str| self.directory.join(name).display().to_string();
        let settings = format!(
            r#"global(workDirectory="{directory}" maxMessageSize="64k" DefaultNetstreamDriver="gtls"
       DefaultNetstreamDriverCAFile="{ca}" DefaultNetstreamDriverCertFile="{certificate}"
       DefaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
input(type="imtcp" address="127.0.0.1" port="{port}" listenPortFileName="{told}")
template(name="raw" type="string" string="%rawmsg%\n")
action(type="omfile" file="{messages}" template="raw" asyncWriting="off" flushOnTXEnd="on")
"#,
            directory = self.directory.display(),
            ca = path("ca.pem"),
            certificate = path("server.pem"),
            key = path("server.key"),
            port = self.port,
            told = path("port"),
            messages = path("messages"),
        );
        fs::write(self.directory.join("rsyslog.conf"), settings).expect("a file");
        let _ = fs::remove_file(self.directory.join("pid"));
        let mut command = Command::new("/usr/sbin/rsyslogd");
        command.args(["-n", "-f", &path("rsyslog.conf"), "-i", &path("pid")]);
        let log = self.directory.join("rsyslogd");
        self.running = Some(Background::start("rsyslogd", command, &log).expect("rsyslogd"));
        // It tells a port that it chose itself, and keeps it from then on.
        let told = || fs::read_to_string(self.directory.join("port")).ok()?.trim().parse().ok();
        self.port = until("it says where it listens", told);
        until("it listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok());
    }

    /// Ends it at once, as if the machine had lost its power.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&mut self) {
        drop(self.running.take().expect("it is running"));
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// One of its files: `ca.pem`, `node.pem`, `node.key`, and those of a `stranger` of `other-ca`.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// The messages that it has, waiting until there are as many.
    #[must_use]
    pub fn messages(&self, at_least: usize) -> Vec<String> {
        until("so many messages", || {
            let text = fs::read_to_string(self.directory.join("messages")).ok()?;
            let messages: Vec<_> = text.lines().map(str::to_owned).collect();
            (messages.len() >= at_least).then_some(messages)
        })
    }
}

fn openssl(directory: &Path, order: &[&str]) {
    let done = Command::new("openssl").current_dir(directory).args(order).output();
    let done = done.expect("openssl");
    assert!(done.status.success(), "{order:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begin.elapsed() < PATIENCE, "never: {what}");
        thread::yield_now();
    }
}
