//! The smallest service: nothing but what the chassis brings. `cargo run -p callboard-service --example smallest --
//! serve`, with `CALLBOARD__GRPC__LISTEN` and `CALLBOARD__ADMIN__LISTEN` where the ports are taken.

use std::process::ExitCode;

use callboard_service::{Built, Definition, run_main};
use tonic::service::Routes;

fn main() -> ExitCode {
    run_main(Definition {
        name: "smallest",
        default_config: "[smallest]\ngreeting = \"hello\"\n",
        check: |_config| Ok(()),
        migrations: None,
        uses_bus: false,
        build: |_context| Box::pin(async { Ok(Built::new(Routes::default(), Vec::new())) }),
        operate: None,
    })
}
