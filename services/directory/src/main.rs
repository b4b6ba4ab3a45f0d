//! The directory as a process of its own.

fn main() -> std::process::ExitCode {
    callboard_directory::command::run_own()
        .unwrap_or_else(|| callboard_service::run_main(callboard_directory::definition()))
}
