//! Heads of chains that are kept outside the database.

use super::furnished;
use crate::support::make::{self, earn};
use crate::support::process::{finish, tessera};

/// Computes a member's chain anew, as somebody who may change every row could.
const REHASH: &str = "
    create function field(x bytea) returns bytea language sql as $$ select int4send(length(x)) || x $$;
    create function micros(x timestamptz) returns bytea language sql as
        $$ select field(int8send((extract(epoch from x) * 1000000)::bigint)) $$;
    do $$
    declare e entry; v_head bytea := decode(repeat('00', 32), 'hex');
    begin
        for e in select * from entry where {his} order by number loop
            v_head := sha256('\\x01'::bytea || v_head || field(uuid_send(e.member_id)) || field(int8send(e.number))
                || field(e.kind::bytea) || field(e.from_account::bytea) || field(e.to_account::bytea)
                || field(int8send(e.points)) || micros(e.effective_at) || micros(e.recorded_at)
                || field(e.actor_role::bytea) || field(coalesce(uuid_send(e.actor_id), ''))
                || field(coalesce(uuid_send(e.document_id), '')) || field(coalesce(e.reason, '')::bytea)
                || field(int8send(coalesce(e.reverses, 0))));
            update entry set hash = v_head where member_id = e.member_id and number = e.number;
        end loop;
        update standing set head = v_head where {his};
    end $$";

#[test]
fn a_chain_computed_anew_is_found_by_an_earlier_head() {
    let (mut app, him) = furnished();
    let kept = crate::support::db::scratch("anchor").join("heads");
    let kept = kept.to_str().expect("a path in UTF-8");
    let run = |args: &[&str]| {
        let mut command = tessera(&crate::support::db::scratch("verify"));
        finish(command.env("DATABASE_URL", &app.db.url).arg("verify").args(args))
    };
    assert_eq!(run(&["--write-anchor", kept]).0, 0);
    // The chain goes on, and still through its earlier head.
    let till = app.cashier();
    earn(&till, &make::member(&till), 10);
    let written = std::fs::read_to_string(kept).expect("the anchor");
    assert!(written.contains(&format!("\n{him} ")), "{written}");
    let (code, _, err) = run(&["--anchor", kept, "--write-anchor", kept]);
    assert_eq!((code, err.as_str()), (0, ""));

    app.db.execute("alter table entry disable trigger user");
    let id = app.db.texts("select member_id::text as value from redemption limit 1").remove(0);
    let his = format!("member_id = '{id}'");
    let change = "update entry set actor_id = gen_random_uuid() where actor_role = 'cashier'";
    app.db.execute(&format!("{change} and {his}"));
    app.db.execute(&REHASH.replace("{his}", &his));
    assert_eq!(run(&[]).0, 0, "the chain holds in itself");
    let newer = format!("{kept}-newer");
    let (code, _, err) = run(&["--anchor", kept, "--write-anchor", &newer]);
    assert_eq!(code, 1);
    let said = format!("verify: entry of member {him}, number");
    assert!(err.starts_with(&said) && err.contains("the chain was rewritten"), "{err}");
    assert!(!std::path::Path::new(&newer).exists(), "heads are kept of right books alone");
    app.verified = false;

    let stranger = "mem_00000000000000000000000001 0 0000000000000000000000000000000000000000000000000000000000000000";
    std::fs::write(&newer, format!("tessera anchor 1\n{stranger}\nend 1\n")).expect("a file");
    let (code, _, err) = run(&["--anchor", &newer]);
    assert_eq!(code, 1);
    assert!(err.contains("anchor of member mem_00000000000000000000000001: there is no such member"), "{err}");
    std::fs::write(&newer, "tessera anchor 1\nmem_1 1 00\n").expect("a file");
    let (code, _, err) = run(&["--anchor", &newer]);
    assert_eq!(code, 1);
    assert!(err.contains("line 2, is not a member's head"), "{err}");
}

#[test]
fn a_file_that_was_cut_off_is_no_anchor() {
    let (app, _) = furnished();
    let dir = crate::support::db::scratch("cut");
    let kept = dir.join("heads");
    let run = |args: [&str; 2]| finish(tessera(&dir).env("DATABASE_URL", &app.db.url).arg("verify").args(args));
    let path = kept.to_str().expect("a path in UTF-8");
    assert_eq!(run(["--write-anchor", path]).0, 0);
    let whole = std::fs::read_to_string(&kept).expect("the anchor");
    assert_eq!(run(["--anchor", path]).0, 0);
    // Inside the last head, between two lines, before the count, inside it, and down to nothing.
    let end = whole.rfind("end ").expect("an end");
    let second = whole.match_indices('\n').nth(1).expect("a member").0 + 1;
    for length in [end - 3, second, end, end + 4, 17, 5, 0] {
        std::fs::write(&kept, &whole[..length]).expect("a file");
        let (code, out, err) = run(["--anchor", path]);
        assert_eq!((code, out.as_str()), (1, ""), "{length} bytes");
        assert!(err.contains("heads"), "{err}");
    }
    let twice = format!("{whole}{}", &whole[17..]);
    let other = whole.replacen("end ", "end 1", 1);
    for (text, said) in [(twice, "comes after the end"), (other, "is not whole")] {
        std::fs::write(&kept, text).expect("a file");
        let (code, _, err) = run(["--anchor", path]);
        assert!(code == 1 && err.contains(said), "{code} {err}");
    }
}
