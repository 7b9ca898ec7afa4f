//! The house rules that no compiler keeps: layout, words, lengths, links.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with this extension below some directories, with its path from the root.
fn files(below: &[&str], extension: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
                walk(&path, extension, found);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    below.iter().for_each(|dir| walk(&root().join(dir), extension, &mut found));
    found.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("below the root").display().to_string();
        (name, fs::read_to_string(&path).expect("a text"))
    };
    found.into_iter().map(read).collect()
}

fn assert_none(what: &str, mut faults: Vec<String>) {
    faults.sort();
    faults.dedup();
    assert!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
}

/// Code without comments, as far as whole lines go.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The rooms of the table in `src/lib.rs`, from the top: name and place. Rooms of one row share it.
fn rooms() -> BTreeMap<String, usize> {
    let table = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("//! | "))
        .filter(|row| row.starts_with(|c: char| c.is_ascii_digit()));
    let mut floor_above = usize::MAX;
    let mut rooms = BTreeMap::new();
    for (place, row) in rows.enumerate() {
        let mut cells = row.split('|').map(str::trim);
        let floor: usize = cells.next().and_then(|cell| cell.parse().ok()).expect("a floor");
        assert!(floor <= floor_above, "the table goes down: {row}");
        floor_above = floor;
        for name in cells.next().expect("rooms").split(',') {
            rooms.insert(name.trim().trim_matches(['[', ']', '`']).to_owned(), place);
        }
    }
    assert!(rooms.len() >= 10, "{rooms:?}");
    rooms
}

/// The rooms a text names after `crate::`, in groups too.
fn named(text: &str) -> Vec<String> {
    let ident = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut found = Vec::new();
    for rest in text.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            found.push(ident(rest));
            continue;
        };
        let (mut depth, mut at_start) = (0_usize, true);
        for (i, c) in group.char_indices() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => at_start = true,
                c if at_start && c.is_alphabetic() => {
                    found.push(ident(&group[i..]));
                    at_start = false;
                }
                _ => {}
            }
        }
    }
    found
}

/// The room a file of `src/` belongs to.
fn room_of(name: &str) -> String {
    let rest = name.strip_prefix("src/").expect("below src");
    rest.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned()
}

#[test]
fn rooms_are_read_from_imports() {
    assert_eq!(named("use crate::store::db; crate::clock::now()"), ["store", "clock"]);
    assert_eq!(named("use crate::{\n    api::{self, Health},\n    jobs,\n};"), ["api", "jobs"]);
}

#[test]
fn imports_run_down_only() {
    let rooms = rooms();
    let mut faults = Vec::new();
    for (name, text) in files(&["src"], "rs") {
        if name.starts_with("src/rules/") || matches!(name.as_str(), "src/lib.rs" | "src/main.rs" | "src/build.rs") {
            continue;
        }
        let own = room_of(&name);
        let Some(place) = rooms.get(&own) else {
            faults.push(format!("{name}: the table in src/lib.rs has no room {own}"));
            continue;
        };
        let code: String = code(&text).map(|(_, line)| format!("{line}\n")).collect();
        for other in named(&code) {
            match rooms.get(&other) {
                Some(there) if there >= place => {}
                Some(_) => faults.push(format!("{name} imports {other}, which is further up")),
                None => faults.push(format!("{name} imports {other}, which is no room")),
            }
        }
    }
    assert_none("imports run down the table in src/lib.rs", faults);
}

/// Where in a text a word stands as a word.
fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let stands = |line: &str| {
        line.match_indices(word).any(|(i, _)| {
            let starts = !word.starts_with(char::is_alphanumeric) || !part(line[..i].chars().next_back());
            let ends = !word.ends_with(char::is_alphanumeric) || !part(line[i + word.len()..].chars().next());
            starts && ends
        })
    };
    code(text).filter(|(_, line)| stands(line)).map(|(number, _)| number).collect()
}

#[test]
fn every_library_has_its_room() {
    let mut faults = Vec::new();
    for (name, text) in files(&["src"], "rs") {
        let room = room_of(&name);
        for (library, home) in [
            ("diesel", "store"),
            ("diesel_migrations", "store"),
            ("r2d2", "store"),
            ("actix_web", "api"),
            ("utoipa", "api"),
            ("utoipa_actix_web", "api"),
            ("utoipa_swagger_ui", "api"),
            ("jsonwebtoken", "access"),
            ("argon2", "access"),
            ("totp_rs", "access"),
            ("rand", "clock"),
            ("clap", "cli"),
            ("indicatif", "cli"),
        ] {
            let used = lines_with(&text, &format!("{library}::"));
            if room != home {
                faults.extend(used.into_iter().map(|line| format!("{name}:{line} names {library}")));
            }
        }
    }
    assert_none("a library is named in its own room only", faults);
}

#[test]
fn the_rulebook_is_pure() {
    let manifest = fs::read_to_string(root().join("src/rules/Cargo.toml")).expect("its manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let dependencies = manifest["dependencies"].as_table().expect("dependencies");
    for impure in ["diesel", "actix-web", "tokio", "serde_json", "rand", "tessera", "tracing", "metrics"] {
        assert!(!dependencies.contains_key(impure), "{impure}");
    }
    let mut faults = Vec::new();
    for (name, text) in files(&["src/rules"], "rs") {
        if name.starts_with("src/rules/tests/") {
            continue;
        }
        for word in ["f32", "f64", "std::fs", "std::env", "std::net", "SystemTime", "Utc::now", "Uuid::now_v7"] {
            faults.extend(lines_with(&text, word).into_iter().map(|line| format!("{name}:{line} says {word}")));
        }
        if !name.starts_with("src/rules/condition") {
            faults.extend(lines_with(&text, "cel::").into_iter().map(|line| format!("{name}:{line} names cel")));
        }
    }
    assert_none("no float, no time, no input or output in the rulebook", faults);
}

#[test]
fn words_that_must_not_be_said() {
    let mut faults = Vec::new();
    for (name, text) in files(&["src"], "rs") {
        let mut words = vec![
            "todo!",
            "unimplemented!",
            "dbg!",
            "println!",
            "eprintln!",
            "#[allow(",
            "#![allow(",
            "#[ignore",
            "TODO",
            "FIXME",
            "XXX",
            "thread::sleep(Duration::from_secs",
        ];
        if name != "src/clock.rs" {
            words.extend(["Utc::now", "Local::now", "SystemTime::now", "Uuid::now_v7", "Uuid::new_v4", "rand::rng"]);
        }
        if name == "src/build.rs" {
            words.retain(|word| *word != "println!");
        }
        for word in words {
            faults.extend(lines_with(&text, word).into_iter().map(|line| format!("{name}:{line} says {word}")));
        }
    }
    for (name, text) in files(&["tests", "benches", "fuzz"], "rs") {
        let lines = |word: &str| lines_with(&text, word);
        if name != "tests/it/tidy.rs" {
            faults.extend(lines("#[allow(").into_iter().map(|line| format!("{name}:{line} says #[allow(")));
            faults.extend(lines("#[ignore]").into_iter().map(|line| format!("{name}:{line} says #[ignore]")));
        }
        // The one that polls, with a deadline.
        if name != "tests/it/support/mod.rs" && name.starts_with("tests/") && name != "tests/it/tidy.rs" {
            faults.extend(lines("thread::sleep").into_iter().map(|line| format!("{name}:{line} sleeps")));
        }
    }
    assert_none("words", faults);
}

/// The longest a file may be. It is meant to stay below 500.
const LONGEST: usize = 600;

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut faults = Vec::new();
    for (name, text) in files(&["src", "tests", "benches", "fuzz"], "rs") {
        let lines = text.lines().count();
        let generated = name == "src/store/schema.rs";
        if lines > LONGEST && !generated {
            faults.push(format!("{name} has {lines} lines"));
        }
        if !text.starts_with("//! ") && !generated {
            faults.push(format!("{name} does not open with what it is for"));
        }
    }
    assert_none("files", faults);
}

#[test]
fn migrations_can_be_undone_and_are_named_for_what_they_do() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(root().join("migrations")).expect("migrations").flatten().filter(|e| e.path().is_dir()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        seen += 1;
        let date = name.get(..17).unwrap_or_default();
        let dated = date.len() == 17 && date.chars().all(|c| c.is_ascii_digit() || c == '-');
        let words = name.get(18..).unwrap_or_default().split('_').count();
        if !dated || words < 2 {
            faults.push(format!("{name}: YYYY-MM-DD-HHMMSS_verb_noun"));
        }
        for file in ["up.sql", "down.sql"] {
            let text = fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            if text.trim().is_empty() {
                faults.push(format!("{name}/{file} is missing or empty"));
            }
        }
        let up = fs::read_to_string(entry.path().join("up.sql")).unwrap_or_default().to_lowercase();
        let up: String = up.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        if up.contains("default now()") || up.contains("current_timestamp") {
            faults.push(format!("{name}: business time is given by the caller"));
        }
    }
    assert!(seen >= 2, "there are migrations");
    assert_none("migrations", faults);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut faults = Vec::new();
    let mut documents = files(&["docs"], "md");
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    documents.push(("README.md".to_owned(), readme));
    for (name, text) in documents {
        let dir = root().join(&name);
        let dir = dir.parent().expect("a directory");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            let elsewhere = target.contains("://") || target.starts_with("mailto:") || target.starts_with('/');
            if !elsewhere && !path.is_empty() && !dir.join(path).exists() {
                faults.push(format!("{name} links to {target}"));
            }
        }
    }
    assert_none("links", faults);
}

/// What others' users complain of is each held by a test that exists.
#[test]
fn every_complaint_has_its_test() {
    let sources = files(&["tests/it", "src/rules/tests"], "rs");
    let text = fs::read_to_string(root().join("docs/complaints.md")).expect("docs/complaints.md");
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |"));
    let named: Vec<&str> = rows.filter_map(|row| row.trim_end_matches("` |").rsplit('`').next()).collect();
    assert!(named.len() >= 40, "the table has been read");
    let exists = |name: &&str| sources.iter().any(|(_, source)| source.contains(&format!("fn {name}(")));
    let faults = named.iter().filter(|name| !exists(name)).map(|name| format!("there is no test {name}"));
    assert_none("complaints", faults.collect());
}

#[test]
fn every_test_file_is_part_of_the_test_binary() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).expect("main.rs");
    let mut faults = Vec::new();
    for entry in fs::read_dir(root().join("tests/it")).expect("tests/it").flatten() {
        let name = entry.file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        let is_module = entry.path().extension().is_some_and(|extension| extension == "rs");
        if is_module && name != "main" && !main.lines().any(|line| line.trim() == format!("mod {name};")) {
            faults.push(format!("tests/it/{name}.rs is not declared in main.rs"));
        }
    }
    assert_none("test files", faults);
}
