//! `callboard-messenger`: conversations of tickets.

fn main() -> std::process::ExitCode {
    callboard_service::run_main(callboard_messenger::definition())
}
