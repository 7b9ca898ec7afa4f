//! The rulebook beside the reference model of its tests: random histories of every command, in memory
//! by the million and through the engine on PostgreSQL by the ten thousand.

#[path = "../../src/rules/tests/model/mod.rs"]
mod reference;

#[path = "model/database.rs"]
mod database;
#[path = "model/years.rs"]
mod years;

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::json;
use tessera_rules::Programme;

use self::database::Database;
use self::reference::memory::Memory;
use self::reference::scene::scene;
use self::reference::seeds::{HISTORIES, seeds, tell};
use self::reference::trial::Trial;
use crate::support::app::programme;

/// One long run at a time: each takes both cores, and one is measured.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Steps of a history at most.
const STEPS: usize = 40;

/// The test programme with one of everything that a book of the model changes.
fn base() -> Programme {
    let mut document = programme();
    document["promotions"] = json!([{"code": "p", "name": "P", "effect": {"kind": "add", "points": 1}}]);
    serde_json::from_value(document).expect("a programme")
}

/// New Year is near, and a leap year follows.
fn start() -> DateTime<Utc> {
    "2031-12-20T08:00:00Z".parse().expect("an instant")
}

/// Tells histories of seeds until so many orders were given, beginning with the one at `first` and
/// taking every second; how many there were, and how many were refused.
fn in_memory(seeds: &[u64], first: usize, wanted: u64, command: &str) -> (u64, u64) {
    let base = base();
    let mut orders = (0, 0);
    for &seed in seeds.iter().skip(first).step_by(2) {
        if orders.0 >= wanted {
            break;
        }
        // Every second seed ties three members to each other.
        let scenes = if seed % 2 == 0 { scene(3, STEPS, true) } else { scene(2, STEPS, false) };
        tell(seed, HISTORIES, scenes, command, |scene| {
            let mut shop = Memory::new(base.clone());
            let mut trial = Trial::new(&mut shop, scene, start());
            trial.run(scene);
            orders = (orders.0 + trial.orders.0, orders.1 + trial.orders.1);
        });
    }
    orders
}

#[test]
#[ignore = "takes minutes in a debug build: the release step of .ci/run runs it"]
fn a_million_orders_go_as_the_model_tells() {
    let _turn = alone();
    const COMMAND: &str = "cargo test --release --test long -- --ignored a_million_orders";
    let seeds = seeds(4_000);
    let wanted = if seeds.len() == 1 { 1 } else { 500_000 };
    let tell = |first: usize| in_memory(&seeds, first, wanted, COMMAND);
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| tell(0));
        let other = scope.spawn(|| tell(1));
        (one.join().expect("as told"), other.join().expect("as told"))
    });
    let (orders, refused) = (one.0 + other.0, one.1 + other.1);
    assert!(seeds.len() == 1 || orders >= 1_000_000, "{orders} orders");
    assert!(refused * 2 < orders, "most orders are taken: {refused} of {orders} were refused");
}

/// Tells histories on a database until so many orders were given.
fn on_a_database(seeds: &[u64], histories: u32, wanted: u64, command: &str) -> u64 {
    let mut shop = Database::open(base());
    let mut orders = 0;
    for &seed in seeds {
        if orders >= wanted {
            break;
        }
        tell(seed, histories, scene(3, STEPS, true), command, |scene| {
            let mut trial = Trial::new(&mut shop, scene, start());
            trial.run(scene);
            orders += trial.orders.0;
        });
    }
    shop.verify();
    orders
}

#[test]
fn a_database_goes_as_the_model_tells() {
    on_a_database(&seeds(1), 6, 1, "cargo test --test it -- a_database_goes");
}

#[test]
#[ignore = "takes minutes in a debug build: the release step of .ci/run runs it"]
fn twenty_thousand_orders_on_a_database_go_as_the_model_tells() {
    let seeds = seeds(200);
    let command = "cargo test --release --test long -- --ignored twenty_thousand";
    let orders = on_a_database(&seeds, HISTORIES, 20_000, command);
    assert!(seeds.len() == 1 || orders >= 20_000, "{orders} orders");
}
