//! Reads the fields of a request and collects what is wrong.

use callboard_kernel::{FieldViolation, Refusal, Timestamp};
use callboard_service::convert::from_proto_time;
use uuid::Uuid;

#[derive(Default)]
pub struct Fields(Vec<FieldViolation>);

impl Fields {
    pub fn refuse(&mut self, field: &str, rule: &str) {
        self.0.push(FieldViolation::new(field, rule));
    }

    pub fn ids<I: From<Uuid>>(&mut self, field: &str, texts: &[String], most: usize) -> Vec<I> {
        if texts.len() > most {
            self.0.push(FieldViolation::new(field, format!("at most {most}")));
            return Vec::new();
        }
        let mut ids = Vec::with_capacity(texts.len());
        for (at, text) in texts.iter().enumerate() {
            match text.parse::<Uuid>() {
                Ok(id) => ids.push(id.into()),
                Err(_) => self.0.push(FieldViolation::new(format!("{field}[{at}]"), "must be a UUID")),
            }
        }
        ids
    }

    pub fn id<I: From<Uuid>>(&mut self, field: &str, text: &str) -> I {
        let id = text.parse::<Uuid>().unwrap_or_else(|_| {
            self.refuse(field, if text.is_empty() { "is required" } else { "must be a UUID" });
            Uuid::nil()
        });
        id.into()
    }

    pub fn optional_id<I: From<Uuid>>(&mut self, field: &str, text: &str) -> Option<I> {
        if text.is_empty() { None } else { Some(self.id(field, text)) }
    }

    pub fn time(&mut self, field: &str, time: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
        from_proto_time(field, time?).map_err(|violation| self.0.push(violation)).ok()
    }

    pub fn finish(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::fields(self.0)) }
    }
}
