//! Chromium without a window, driven over its debugging pipe as a person would drive it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Width and height of its window.
pub const WINDOW: (u32, u32) = (1280, 900);

/// A browser with one empty page, and a profile of its own that goes with it.
#[derive(Debug)]
pub struct Browser {
    chromium: Child,
    requests: File,
    answers: BufReader<File>,
    /// The page, once it is there.
    page: Option<String>,
    sent: u64,
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn open() -> Self {
        let profile = tempfile::tempdir().expect("a temporary directory");
        let [requests, answers] = ["requests", "answers"].map(|name| profile.path().join(name));
        let made = Command::new("mkfifo").args([&requests, &answers]).status().expect("mkfifo");
        assert!(made.success());
        // Chromium takes requests from descriptor 3 and answers on 4; one that hangs is ended, and the test with it.
        let script = r#"exec 3<"$1" 4>"$2"; shift 2; exec timeout 300 chromium "$@""#;
        let chromium = Command::new("sh")
            .args(["-c", script, "sh"])
            .args([&requests, &answers])
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--disable-dev-shm-usage", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        let requests = OpenOptions::new().write(true).open(requests).expect("its requests");
        let answers = BufReader::new(File::open(answers).expect("its answers"));
        let mut browser = Self {
            chromium,
            requests,
            answers,
            page: None,
            sent: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let (width, height) = WINDOW;
        let target = browser.call(
            "Target.createTarget",
            json!({ "url": "about:blank", "newWindow": true, "width": width, "height": height }),
        );
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach);
        browser.page = session["sessionId"].as_str().map(str::to_owned);
        for part in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{part}.enable"), json!({}));
        }
        browser
    }

    /// Asks for something in words of the DevTools protocol.
    ///
    /// # Panics
    /// When it is refused, or the browser has ended.
    #[track_caller]
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.sent += 1;
        let mut request = json!({ "id": self.sent, "method": method, "params": parameters });
        if let Some(page) = &self.page {
            request["sessionId"] = page.as_str().into();
        }
        let request = [request.to_string().as_bytes(), b"\0"].concat();
        self.requests.write_all(&request).expect("chromium runs");
        loop {
            let mut answer = Vec::new();
            self.answers.read_until(0, &mut answer).expect("chromium answers");
            assert_eq!(answer.pop(), Some(0), "chromium ended; scripts/setup installs it");
            let mut answer: Value =
                serde_json::from_slice(&answer).expect("chromium answers in JSON");
            if answer["id"] == self.sent {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            self.events.push(answer);
        }
    }

    /// Opens a file, and waits until it is loaded.
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub fn visit(&mut self, page: &Path) {
        self.events.clear();
        self.call("Page.navigate", json!({ "url": format!("file://{}", page.display()) }));
        self.evaluate(
            "document.readyState === 'complete' || new Promise(done => addEventListener('load', () => done(true)))",
        );
    }

    /// The value of an expression in the page, or of what it promises.
    ///
    /// # Panics
    /// When it throws.
    #[track_caller]
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", parameters);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Chooses a file in an input of the page.
    ///
    /// # Panics
    /// When there is no such input.
    pub fn choose(&mut self, selector: &str, file: &Path) {
        let root = self.call("DOM.getDocument", json!({}));
        let found = json!({ "nodeId": root["root"]["nodeId"], "selector": selector });
        let input = self.call("DOM.querySelector", found);
        self.call("DOM.setFileInputFiles", json!({ "nodeId": input["nodeId"], "files": [file] }));
    }

    /// A picture of the window, PNG.
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub fn picture(&mut self) -> Vec<u8> {
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        BASE64.decode(picture["data"].as_str().expect("a picture")).expect("base64")
    }

    /// What the page complained of since it was visited: errors, and what its policy did not let it do.
    #[must_use]
    pub fn complaints(&self) -> Vec<&Value> {
        let loud = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        self.events
            .iter()
            .filter(|event| loud.iter().any(|name| event["method"] == *name))
            .collect()
    }

    /// Every address that was asked for since the page was visited.
    #[must_use]
    pub fn addresses(&self) -> Vec<&str> {
        let asked =
            self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked.filter_map(|event| event["params"]["request"]["url"].as_str()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends with its requests; it may have ended already.
        let _ = self.requests.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let _ = self.chromium.wait();
    }
}
