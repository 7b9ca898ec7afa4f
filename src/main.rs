//! The command line: parse, call one function, tell the shell how it went.

fn main() -> std::process::ExitCode {
    tessera::cli::main()
}
