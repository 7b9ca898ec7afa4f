//! The command line: parse, call one function, tell the shell how it went.

/// A batch is decided by one thread, stored by a second and answered by others: most of what is
/// allocated is freed elsewhere, which the system's allocator makes dear.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tessera::cli::main()
}
