//! `tessera import`: what a file may hold, what is told about what it should not, and once is once.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::App;
use crate::support::app::{self, apply};
use crate::support::db::{Db, scratch};
use crate::support::process::{finish, tessera};

/// A database with the test programme, and a directory for files.
struct Desk {
    db: Db,
    dir: PathBuf,
}

impl Desk {
    fn new() -> Self {
        Self { db: Db::furnished(), dir: scratch("import") }
    }

    fn command(&self) -> Command {
        let mut command = tessera(&self.dir);
        command.env("DATABASE_URL", &self.db.url);
        command
    }

    /// Imports a file of this text: exit code and summary.
    fn import(&self, kind: &str, name: &str, text: impl AsRef<[u8]>, more: &[&str]) -> (i32, Value) {
        fs::write(self.dir.join(name), text).expect("a scratch file");
        let (code, out, err) = finish(self.command().args(["import", kind, name, "--json"]).args(more));
        let last = out.lines().last().unwrap_or_else(|| panic!("{err}"));
        (code, serde_json::from_str(last).unwrap_or_else(|error| panic!("{last}: {error}: {err}")))
    }

    /// Imports a file that is not even begun: exit code and message.
    fn refused(&self, kind: &str, name: &str, text: &str) -> (i32, String) {
        fs::write(self.dir.join(name), text).expect("a scratch file");
        let (code, out, err) = finish(self.command().args(["import", kind, name, "--commit"]));
        assert_eq!(out, "");
        (code, err)
    }

    /// The list of mistakes, without what is said in words.
    fn mistakes(&self, name: &str) -> Vec<String> {
        let list = fs::read_to_string(self.dir.join(format!("{name}.errors.csv"))).expect("a list");
        let mut lines = list.lines();
        assert_eq!(lines.next(), Some("line,column,code,detail"));
        lines.map(|line| line.splitn(4, ',').take(3).collect::<Vec<_>>().join(" ")).collect()
    }

    fn verify(&self) {
        let (code, _, err) = finish(self.command().arg("verify"));
        assert_eq!((code, err.as_str()), (0, ""));
    }
}

fn counts(accepted: u32, duplicates: u32, rejected: u32, list: Option<&str>) -> Value {
    let rows = accepted + duplicates + rejected;
    json!({"rows": rows, "accepted": accepted, "duplicates": duplicates, "rejected": rejected, "errors_file": list})
}

#[test]
fn members_come_with_all_columns_or_few() {
    let desk = Desk::new();
    let text = "\u{feff}name,external_id,phone,email,birth_date,enrolled_at,store,locale,opening_points,referred_by\r\n\
        \"Lin, Xiaoyu\",A-1,+86 138 0013 8000,Lin@Example.com,1990-02-28,2024-01-05,WEST,zh-CN,500,\r\n\
        Ann,A-2,,,--02-29,2024-01-05T10:00:00+08:00,,,0,A-1\r\n\
        Bob,A-3,,,,,,,,\r\n";
    let now = "select count(*) as value from member";
    assert_eq!(desk.import("members", "m.csv", text, &[]), (0, counts(3, 0, 0, None)));
    assert_eq!(desk.db.number(now), 0, "a dry run writes nothing");
    assert_eq!(desk.import("members", "m.csv", text, &["--commit"]), (0, counts(3, 0, 0, None)));
    assert_eq!(desk.import("members", "m.csv", text, &["--commit"]), (0, counts(0, 3, 0, None)));
    assert_eq!(desk.import("members", "m.csv", text, &[]), (0, counts(0, 3, 0, None)));
    let member = "select concat_ws('|', m.external_id, m.name, m.phone, m.email, m.birth_year, m.birth_month, \
        m.birth_day, m.locale, s.code, extract(epoch from m.enrolled_at)::bigint) as value \
        from member m left join store s on s.id = m.store_id where m.external_id < 'A-3' order by m.external_id";
    let expected = [
        // Midnight in Shanghai.
        "A-1|Lin, Xiaoyu|+8613800138000|lin@example.com|1990|2|28|zh-CN|west|1704384000",
        "A-2|Ann|2|29|en|1704420000",
    ];
    assert_eq!(desk.db.texts(member), expected);
    let brought = "select r.external_id || ' ' || m.external_id as value from referral f \
        join member m on m.id = f.member_id join member r on r.id = f.referrer_id";
    assert_eq!(desk.db.texts(brought), ["A-1 A-2"]);
    let lots = "select concat_ws(' ', e.kind, e.from_account, e.to_account, l.points, e.reason, e.actor_role, \
        extract(epoch from l.available_from)::bigint) as value from lot l join entry e using (member_id) where e.number = l.entry";
    assert_eq!(desk.db.texts(lots), ["adjustment adjusted available 500 opening_balance import 1704384000"]);
    desk.verify();
}

#[test]
fn what_is_wrong_with_a_member_is_told_cell_by_cell() {
    let desk = Desk::new();
    let text = b"external_id,name,phone,email,birth_date,enrolled_at,store,locale,opening_points,referred_by\n\
        A-1,Ann,+8613900139000,ann@example.com,,,west,,,\n\
        A-2,Cid,+8613900139000,,,,,,,\n\
        A-3,Dan,,ANN@example.com,,,,,,\n\
        ,,123,x,1990-13-01,yesterday,moon,fr,-5,\n\
        A-1,Ann again,,,,,,,,A-9\n\
        A-4,Eve,,,,2999-01-01,no store,,1.5,\n\
        A-5,\xff,,,,,,,,\n\
        A-6,few\n\
        A-7,Fay,,,,,,,,A-7\n";
    let told = [
        "3 phone phone_taken",
        "4 email email_taken",
        "5 external_id missing",
        "5 name missing",
        "5 phone phone_invalid",
        "5 email email_invalid",
        "5 birth_date birth_date_invalid",
        "5 enrolled_at instant_invalid",
        "5 locale locale_invalid",
        "5 opening_points points_invalid",
        "5 store store_unknown",
        "7 enrolled_at enrolled_too_late",
        "7 opening_points points_invalid",
        "7 store store_invalid",
        "8 name not_utf8",
        "9  cell_count",
        "10 referred_by referrer_unknown",
    ];
    for more in [&[][..], &["--commit"]] {
        assert_eq!(
            desk.import("members", "m.csv", text, more),
            (1, counts(1, 1, 7, Some("m.csv.errors.csv"))),
            "{more:?}"
        );
        assert_eq!(desk.mistakes("m.csv"), told);
    }
    let list = fs::read_to_string(desk.dir.join("m.csv.errors.csv")).unwrap();
    assert!(!list.contains("13900139000"), "the list repeats no cell: {list}");
    // A file that is right takes the list of the wrong one away.
    assert_eq!(desk.import("members", "m.csv", "external_id,name\nA-1,Ann\n", &["--commit"]).0, 0);
    assert!(!desk.dir.join("m.csv.errors.csv").exists());
}

#[test]
fn an_opening_balance_that_a_killed_import_left_out_is_given_once() {
    let desk = Desk::new();
    assert_eq!(desk.import("members", "m.csv", "external_id,name\nA-1,Ann\n", &["--commit"]).0, 0);
    let text = "external_id,name,opening_points\nA-1,Ann,70\nA-1,Ann,70\n";
    assert_eq!(desk.import("members", "m.csv", text, &["--commit"]), (0, counts(1, 1, 0, None)));
    // The key of the command is forgotten after 30 days; the ledger is not.
    desk.db.execute("delete from idempotency");
    assert_eq!(desk.import("members", "m.csv", text, &["--commit"]), (0, counts(0, 2, 0, None)));
    assert_eq!(desk.db.number("select available as value from standing"), 70);
    desk.verify();
}

const MEMBERS: &str = "external_id,name,enrolled_at\nA-1,Ann,2024-01-01\nA-2,Bob,2024-01-01\n";

#[test]
fn rows_that_stand_together_make_one_receipt() {
    let desk = Desk::new();
    assert_eq!(desk.import("members", "m.csv", MEMBERS, &["--commit"]).0, 0);
    let text = "external_id,member,store,occurred_at,currency,line,sku,categories,quantity,amount\n\
        1,A-1,North,2024-02-01T12:00:00Z,CNY,1,BLEND,food|coffee,1.5,10.00\n\
        1,A-1,north,2024-02-01T12:00:00Z,CNY,2,,tobacco,1,99.990\n\
        2,A-2,north,2024-02-01T12:00:00Z,,,,,,0.99\n";
    let without = desk.import("purchases", "p.csv", text, &["--commit"]);
    assert_eq!(without, (1, counts(0, 0, 3, Some("p.csv.errors.csv"))));
    assert_eq!(desk.mistakes("p.csv"), ["2 store store_unknown", "4 store store_unknown"]);

    assert_eq!(desk.import("purchases", "p.csv", text, &["--create-stores"]), (0, counts(3, 0, 0, None)));
    assert_eq!(desk.db.number("select count(*) as value from store where code = 'north'"), 0);
    let all = ["--create-stores", "--commit"];
    assert_eq!(desk.import("purchases", "p.csv", text, &all), (0, counts(3, 0, 0, None)));
    assert_eq!(desk.import("purchases", "p.csv", text, &all), (0, counts(0, 3, 0, None)));
    assert_eq!(desk.import("purchases", "p.csv", text, &[]), (0, counts(0, 3, 0, None)));
    let bought = "select concat_ws(' ', source, external_id, amount, points, actor_role, \
        jsonb_array_length(answer::jsonb #> '{explanation,lines}')) as value from purchase order by external_id";
    // Three times 1,000 fen for the blend; nothing for tobacco.
    assert_eq!(desk.db.texts(bought), ["north 1 10999 30 import 2", "north 2 99 0 import 1"]);
    desk.verify();
}

#[test]
fn json_lines_carry_the_same() {
    let desk = Desk::new();
    assert_eq!(desk.import("members", "m.csv", MEMBERS, &["--commit"]).0, 0);
    let text = concat!(
        r#"{"external_id": 1, "member": "A-1", "store": "west", "occurred_at": "2024-02-01T12:00:00Z", "currency": "CNY","#,
        r#" "lines": [{"sku": "BLEND", "categories": ["coffee"], "quantity": 2, "amount": 11.77}, {"amount": "-1.5"}]}"#,
        "\n\n",
        r#"{"external_id": "1", "member": "A-1", "store": "WEST", "occurred_at": "2024-02-01T20:00:00+08:00","#,
        r#" "lines": [{"sku": "BLEND", "categories": "coffee", "quantity": "2.0", "amount": "11.770"}, {"amount": -1.50}]}"#,
        "\n",
        r#"{"external_id": "1", "member": "A-2", "store": "west", "occurred_at": "2024-02-01T12:00:00Z", "lines": [{"amount": 1}]}"#,
        "\n",
        r#"{"external_id": 2, "member": "A-2", "store": "west", "occurred_at": "2024-02-01T12:00:00Z", "currency": "USD","#,
        r#" "lines": [{"amount": 1}]}"#,
        "\n",
        r#"{"external_id": 3, "member": "A-9", "store": "moon", "occurred_at": "2024-02-01", "currency": "cny", "shop": 1,"#,
        r#" "lines": [{"amount": 1.234}, {"amount": true, "quantity": 0, "categories": ["a","b","c","d","e","f","g","h","i"]}]}"#,
        "\n",
        r#"{"external_id": 4"#,
        "\n[]\n",
        r#"{"external_id": 5, "member": "A-2", "store": "west", "occurred_at": "2999-02-01T12:00:00Z", "lines": [{"amount": 90071992547409.92}]}"#,
        "\n",
        r#"{"external_id": 6, "member": "A-9", "store": "moon", "occurred_at": "2024-02-01T12:00:00Z", "lines": [{"amount": 1e2}]}"#,
        "\n",
        r#"{"external_id": 7, "member": "A-9", "store": "moon", "occurred_at": "2024-02-01T12:00:00Z", "lines": [{"amount": 1}]}"#,
    );
    let told = [
        "4 external_id duplicate_external_id",
        "5 currency currency_mismatch",
        "6 shop unknown_field",
        "6 lines[1].amount invalid_type",
        "6 occurred_at instant_invalid",
        "6 currency currency_invalid",
        "6 lines[0].amount amount_invalid",
        "6 lines[1].categories too_many_categories",
        "6 lines[1].quantity quantity_invalid",
        "7  malformed_json",
        "8  invalid_type",
        "9 occurred_at occurred_too_late",
        "9 lines[0].amount amount_out_of_range",
        "10 lines[0].amount amount_invalid",
        "11 member member_unknown",
        "11 store store_unknown",
    ];
    for (more, accepted, duplicates) in [(&[][..], 1, 1), (&["--commit"], 1, 1), (&["--commit"], 0, 2)] {
        let expected = (1, counts(accepted, duplicates, 8, Some("p.jsonl.errors.csv")));
        assert_eq!(desk.import("purchases", "p.jsonl", text, more), expected, "{more:?}");
        assert_eq!(desk.mistakes("p.jsonl"), told);
    }
    assert_eq!(desk.db.texts("select concat_ws(' ', amount, points) as value from purchase"), ["1027 33"]);
    desk.verify();
}

#[test]
fn rows_that_contradict_each_other_are_told() {
    let desk = Desk::new();
    assert_eq!(desk.import("members", "m.csv", MEMBERS, &["--commit"]).0, 0);
    let text = "external_id,member,store,occurred_at,line,amount\r\n\
        1,A-1,west,2024-02-01T12:00:00Z,1,3\r\n\
        1,A-2,west,2024-02-01T13:00:00Z,3,3\r\n\
        2,A-1,west,2024-02-01T12:00:00Z,1,3\r\n\
        3,A-1,west,2024-02-01T12:00:00Z,1,3\r\n\
        2,A-1,west,2024-02-01T12:00:00Z,2,3\r\n";
    assert_eq!(desk.import("purchases", "p.csv", text, &["--commit"]), (1, counts(2, 0, 3, Some("p.csv.errors.csv"))));
    let told = [
        "3 member receipt_inconsistent",
        "3 occurred_at receipt_inconsistent",
        "3 line line_out_of_order",
        "6 line line_out_of_order",
    ];
    assert_eq!(desk.mistakes("p.csv"), told);
}

#[test]
fn a_file_that_is_no_such_table_is_not_begun() {
    let desk = Desk::new();
    for (text, why) in [
        ("", "the file is empty"),
        ("external_id,name,nmae\n", "unknown column \"nmae\""),
        ("external_id\n", "column \"name\" is missing"),
        ("external_id,name,name\n", "column \"name\" is there twice"),
    ] {
        let (code, err) = desk.refused("members", "m.csv", text);
        assert!(code == 1 && err.contains(why), "{text}: {err}");
    }
    let endless = format!("external_id,name\nA-1,Ann\nA-2,\"{}", "x".repeat(3 << 20));
    let (code, err) = desk.refused("members", "m.csv", &endless);
    assert!(code == 1 && err.contains("line 3") && err.contains("never closed"), "{err}");
    let (code, _, err) = finish(desk.command().args(["import", "members", "m.csv", "--errors", "m.csv"]));
    assert!(code == 1 && err.contains("overwrite"), "{err}");
    let (code, _, err) = finish(desk.command().args(["import", "members"]));
    assert_eq!(code, 2, "{err}");
}

#[test]
fn a_cell_of_the_list_is_no_formula() {
    let desk = Desk::new();
    let text = r#"{"=1+2": 1, "external_id": 1, "lines": []}"#;
    assert_eq!(desk.import("purchases", "p.jsonl", text, &[]).0, 1);
    assert_eq!(desk.mistakes("p.jsonl")[0], "1 '=1+2 unknown_field");
}

#[test]
fn without_a_programme_nothing_is_imported() {
    let desk = Desk { db: Db::without_programme(), dir: scratch("import") };
    let (code, err) = desk.refused("members", "m.csv", MEMBERS);
    assert!(code == 1 && err.contains("tessera programme apply"), "{err}");
    apply(&mut desk.db.connect(), &app::programme());
    assert_eq!(desk.import("members", "m.csv", MEMBERS, &["--commit"]), (0, counts(2, 0, 0, None)));
}

#[test]
fn what_was_imported_is_there_for_the_till() {
    let app = App::start();
    let desk_dir = scratch("import");
    let import = |kind: &str, text: &str| {
        fs::write(desk_dir.join("in.csv"), text).expect("a scratch file");
        let mut command = tessera(&desk_dir);
        command.env("DATABASE_URL", &app.db.url).args(["import", kind, "in.csv", "--commit"]);
        let (code, out, err) = finish(&mut command);
        assert_eq!(code, 0, "{out}{err}");
    };
    import("members", "external_id,name,opening_points\nA-1,Ann,200\n");
    import(
        "purchases",
        "external_id,member,store,occurred_at,channel,amount\nR-1,A-1,west,2030-12-01T04:00:00Z,web,12.34\n",
    );
    let till = app.cashier();
    let found = till.get("/v1/till/members?external_id=A-1").expect(200);
    let id = found["data"][0]["id"].as_str().expect("a member").to_owned();
    assert_eq!(till.get(&format!("/v1/till/members/{id}/balance")).expect(200)["available"], 212);
    let purchase = till.get("/v1/till/purchases?external_id=R-1").expect(200);
    assert_eq!(purchase["data"][0]["points"]["given"], 12);
    assert_eq!(purchase["data"][0]["channel"], "web");
    assert_eq!(app.other_cashier().get("/v1/till/purchases?external_id=R-1").expect(200)["data"], json!([]));
}
