//! `tessera bench`: the arithmetic, what it lists and prints, and one tiny row from end to end. How fast
//! anything is is asserted nowhere: that is what the bench is for.

use serde_json::{Value, json};
use tessera::cli::bench::report::{CROWDED, Measured, Report, Sample, Spread, by_cpu, met};
use tessera::cli::bench::rows::{ROWS, Sense, choose};

use crate::support::db::scratch;
use crate::support::process::{finish, tessera};

fn sample(ratio: f64) -> Sample {
    Sample { ratio, verdict: None, absolute: "words".to_owned(), cpu_us: 12.3456, other_load: 7.0 }
}

#[test]
fn medians_are_of_the_middle() {
    assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Spread { median: 2.0, least: 1.0, most: 3.0 });
    assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 10.0]).median, 3.0);
    assert_eq!(Spread::of(&[0.5]).to_string(), "0.50 (0.50–0.50)");
    assert_eq!(Spread::of(&[]).median, 0.0);
}

#[test]
fn targets_are_met_in_the_direction_that_is_better() {
    let [faster, cheaper] = [&ROWS[0], &ROWS[2]];
    assert_eq!((faster.sense, cheaper.sense), (Sense::AtLeast, Sense::AtMost));
    assert_eq!(met(faster, &sample(3.0)), (true, false));
    assert_eq!(met(faster, &sample(2.99)), (false, false));
    assert_eq!(met(cheaper, &sample(0.25)), (true, false));
    assert_eq!(met(cheaper, &sample(0.1)), (true, true));
    // A row may look at more than its ratio.
    let two = Sample { verdict: Some((true, false)), ..sample(0.0) };
    assert_eq!(met(faster, &two), (true, false));
    // Where others have most of the machine the CPU time of an accrual decides.
    assert_eq!(by_cpu(CROWDED, 0.1), None);
    assert_eq!(by_cpu(99.0, 0.2), Some((true, false)));
    assert_eq!(by_cpu(99.0, 0.3), Some((false, false)));
    for row in &ROWS {
        assert!(row.reaches(row.aim, row.must), "whoever reaches the aim of {} reaches what it must", row.name);
    }
}

#[test]
fn a_report_says_what_was_measured_and_what_was_not() {
    let mut report = Report::default();
    report.add(&ROWS[0], Measured::Sample(sample(2.0)));
    report.add(&ROWS[1], Measured::Skipped("left out".to_owned()));
    assert!(report.misses() && !report.failed());
    let first = json!({"row": 1, "name": "accruals-64", "ratio": 2.0, "must": 3.0, "aim": 5.0, "met": false,
                       "aim_met": false, "skipped": false, "cpu_us": 12.346, "other_load": 7.0});
    let second = json!({"row": 2, "name": "accruals-256", "ratio": null, "must": 4.0, "aim": 6.0, "met": null,
                        "aim_met": null, "skipped": true, "cpu_us": null, "other_load": null});
    assert_eq!(report.json(), json!({ "results": [first, second] }));
    let table = report.table();
    assert!(table.contains("✗ ✗") && table.contains("skipped: left out"), "{table}");
    report.add(&ROWS[2], Measured::Failed("no pgbench".to_owned()));
    assert!(report.failed() && report.table().contains("not measured: no pgbench"));
}

#[test]
fn rows_are_chosen_by_number_or_name() {
    let names = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        choose(&names).map(|rows| rows.iter().map(|row| row.number).collect::<Vec<_>>())
    };
    assert_eq!(names(&["wal", "1", "accruals-64"]).unwrap(), [1, 16]);
    assert_eq!(names(&[]).unwrap(), (1..=16).collect::<Vec<_>>());
    assert!(names(&["17"]).unwrap_err().to_string().contains("17"));
}

/// What `tessera bench` prints, in an empty directory.
fn bench(args: &[&str]) -> (i32, String, String, bool) {
    let dir = scratch("bench");
    let (code, said, told) = finish(tessera(&dir).arg("bench").args(args));
    (code, said, told, dir.join(".tessera/bench").exists())
}

#[test]
fn all_sixteen_are_listed() {
    let (code, said, _, _) = bench(&["--list"]);
    let listed: Vec<&str> = said.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!((code, listed), (0, ROWS.map(|row| row.name).to_vec()));
    assert_eq!(bench(&["no-such-row"]).0, 1);
}

#[test]
fn quick_says_what_it_leaves_out() {
    let (code, said, _, left) = bench(&["--quick", "--json", "verify", "7"]);
    let report: Value = serde_json::from_str(&said).expect("one JSON line");
    let rows: Vec<(&Value, &Value)> =
        report["results"].as_array().unwrap().iter().map(|row| (&row["row"], &row["skipped"])).collect();
    assert_eq!((code, rows), (0, vec![(&json!(7), &json!(true)), (&json!(12), &json!(true))]));
    assert!(!left, "nothing was started");
    let quick: Vec<u8> = ROWS.iter().filter(|row| row.quick).map(|row| row.number).collect();
    assert_eq!(quick, [1, 2, 3, 4, 5, 8, 9, 10, 16]);
}

#[test]
fn a_row_is_measured_from_end_to_end() {
    let (code, said, told, left) = bench(&["balance", "--json", "--rounds", "1", "--seconds", "1", "--members", "10"]);
    assert_eq!(code, 0, "{told}");
    let report: Value = serde_json::from_str(&said).expect("one JSON line");
    let [row] = &report["results"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!((&row["row"], &row["name"], &row["skipped"]), (&json!(9), &json!("balance"), &json!(false)));
    assert!(row["ratio"].as_f64().unwrap() > 0.0 && row["cpu_us"].as_f64().unwrap() > 0.0, "{row}");
    assert!(told.contains("balance GET/s"), "{told}");
    assert!(!left, "nothing is left behind");
}
