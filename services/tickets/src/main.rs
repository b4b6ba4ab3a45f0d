//! `callboard-tickets`: tickets and creation flows.

fn main() -> std::process::ExitCode {
    callboard_service::run_main(callboard_tickets::definition())
}
