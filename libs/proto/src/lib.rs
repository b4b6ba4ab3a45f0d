//! Generated protobuf and gRPC code of every context, with the descriptor set for reflection.
//!
//! The code in `src/gen` is checked in and made from `proto/` by `make proto`; a test compares the two.
#![allow(missing_docs, clippy::all, clippy::pedantic)]

/// Words that every context shares.
pub mod common {
    pub mod v1 {
        include!("gen/callboard.common.v1.rs");
    }
}

/// People, teams, customers, devices, templates, codes.
pub mod directory {
    pub mod v1 {
        include!("gen/callboard.directory.v1.rs");
    }
}

/// Tickets and creation flows.
pub mod tickets {
    pub mod v1 {
        include!("gen/callboard.tickets.v1.rs");
    }
}

/// Offers, assignments, groups.
pub mod fleet {
    pub mod v1 {
        include!("gen/callboard.fleet.v1.rs");
    }
}

/// Conversations and their messages.
pub mod messenger {
    pub mod v1 {
        include!("gen/callboard.messenger.v1.rs");
    }
}

/// Ratings and their switches.
pub mod ratings {
    pub mod v1 {
        include!("gen/callboard.ratings.v1.rs");
    }
}

/// What partner and account systems tell the support desk.
pub mod partners {
    pub mod v1 {
        include!("gen/callboard.partners.v1.rs");
    }
}

/// Tickets of the support desk.
pub mod support {
    pub mod v1 {
        include!("gen/callboard.support.v1.rs");
    }
}

/// Definitions, device events, tasks, the calendar.
pub mod tasks {
    pub mod v1 {
        include!("gen/callboard.tasks.v1.rs");
    }
}

/// What persons are told, and how.
pub mod notifications {
    pub mod v1 {
        include!("gen/callboard.notifications.v1.rs");
    }
}

/// Video sessions and their calls.
pub mod video {
    pub mod v1 {
        include!("gen/callboard.video.v1.rs");
    }
}

mod events {
    include!("gen/events.rs");
}
pub use events::EVENTS;

mod veiled {
    include!("gen/veiled.rs");
}

/// What is shown of a secret where it is written for people: whether there is one.
pub fn veil<T: Default + PartialEq>(secret: &T) -> &'static str {
    if *secret == T::default() { "" } else { "…" }
}

mod methods {
    include!("gen/methods.rs");
}
pub use methods::METHODS;

mod pages {
    include!("gen/pages.rs");
}

/// A request for one page of a list (AIP-158).
pub trait Paged: prost::Message + Clone {
    /// The message's full name, which is its RPC's.
    const NAME: &'static str;

    /// The same request but for which page, and how large.
    #[must_use]
    fn of_any_page(&self) -> Self;
}

/// The encoded `FileDescriptorSet` of all protos, comments included.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptors.bin");

/// A message that is published as an event.
pub trait Event: prost::Message {
    /// The context that publishes it: `tickets`.
    const CONTEXT: &'static str;
    /// Aggregate and what happened: `ticket.opened`.
    const SUBJECT: &'static str;
    /// The CloudEvents type: `callboard.tickets.v1.TicketOpened`.
    const TYPE: &'static str;
}

/// What the catalogue says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventDescription {
    /// The context that publishes it.
    pub context: &'static str,
    /// Aggregate and what happened; on NATS `callboard.<organisation>.<context>.<subject>.v1`.
    pub subject: &'static str,
    /// The CloudEvents type.
    pub kind: &'static str,
    /// When it happens.
    pub when: &'static str,
    /// Who reacts, and how.
    pub reactions: &'static str,
}
