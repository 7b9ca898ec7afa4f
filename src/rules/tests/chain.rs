//! The hash chain of a member's entries (PROGRAMME.md §2): the format is fixed by a golden value and
//! by a second implementation, so that a change cannot slip through.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use tessera_rules::command::{Actor, Role};
use tessera_rules::id::MemberId;
use tessera_rules::ledger::{Account, CHAIN_VERSION, Entry, EntryKind, GENESIS};
use uuid::Uuid;

use crate::support::{at, points};

fn entry() -> Entry {
    Entry {
        member: MemberId::new(Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057)),
        number: 3,
        kind: EntryKind::Adjustment,
        from: Account::Adjusted,
        to: Account::Available,
        points: points(250),
        effective_at: at("2025-07-06T03:04:05.678901Z"),
        recorded_at: at("2025-07-06T03:04:06Z"),
        actor: Actor { role: Role::Manager, id: Some(Uuid::from_u128(0xabc)) },
        document: Some(Uuid::from_u128(0xdef)),
        reason: Some("opening_balance".to_owned()),
        reverses: None,
        hash: [0; 32],
    }
}

/// The hash of an entry, written down once more from the programme book: the version, the hash
/// before, then each field after its length in four bytes.
pub(crate) fn hash_of(entry: &Entry, before: &[u8; 32]) -> [u8; 32] {
    let micros = |at: tessera_rules::time::Instant| at.timestamp_micros().to_be_bytes().to_vec();
    let id = |id: Option<Uuid>| id.map_or(Vec::new(), |id| id.as_bytes().to_vec());
    let fields: [Vec<u8>; 13] = [
        entry.member.uuid().as_bytes().to_vec(),
        entry.number.to_be_bytes().to_vec(),
        entry.kind.as_str().into(),
        entry.from.as_str().into(),
        entry.to.as_str().into(),
        entry.points.get().to_be_bytes().to_vec(),
        micros(entry.effective_at),
        micros(entry.recorded_at),
        entry.actor.role.as_str().into(),
        id(entry.actor.id),
        id(entry.document),
        entry.reason.clone().unwrap_or_default().into_bytes(),
        entry.reverses.unwrap_or(0).to_be_bytes().to_vec(),
    ];
    let mut text = vec![1];
    text.extend_from_slice(before);
    for field in fields {
        text.extend_from_slice(&[0, 0, 0, field.len() as u8]);
        text.extend_from_slice(&field);
    }
    Sha256::digest(&text).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_format_is_golden() {
    assert_eq!(CHAIN_VERSION, 1);
    assert_eq!(hex(&entry().chained(&GENESIS)), "bd3f1d63bca275625dd4e1d3432b53c0bc520a67a1f7a7a7c02241a16297ec7d");
    for before in [GENESIS, [0xa5; 32]] {
        assert_eq!(entry().chained(&before), hash_of(&entry(), &before));
    }
}

#[test]
fn every_field_is_bound() {
    let change: [fn(&mut Entry); 14] = [
        |_| {},
        |e| e.member = MemberId::new(Uuid::nil()),
        |e| e.number += 1,
        |e| e.kind = EntryKind::Perk,
        |e| e.from = Account::Issued,
        |e| e.to = Account::Debt,
        |e| e.points = points(251),
        |e| e.effective_at += chrono::Duration::microseconds(1),
        |e| e.recorded_at += chrono::Duration::microseconds(1),
        |e| e.actor.role = Role::Admin,
        |e| e.actor.id = None,
        |e| e.document = None,
        |e| e.reason = None,
        |e| e.reverses = Some(1),
    ];
    let hashes: BTreeSet<[u8; 32]> = change
        .iter()
        .map(|change| {
            let mut entry = entry();
            change(&mut entry);
            entry.chained(&GENESIS)
        })
        .collect();
    assert_eq!(hashes.len(), change.len());
    assert_ne!(entry().chained(&GENESIS), entry().chained(&[1; 32]), "the entry before is bound");
}

#[test]
fn the_words_are_fixed_and_read_back() {
    let accounts = Account::ALL.map(Account::as_str).join(" ");
    assert_eq!(accounts, "pending available held debt issued redeemed expired returned adjusted transferred");
    let kinds = EntryKind::ALL.map(EntryKind::as_str).join(" ");
    assert_eq!(
        kinds,
        "accrual redemption expiry perk adjustment activation debt_payment hold release return give_back transfer \
         re_rating"
    );
    assert!(Account::ALL.into_iter().all(|account| Account::parse(account.as_str()) == Some(account)));
    assert!(EntryKind::ALL.into_iter().all(|kind| EntryKind::parse(kind.as_str()) == Some(kind)));
    assert_eq!((Account::parse("cash"), EntryKind::parse("gift")), (None, None));
    let roles =
        [Role::Member, Role::Cashier, Role::Manager, Role::Admin, Role::Integration, Role::Import, Role::System];
    assert_eq!(roles.map(Role::as_str).join(" "), "member cashier manager admin integration import system");
}
