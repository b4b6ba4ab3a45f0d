//! `callboard-notifications`: what people are told, and how.

fn main() -> std::process::ExitCode {
    callboard_service::run_main(callboard_notifications::definition())
}
