//! The gRPC API: requests become commands and questions, states become messages.

mod code_service;
mod directory_service;
mod exposed;
mod fields;
mod kinds;
mod refusal;
mod session_service;

pub use code_service::CodeApi;
pub use directory_service::DirectoryApi;
pub(crate) use kinds::{localized_text, organisation_message, to_proto_customer_kind, to_proto_support_role};
pub(crate) use refusal::{of_ask, of_create};
pub use session_service::{PUBLIC_RPCS, SessionApi};
