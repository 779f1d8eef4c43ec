//! The load tool works: what it measures is for people to read, so only that it measures is looked at.

use std::process::Command;

use serde_json::Value;

#[test]
fn each_question_is_answered() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let programs = std::env::current_exe().expect("this test has a file");
    let healthcardd = programs.ancestors().nth(2).expect("target/debug").join("healthcardd");
    let output = Command::new(healthcardd)
        .args([
            "bench",
            "tokens",
            "decisions",
            "pairs",
            "staff",
            "national",
            "log",
            "size",
            "--seconds",
            "1",
            "--people",
            "40",
            "--entries",
            "10000",
            "--json",
        ])
        .arg("--dir")
        .arg(directory.path().join("bench"))
        .output()
        .expect("healthcardd runs");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complained}");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
    let questions: Vec<_> = answers.iter().map(|answer| answer["question"].as_str()).collect();
    assert_eq!(
        questions,
        ["tokens", "decisions", "pairs", "staff", "national", "log", "size"].map(Some)
    );
    for answer in answers {
        let figures = answer["figures"].as_object().expect("figures");
        assert!(!figures.is_empty(), "{answer}");
        assert!(
            figures.values().all(|figure| figure.as_f64().is_some_and(|n| n > 0.0)),
            "{answer}"
        );
    }
    assert!(!directory.path().join("bench").exists(), "what was made to measure is gone");
}
