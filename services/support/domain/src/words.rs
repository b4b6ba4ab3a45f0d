//! The words of the support desk.

pub(crate) use callboard_kernel::words;

words! {
    /// What a ticket arose from (S-1).
    Kind as "type" {
        /// A service is asked for.
        ServiceRequest = "SERVICE_REQUEST",
        /// Care coordination: a service request whose requester may comment (S-2).
        CareCoordination = "CARE_COORDINATION",
        /// A partner wants to register with a domain (S-4).
        DomainApproval = "DOMAIN_APPROVAL",
        /// A permission is asked for.
        PermissionRequest = "PERMISSION_REQUEST",
        /// An account was created.
        AccountCreated = "ACCOUNT_CREATED",
        /// Something was bought.
        Purchase = "PURCHASE",
        /// A seat was added.
        SeatAdded = "SEAT_ADDED",
    }
}

impl Kind {
    /// Whether it needs an action, which ends in SOLVED; else it only informs, which ends in CLOSED (S-1).
    pub const fn needs_action(self) -> bool {
        match self {
            Self::ServiceRequest
            | Self::CareCoordination
            | Self::DomainApproval
            | Self::PermissionRequest => true,
            Self::AccountCreated | Self::Purchase | Self::SeatAdded => false,
        }
    }
}

words! {
    /// Where a ticket stands.
    Status as "status" {
        /// Nobody looked.
        New = "NEW",
        /// Somebody looked.
        Open = "OPEN",
        /// Being worked on.
        Pending = "PENDING",
        /// The action is done.
        Solved = "SOLVED",
        /// Read, or solved and done with.
        Closed = "CLOSED",
    }
}

impl Status {
    /// Whether a ticket of a type may go from here to there by hand: any order, except that nothing returns to NEW, that
    /// SOLVED is for types that need an action, and that CLOSED is for those that only inform and for what is SOLVED.
    pub const fn may_become(self, to: Self, kind: Kind) -> bool {
        match to {
            Self::New => false,
            Self::Open | Self::Pending => true,
            Self::Solved => kind.needs_action(),
            Self::Closed => !kind.needs_action() || matches!(self, Self::Solved),
        }
    }
}

words! {
    /// How urgent it is.
    Priority as "priority" {
        /// Can wait.
        Low = "LOW",
        /// As most.
        Normal = "NORMAL",
        /// First.
        High = "HIGH",
    }
}

words! {
    /// What was decided of a domain (S-4).
    Decision as "decision" {
        /// The partner may register with it.
        Approved = "APPROVED",
        /// The partner may not.
        Declined = "DECLINED",
        /// It needs no approval: the partner may register with it.
        Cleared = "CLEARED",
    }
}

impl Decision {
    /// Whether the partner may register with the domain: it is on the organisation's list.
    pub const fn lets_register(self) -> bool {
        matches!(self, Self::Approved | Self::Cleared)
    }
}
