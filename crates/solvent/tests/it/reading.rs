//! Reading the record: beside a campaign that runs, and as of an earlier moment.

use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Repo, TINY_APP, solvent};

/// Ends its process with itself.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn reads_answer_while_a_campaign_runs_in_another_process() {
    // The target takes its time to start, which keeps the campaign and its lock busy.
    let slow = TINY_APP.replace(
        "if __name__ == \"__main__\":\n",
        "if __name__ == \"__main__\":\n    __import__(\"time\").sleep(45)\n",
    );
    let repo = Repo::with(&[
        ("app.py", slow.as_str()),
        (
            "solvent.toml",
            "[target.start]\nscript = \"app.py\"\nport = 8099\nready = \"/\"\ntimeout = 90\n",
        ),
    ]);
    repo.run(&["init"]).expect(0);
    let id = repo.run(&["scan", "--json"]).json()["findings"][0]["id"]
        .as_str()
        .expect("a finding")
        .to_owned();
    let mut campaign = Running(
        solvent(&["prove"], &repo.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("prove starts"),
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if campaign.0.try_wait().expect("a state").is_some() {
            let mut words = String::new();
            if let Some(err) = campaign.0.stderr.as_mut() {
                let _ = err.read_to_string(&mut words);
            }
            eprintln!("unmeasured: reads beside a campaign: it ended at once: {words}");
            return;
        }
        let log = repo.run(&["log", "--json"]).expect(0).json();
        let last = log["entries"].as_array().and_then(|e| e.last()).cloned();
        if last.is_some_and(|last| last["action"] == "prove" && last["phase"] == "intent") {
            break;
        }
        assert!(Instant::now() < deadline, "prove never recorded its intent");
    }
    // While it holds the lock, what writes is told so, and what reads is not.
    repo.run(&["scan"]).expect(4).says("in use by process");
    let asked = Instant::now();
    repo.run(&["status"]).expect(3).says("1");
    repo.run(&["findings"]).expect(0).says(&id);
    repo.run(&["show", &id]).expect(0).says(&id);
    repo.run(&["log"]).expect(0).says("prove");
    repo.run(&["report", "--html", "page.html"]).expect(0);
    let as_of = repo.run(&["log", "--json"]).json()["entries"][0]["time_ms"].clone();
    let as_of = time(as_of.as_i64().expect("a time"));
    repo.run(&["log", "--as-of", &as_of]).expect(0).says("init");
    assert!(
        campaign.0.try_wait().expect("a state").is_none(),
        "the campaign ended before the reads did, after {:?}: nothing was shown",
        asked.elapsed()
    );
}

/// RFC 3339 of milliseconds, by the program's own words for them.
fn time(ms: i64) -> String {
    let days = ms.div_euclid(86_400_000);
    let rest = ms.rem_euclid(86_400_000);
    // Days since 1970 to a date: Howard Hinnant, civil_from_days.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (
        doy - (153 * mp + 2) / 5 + 1,
        if mp < 10 { mp + 3 } else { mp - 9 },
    );
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1_000 % 60,
        rest % 1_000
    )
}

/// What was shown at one moment.
struct Shown {
    time: String,
    answers: Vec<(Vec<String>, Value)>,
}

fn ask(repo: &Repo, id: Option<&str>) -> Shown {
    let mut questions: Vec<Vec<&str>> = vec![vec!["status"], vec!["log"]];
    if let Some(id) = id {
        questions.push(vec!["findings", "--all"]);
        questions.push(vec!["show", id]);
    }
    let answers: Vec<(Vec<String>, Value)> = questions
        .into_iter()
        .map(|mut words| {
            words.push("--json");
            let answer = repo.run(&words).json();
            (words.into_iter().map(str::to_owned).collect(), answer)
        })
        .collect();
    let last = answers[1].1["entries"]
        .as_array()
        .and_then(|entries| entries.last())
        .and_then(|entry| entry["time_ms"].as_i64())
        .expect("a record");
    Shown {
        time: time(last),
        answers,
    }
}

#[test]
fn what_was_shown_then_is_shown_again_as_of_then() {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    let mut moments = Vec::new();
    repo.run(&["init"]).expect(0);
    moments.push(ask(&repo, None));
    let id = repo.run(&["scan", "--json"]).json()["findings"][0]["id"]
        .as_str()
        .expect("a finding")
        .to_owned();
    moments.push(ask(&repo, Some(&id)));
    // A second flaw, and then the first one goes.
    let second = TINY_APP
        .replace("8099", "8098")
        .replace("\"host\"", "\"name\"");
    repo.write("other.py", second.as_bytes());
    repo.commit("second");
    repo.run(&["scan"]);
    moments.push(ask(&repo, Some(&id)));
    repo.write("app.py", b"print('gone')\n");
    repo.commit("third");
    repo.run(&["scan"]);
    moments.push(ask(&repo, Some(&id)));
    let found = |shown: &Shown| shown.answers[0].1["found"].as_u64();
    assert_eq!(
        moments.iter().map(found).collect::<Vec<_>>(),
        [Some(0), Some(2), Some(4), Some(2)]
    );

    for moment in &moments {
        for (words, then) in &moment.answers {
            let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
            words.extend(["--as-of", &moment.time]);
            let mut now = repo.run(&words).json();
            let fields = now.as_object_mut().expect("a document");
            let said = fields.remove("as_of").expect("the moment is said");
            assert_eq!(said["time"], moment.time.as_str());
            assert_eq!(now, *then, "{words:?}");
        }
    }
    let today = &moments[3].time[..10];
    repo.run(&["status", "--as-of", today])
        .says("As of ")
        .says("T23:59:59.999Z");
    repo.run(&["status", "--as-of", "2001-01-01"])
        .expect(2)
        .says("the first record is of");
    repo.run(&["status", "--as-of", "2999-01-01"])
        .expect(2)
        .says("still to come");
    repo.run(&["log", "--as-of", "soon"])
        .expect(2)
        .says("is not a date");
    repo.run(&["show", &id, "--open", "--as-of", today])
        .expect(2);
}

#[test]
fn a_repository_without_a_record_is_read_without_making_one() {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    repo.run(&["status"]).expect(3);
    repo.run(&["log"]).expect(0);
    repo.run(&["status", "--as-of", "2026-01-01"])
        .expect(2)
        .says("nothing was recorded here yet");
    assert!(!repo.path().join(".solvent").exists());
}
