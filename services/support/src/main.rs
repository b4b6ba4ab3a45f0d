//! `callboard-support`: the support desk.

fn main() -> std::process::ExitCode {
    callboard_service::run_main(callboard_support::definition())
}
