//! What a service at rest takes of memory, and the program of disk.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use super::{BenchError, ground};

pub(super) async fn ask(directory: &Path) -> Result<Vec<(String, Value)>, BenchError> {
    ground::make_service(directory).await?;
    let program = std::env::current_exe()?;
    let mut serving = Serving(
        Command::new(&program)
            .arg("serve")
            .arg("--data")
            .arg(directory)
            .arg("--passphrase-file")
            .arg(ground::passphrase_file(directory))
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let output = serving.0.stdout.take().ok_or("no output of the service")?;
    let mut ready = String::new();
    BufReader::new(output).read_line(&mut ready)?;
    if !ready.starts_with("listening on ") {
        return Err("the service did not start".into());
    }
    let status = fs::read_to_string(format!("/proc/{}/status", serving.0.id()))?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|kilobytes| kilobytes.trim().parse::<f64>().ok())
        .ok_or("the system does not say how much memory a process has")?;
    let megabytes = |bytes: f64| json!((bytes / 1e5).round() / 10.0);
    Ok(vec![
        ("resident memory of `serve` at rest, MB".into(), megabytes(resident * 1024.0)),
        ("size of healthcardd, MB".into(), megabytes(fs::metadata(program)?.len() as f64)),
    ])
}

/// A service that ends with the question.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
