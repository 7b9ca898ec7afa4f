//! Migrations are compiled in: a new one must rebuild what embeds them.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
