//! `callboard-tasks`: definitions, events of devices, tasks and the calendar.

fn main() -> std::process::ExitCode {
    callboard_service::run_main(callboard_tasks::definition())
}
