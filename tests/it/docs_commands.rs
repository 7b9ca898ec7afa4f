//! The commands of `README.md` and `docs/*.md`, run as they are written.
//!
//! A block of shell carries, in the line before it, a comment that says how it is run:
//!
//! - `<!-- test: demo -->`: beside a running demo. All of one document run in one shell, in order.
//! - `<!-- test: cli -->`: in a directory that holds the repository's files, with `tessera` on the
//!   path. All of one document run in one shell, in order.
//! - `<!-- test: none, REASON -->`: not run, and why.
//!
//! Two blocks need none: `cargo run --release -- demo` is the demo the others run beside, and
//! `cargo test` is what runs this.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::db::scratch;
use crate::support::process::{Process, finish, tessera};

/// Where the documents say that the demo is.
const WRITTEN: &str = "127.0.0.1:8080";

/// The demo of a test is smaller than the one of the README, which takes a minute.
const DEMO: [&str; 6] = ["demo", "--json", "--members", "60", "--purchases", "300"];

/// What the documents show to be refused, by document: statuses from 400 up, in order.
const REFUSED: &[(&str, &[u16])] = &[("README.md", &[403])];

/// A block of shell.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    line: usize,
    how: How,
    commands: String,
}

/// How a block is run.
#[derive(Debug, PartialEq, Eq)]
enum How {
    Demo,
    Cli,
    NotRun,
    /// Known without being told.
    Known,
    Untold,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md")];
    let docs = fs::read_dir(root().join("docs")).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("below the root").display().to_string();
        (name, fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    };
    paths.into_iter().map(read).collect()
}

/// The blocks of shell in a document.
fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(text.lines());
    let mut before = "";
    while let Some((line, opening)) = lines.next() {
        let Some(language) = opening.trim_end().strip_prefix("```") else {
            before = if opening.trim().is_empty() { before } else { opening };
            continue;
        };
        let inside: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim_end() != "```").collect();
        if matches!(language, "sh" | "bash" | "shell" | "console" | "") {
            found.push(Block { line, how: how(before, &inside), commands: inside.join("\n") });
        }
        before = "";
    }
    found
}

fn how(before: &str, lines: &[&str]) -> How {
    let told = before.trim().strip_prefix("<!-- test:").and_then(|rest| rest.strip_suffix("-->")).map(str::trim);
    match told {
        Some("demo") => How::Demo,
        Some("cli") => How::Cli,
        Some(reason) if reason.strip_prefix("none,").is_some_and(|reason| reason.trim().len() > 10) => How::NotRun,
        Some(_) => How::Untold,
        None if matches!(lines, ["cargo run --release -- demo" | "cargo test"]) => How::Known,
        None => How::Untold,
    }
}

#[test]
fn blocks_are_found_with_how_they_are_run() {
    let text = "a\n\n```sh\ncargo test\n```\n<!-- test: demo -->\n```sh\nx\ny\n```\n```json\n{}\n```\n\
        <!-- test: none, needs a host -->\n\n```console\nz\n```\n```console\nw\n```\n<!-- test: none -->\n```sh\nv\n```\n";
    let found: Vec<(usize, How, String)> =
        blocks(text).into_iter().map(|block| (block.line, block.how, block.commands)).collect();
    let expected = [
        (3, How::Known, "cargo test"),
        (7, How::Demo, "x\ny"),
        (16, How::NotRun, "z"),
        (19, How::Untold, "w"),
        (23, How::Untold, "v"),
    ];
    assert_eq!(found, expected.map(|(line, how, text)| (line, how, text.to_owned())));
}

#[test]
fn every_block_says_how_it_is_run() {
    let untold: Vec<String> = documents()
        .iter()
        .flat_map(|(name, text)| blocks(text).into_iter().map(move |block| (name, block)))
        .filter(|(_, block)| block.how == How::Untold)
        .map(|(name, block)| format!("{name}:{}: {}", block.line, block.commands.lines().next().unwrap_or_default()))
        .collect();
    assert!(untold.is_empty(), "blocks that do not say how they are run:\n{}", untold.join("\n"));
    let (_, readme) = documents().into_iter().find(|(name, _)| name == "README.md").expect("README.md");
    for command in ["cargo run --release -- demo", "cargo test"] {
        assert!(blocks(&readme).iter().any(|block| block.commands == command), "the README says {command}");
    }
    assert!(blocks(&readme).iter().any(|block| block.how == How::Demo), "the README shows the demo at work");
}

/// Before the first command: stop at what fails, and tell the status of every answer.
const PRELUDE: &str = r#"set -euo pipefail
curl() { command curl --fail-with-body --max-time 30 -w '%{stderr}status %{http_code}\n' "$@" || [ $? = 22 ]; }
"#;

/// All blocks of a document that are run in one way, as one script.
fn script(text: &str, how: &How) -> Option<String> {
    let chosen: Vec<String> =
        blocks(text).into_iter().filter(|block| block.how == *how).map(|block| block.commands).collect();
    (!chosen.is_empty()).then(|| format!("{PRELUDE}{}\n", chosen.join("\n")))
}

/// Runs a script and returns the statuses from 400 up that it was answered with.
fn run(script: &str, shell: &mut Command) -> (String, Vec<u16>) {
    let (code, out, err) = finish(shell.arg("-c").arg(script).stdin(Stdio::null()));
    assert_eq!(code, 0, "{script}\n--- out\n{out}\n--- err\n{err}");
    let statuses = err.lines().filter_map(|line| line.strip_prefix("status ")?.parse().ok());
    (out, statuses.filter(|status| *status >= 400).collect())
}

#[test]
fn what_is_written_about_the_demo_works() {
    let dir = scratch("docs");
    let mut demo = Process::start(tessera(&dir).args(DEMO));
    let ready: Value = demo.says("the demo is ready", |line| serde_json::from_str(line).ok());
    let address = ready["url"].as_str().and_then(|url| url.strip_prefix("http://")).expect("a URL");
    assert_eq!((&ready["members"], &ready["purchases"]), (&Value::from(60), &Value::from(300)));
    let roles: Vec<&str> = ready["logins"].as_array().unwrap().iter().filter_map(|l| l["role"].as_str()).collect();
    assert_eq!(roles, ["admin", "manager", "cashier", "member"]);

    let mut ran = 0;
    for (name, text) in documents() {
        let Some(script) = script(&text, &How::Demo) else { continue };
        ran += 1;
        let (_, refused) = run(&script.replace(WRITTEN, address), Command::new("bash").current_dir(&dir));
        let shown = REFUSED.iter().find(|(document, _)| *document == name).map_or(&[][..], |(_, shown)| shown);
        assert_eq!(refused, shown, "{name}: what is refused\n{script}");
    }
    assert!(ran >= 1, "a document shows the demo at work");
    demo.signal(libc::SIGINT);
    assert!(demo.wait().success(), "Ctrl-C ends it in good order");
}

#[test]
fn what_is_written_about_the_command_line_works() {
    let binary = Path::new(env!("CARGO_BIN_EXE_tessera")).parent().expect("a directory");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    for (name, text) in documents() {
        let Some(script) = script(&text, &How::Cli) else { continue };
        let dir = scratch("docs");
        for part in ["config", "tests"] {
            symlink(root().join(part), dir.join(part)).expect("a link");
        }
        let mut shell = tessera(&dir);
        let environment: Vec<_> =
            shell.get_envs().map(|(key, value)| (key.to_owned(), value.map(ToOwned::to_owned))).collect();
        shell = Command::new("bash");
        for (key, value) in environment {
            match value {
                Some(value) => shell.env(key, value),
                None => shell.env_remove(key),
            };
        }
        let (_, refused) = run(&script, shell.current_dir(&dir).env("PATH", &path));
        assert!(refused.is_empty(), "{name}: {refused:?}");
    }
}
