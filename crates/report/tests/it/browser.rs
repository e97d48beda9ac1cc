//! The pages in headless Chromium, at the sizes of a phone, a laptop and a sheet of paper: nothing sticks
//! out, no two texts of a drawing overlap, nothing is requested, the console stays empty.
//!
//! The browser is driven through its debugging pipe: messages of JSON that end with a zero byte.
//! `SOLVENT_PAGES_OUT` names a folder for pictures of what it saw.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use solvent_protocol::debt::{DebtReport, Measured};

use crate::{debt_sample, sample};

/// Longest wait for one message. Pages load in far less; a machine under load gets its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Width, height, medium. 360 is the narrowest phone that is sold; 673 is A4 without its margins.
const SIZES: [(u32, u32, &str); 4] = [
    (360, 780, "screen"),
    (390, 844, "screen"),
    (1280, 900, "screen"),
    (673, 980, "print"),
];

/// What a page must not do, as a list of complaints.
const LOOK: &str = r##"(() => {
  const wide = document.documentElement.clientWidth;
  const complaints = [];
  const name = e => e.tagName.toLowerCase() + '.' + (e.getAttribute('class') || '') + ' "' + e.textContent.trim().slice(0, 50) + '"';
  if (document.documentElement.scrollWidth > wide) complaints.push('the page is ' + document.documentElement.scrollWidth + ' wide');
  for (const e of document.body.querySelectorAll('*')) {
    const box = e.getBoundingClientRect();
    if (box.width > 0 && (box.left < -1 || box.right > wide + 1)) complaints.push(name(e) + ' reaches from ' + box.left + ' to ' + box.right);
  }
  for (const card of document.querySelectorAll('.card')) {
    const edge = card.getBoundingClientRect().right;
    for (const e of card.querySelectorAll('*')) {
      if (e.getBoundingClientRect().right > edge + 1) complaints.push(name(e) + ' sticks out of its card');
    }
  }
  for (const svg of document.querySelectorAll('svg.plot')) {
    const boxes = [...svg.querySelectorAll('text')].map(e => [e, e.getBoundingClientRect()]).filter(([, b]) => b.width > 0);
    boxes.forEach(([a, x], i) => boxes.slice(i + 1).forEach(([b, y]) => {
      const across = Math.min(x.right, y.right) - Math.max(x.left, y.left);
      const down = Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top);
      if (across > 1 && down > 3) complaints.push(name(a) + ' lies on ' + name(b));
    }));
  }
  for (const a of document.querySelectorAll('a[href^="#"]')) {
    if (!document.getElementById(a.getAttribute('href').slice(1))) complaints.push('nowhere: ' + a.getAttribute('href'));
  }
  return complaints;
})()"##;

#[test]
fn pages_hold_at_every_size() {
    let Some(mut browser) = Browser::start() else {
        eprintln!(
            "unmeasured: pages in a browser: `chromium` does not start; type: sudo apt-get install --yes chromium"
        );
        return;
    };
    let pages = [
        ("debt", solvent_report::debt::page(&debt_sample::debt())),
        (
            "debt-unmeasured",
            solvent_report::debt::page(&debt_sample::unmeasured()),
        ),
        ("debt-large", solvent_report::debt::page(&large())),
        ("report", solvent_report::html::page(&sample::full())),
    ];
    let mut complaints = Vec::new();
    for (name, page) in pages {
        let file = browser.folder.join(format!("{name}.html"));
        std::fs::write(&file, page).expect("the page is written");
        for (wide, high, medium) in SIZES {
            let seen = browser.look(&file, wide, high, medium);
            complaints.extend(
                seen.into_iter()
                    .map(|c| format!("{name} at {wide}, {medium}: {c}")),
            );
            if let Some(out) = std::env::var_os("SOLVENT_PAGES_OUT") {
                let out = PathBuf::from(out);
                browser.picture(&out.join(format!("{name}-{wide}.png")));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The sample with the figures of a scanner of patterns on a large repository.
fn large() -> DebtReport {
    let mut report = debt_sample::debt();
    report.funnel.attention.count = 23_623;
    let (Measured::Known(collapse), Measured::Known(exposure)) =
        (&mut report.collapse, &mut report.exposure)
    else {
        panic!("the sample has both");
    };
    collapse.remaining.count = 23_610;
    collapse.imported.count = 123_617;
    exposure.open_proof.count = 1_204;
    exposure.measured.count = 12_345;
    report
}

/// The checks themselves: a page that does everything wrong is caught at all of it.
#[test]
fn a_bad_page_is_caught() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let file = browser.folder.join("bad.html");
    let bad = "<!doctype html><html><head><meta name=\"viewport\" content=\"width=device-width\"></head><body><div style=\"width:900px\">wide</div><img src=\"http://127.0.0.1:9/x.png\">\
               <a href=\"#nothing\">x</a><script>console.error('loud')</script>\
               <div class=\"card\" style=\"width:20px\"><b style=\"white-space:nowrap\">3,610 of 3,617</b></div><svg class=\"plot\" width=\"300\" height=\"50\"><text x=\"0\" y=\"20\">one text</text><text x=\"9\" y=\"22\">another</text></svg></body></html>";
    std::fs::write(&file, bad).expect("the page is written");
    let seen = browser.look(&file, 360, 780, "screen").join("\n");
    for word in [
        "reaches from",
        "requests http://127.0.0.1:9",
        "nowhere: #nothing",
        "console",
        "lies on",
        "sticks out of its card",
    ] {
        assert!(seen.contains(word), "{word}: {seen}");
    }
}

struct Browser {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<Value>,
    session: String,
    /// Pages and the browser's own files.
    folder: PathBuf,
    next: u64,
    events: Vec<Value>,
}

impl Browser {
    /// `None` when there is no browser that starts.
    fn start() -> Option<Self> {
        let name = std::thread::current().name().map(str::to_owned);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "browser-{}",
            name.as_deref().unwrap_or("x").replace(':', "-")
        ));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder below target");
        // The pipe is descriptors 3 and 4. Chromium's own sandbox needs what a container may not give;
        // the only pages it meets here are ours, and it is told to know no host.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
                "sh",
            ])
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                "--hide-scrollbars",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--remote-debugging-pipe",
            ])
            .arg(format!(
                "--user-data-dir={}",
                folder.join("profile").display()
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let input = child.stdin.take();
        let stdout = child.stdout.take()?;
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut message = Vec::new();
            while reader.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else {
                    break;
                };
                message.clear();
                if send.send(value).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self {
            child,
            input,
            output,
            session: String::new(),
            folder,
            next: 0,
            events: Vec::new(),
        };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }))?;
        let attached = browser.ask(
            "Target.attachToTarget",
            json!({ "targetId": target["targetId"], "flatten": true }),
        )?;
        attached["sessionId"]
            .as_str()?
            .clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({}))?;
        }
        Some(browser)
    }

    /// Loads the page at a size and says everything that is wrong with it.
    fn look(&mut self, file: &Path, wide: u32, high: u32, medium: &str) -> Vec<String> {
        let url = format!("file://{}", file.display());
        let size =
            json!({ "width": wide, "height": high, "deviceScaleFactor": 1, "mobile": wide < 600 });
        self.must("Emulation.setDeviceMetricsOverride", size);
        self.must("Emulation.setEmulatedMedia", json!({ "media": medium }));
        self.events.clear();
        self.must("Page.navigate", json!({ "url": url }));
        self.wait_for("Page.loadEventFired");
        let looked = self.must(
            "Runtime.evaluate",
            json!({ "expression": LOOK, "returnByValue": true }),
        );
        let mut complaints: Vec<String> = looked["result"]["value"]
            .as_array()
            .expect("the check ran to its end")
            .iter()
            .map(|c| c.as_str().unwrap_or("?").to_owned())
            .collect();
        for event in &self.events {
            let p = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Network.requestWillBeSent" if p["request"]["url"] != url.as_str() => {
                    complaints.push(format!(
                        "requests {}",
                        p["request"]["url"].as_str().unwrap_or("?")
                    ));
                }
                "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => {
                    complaints.push(format!("console: {p}"));
                }
                _ => {}
            }
        }
        complaints
    }

    /// Everything that is on the page now, as high as it is.
    fn picture(&mut self, path: &Path) {
        let shot = self.must(
            "Page.captureScreenshot",
            json!({ "captureBeyondViewport": true, "format": "png" }),
        );
        let data = shot["data"].as_str().expect("a picture");
        std::fs::write(path, decoded(data)).expect("the picture is written");
    }

    fn must(&mut self, method: &str, params: Value) -> Value {
        self.ask(method, params)
            .unwrap_or_else(|| panic!("no answer to {method}"))
    }

    /// The answer; what happens meanwhile is kept in `events`.
    fn ask(&mut self, method: &str, params: Value) -> Option<Value> {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        let input = self.input.as_mut()?;
        input.write_all(message.to_string().as_bytes()).ok()?;
        input.write_all(&[0]).ok()?;
        loop {
            let message = self.output.recv_timeout(PATIENCE).ok()?;
            if message["id"] == self.next {
                return message.get("result").cloned();
            }
            self.events.push(message);
        }
    }

    fn wait_for(&mut self, event: &str) {
        while !self.events.iter().any(|e| e["method"] == event) {
            let message = self
                .output
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("{event} never came"));
            self.events.push(message);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.ask("Browser.close", json!({}));
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Base64, as RFC 4648 has it.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in text
        .bytes()
        .filter_map(|b| DIGITS.iter().position(|d| *d == b))
    {
        bits = bits << 6 | digit as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    bytes
}
