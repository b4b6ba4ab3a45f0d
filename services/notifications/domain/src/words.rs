//! Stable words.

pub(crate) use callboard_kernel::words;

words! {
    /// What somebody is told of.
    EventType as "event type" {
        /// A ticket opened.
        TicketOpened = "TICKET_OPENED",
        /// A ticket's status changed otherwise.
        TicketStatus = "TICKET_STATUS",
        /// Priority, title, description or visibility of a ticket changed.
        TicketChanged = "TICKET_CHANGED",
        /// An update was written.
        TicketUpdate = "TICKET_UPDATE",
        /// A ticket was rated.
        TicketRated = "TICKET_RATED",
        /// Somebody wrote in the conversation.
        Message = "MESSAGE",
        /// One was offered a ticket.
        Offer = "OFFER",
        /// One's offer was taken back, filled by others, or ran out.
        OfferWithdrawn = "OFFER_WITHDRAWN",
        /// One was assigned.
        Assigned = "ASSIGNED",
        /// One's assignment was taken back.
        Unassigned = "UNASSIGNED",
        /// Nobody is left who could take a ticket (F-11).
        Unserved = "UNSERVED",
        /// A ticket went to the next group (F-9).
        Escalated = "ESCALATED",
        /// One is asked to rate.
        RatingRequested = "RATING_REQUESTED",
        /// A task arose.
        TaskCreated = "TASK_CREATED",
        /// A task or a device event fell due.
        TaskDue = "TASK_DUE",
        /// A task's status changed.
        TaskStatus = "TASK_STATUS",
        /// One was assigned to a task.
        TaskAssigned = "TASK_ASSIGNED",
        /// A ticket of the support desk arose, and nobody is assigned (S-5).
        SupportOpened = "SUPPORT_OPENED",
        /// One was assigned to a ticket of the support desk (S-3).
        SupportAssigned = "SUPPORT_ASSIGNED",
        /// Somebody commented at the support desk (S-5).
        SupportComment = "SUPPORT_COMMENT",
        /// A domain was decided about (S-5).
        SupportDecided = "SUPPORT_DECIDED",
        /// Somebody asks for a video session (V-1).
        VideoRequested = "VIDEO_REQUESTED",
        /// A video session is confirmed: made so, confirmed, or reopened (V-1, V-2, V-6).
        VideoConfirmed = "VIDEO_CONFIRMED",
        /// A video session was withdrawn or cancelled (V-5).
        VideoCancelled = "VIDEO_CANCELLED",
        /// Somebody is in the call and waits for the other side (V-3).
        VideoCall = "VIDEO_CALL",
        /// A call is over (V-4).
        VideoEnded = "VIDEO_ENDED",
        /// A video session was rated.
        VideoRated = "VIDEO_RATED",
        /// A webhook was switched off, because its endpoint is gone or kept failing.
        WebhookDisabled = "WEBHOOK_DISABLED",
    }
}

words! {
    /// Seen from the person who is told.
    Origin as "origin" {
        /// One caused it oneself.
        Me = "ME",
        /// Somebody else did, or Callboard itself.
        Others = "OTHERS",
    }
}

words! {
    /// How somebody is told besides the drawer (N-2).
    Channel as "channel" {
        /// An open window.
        Browser = "BROWSER",
        /// Web Push.
        Push = "PUSH",
        /// E-mail.
        Email = "EMAIL",
    }
}

words! {
    /// Which of the channels are used (N-2).
    Strategy as "strategy" {
        /// All of them.
        All = "ALL",
        /// In order, until one has truly delivered.
        FirstSuccessful = "FIRST_SUCCESSFUL",
    }
}

words! {
    /// What a notification is about.
    SubjectKind as "subject kind" {
        /// A ticket.
        Ticket = "TICKET",
        /// A task.
        Task = "TASK",
        /// A device event that fell due without a task.
        DeviceEvent = "DEVICE_EVENT",
        /// A ticket of the support desk.
        SupportTicket = "SUPPORT_TICKET",
        /// A video session.
        VideoSession = "VIDEO_SESSION",
        /// A webhook of the organisation.
        Webhook = "WEBHOOK",
    }
}

words! {
    /// Why somebody hears of something. The first that holds counts.
    Because as "reason" {
        /// It is about this very person: an offer, an assignment, a video session of a ticket that is theirs (V-2), a comment
        /// on a ticket of the desk that is theirs.
        Named = "NAMED",
        /// Involved in the ticket or assigned to the task.
        Involved = "INVOLVED",
        /// Of the notification group that the flow names.
        Group = "GROUP",
        /// Responsible for the video sessions of the template (V-2).
        Responsible = "RESPONSIBLE",
        /// Keeps the organisation's webhooks.
        Administrator = "ADMINISTRATOR",
        /// Of the support role whose field it is.
        Agent = "AGENT",
        /// Answers for tasks that nobody is assigned to, for video sessions that nobody is responsible for, and for tickets
        /// that nobody takes where no notification group is told (F-11).
        Steward = "STEWARD",
        /// Of the company that owns the device.
        Company = "COMPANY",
        /// The code on the device.
        Code = "CODE",
        /// Asked for it at the support desk.
        Requester = "REQUESTER",
    }
}

impl EventType {
    /// The channel it is told on at once, whatever was chosen: being assigned at the support desk by somebody else is an
    /// e-mail (S-3).
    pub const fn at_once(self) -> Option<Channel> {
        if matches!(self, Self::SupportAssigned) { Some(Channel::Email) } else { None }
    }

    /// True for what asks the person to act: told on every channel there is until one delivers. The rest is told where
    /// it disturbs nobody.
    pub const fn is_urgent(self) -> bool {
        match self {
            Self::Message
            | Self::Offer
            | Self::Assigned
            | Self::Unserved
            | Self::Escalated
            | Self::RatingRequested
            | Self::TaskDue
            | Self::TaskAssigned
            | Self::SupportOpened
            | Self::SupportAssigned
            | Self::SupportComment
            | Self::VideoRequested
            | Self::VideoCall
            | Self::WebhookDisabled => true,
            Self::TicketOpened
            | Self::TicketStatus
            | Self::TicketChanged
            | Self::TicketUpdate
            | Self::TicketRated
            | Self::OfferWithdrawn
            | Self::Unassigned
            | Self::TaskCreated
            | Self::TaskStatus
            | Self::SupportDecided
            | Self::VideoConfirmed
            | Self::VideoCancelled
            | Self::VideoEnded
            | Self::VideoRated => false,
        }
    }
}
