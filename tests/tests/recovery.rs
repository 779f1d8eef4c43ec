//! A shortened run of what `healthcardd bench recovery` does a thousand times: daemons are killed, readers torn out,
//! cards pulled and cards that never answer put in beside others.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::private::in_private_space;

/// Rounds: each torment four times, and the other reader looked at twice.
const ROUNDS: &str = "12";

#[test]
fn a_desk_reads_again_soon() {
    in_private_space(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let programs = std::env::current_exe().expect("this test has a file");
        let healthcardd = programs.ancestors().nth(2).expect("target/debug").join("healthcardd");
        let output = Command::new(healthcardd)
            .args(["bench", "recovery", "--rounds", ROUNDS, "--json"])
            .arg("--dir")
            .arg(directory.path().join("bench"))
            .output()
            .expect("healthcardd runs");
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complained}");
        let said: Value = serde_json::from_slice(&output.stdout).expect("a JSON object");
        println!("{said}");
        let figures = &said["figures"];
        assert_eq!(figures["rounds, none without recovery"], 12);
        for torment in ["all", "daemon killed", "card pulled", "reader torn out"] {
            let named = |name: &&String| name.starts_with(torment) && name.ends_with(": rounds");
            let rounds = figures.as_object().expect("figures").keys().find(named);
            assert!(rounds.is_some(), "{torment}");
        }
        let most = figures["all: p99, ms"].as_f64().expect("p99");
        assert!(most < Duration::from_secs(3).as_secs_f64() * 1e3, "it took {most} ms");
    });
}
