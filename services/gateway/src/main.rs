//! The gateway as a process of its own.

fn main() -> std::process::ExitCode {
    callboard_service::run_main(callboard_gateway::definition())
}
