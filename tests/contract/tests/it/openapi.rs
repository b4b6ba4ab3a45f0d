//! The OpenAPI document.

use crate::golden::compare;

#[test]
fn the_openapi_document_is_the_agreed_one() {
    compare("openapi.json", &format!("{}\n", callboard_gateway::openapi_json()));
}
