// @generated from the comments of events.proto files.

impl crate::Event for crate::directory::v1::OrganisationChanged {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "organisation.changed";
    const TYPE: &'static str = "callboard.directory.v1.OrganisationChanged";
}

impl crate::Event for crate::directory::v1::EmployeeCreated {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "employee.created";
    const TYPE: &'static str = "callboard.directory.v1.EmployeeCreated";
}

impl crate::Event for crate::directory::v1::EmployeeChanged {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "employee.changed";
    const TYPE: &'static str = "callboard.directory.v1.EmployeeChanged";
}

impl crate::Event for crate::directory::v1::EmployeeDepartmentsChanged {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "employee.departments_changed";
    const TYPE: &'static str = "callboard.directory.v1.EmployeeDepartmentsChanged";
}

impl crate::Event for crate::directory::v1::EmployeeRemoved {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "employee.removed";
    const TYPE: &'static str = "callboard.directory.v1.EmployeeRemoved";
}

impl crate::Event for crate::directory::v1::DepartmentChanged {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "department.changed";
    const TYPE: &'static str = "callboard.directory.v1.DepartmentChanged";
}

impl crate::Event for crate::directory::v1::DepartmentRemoved {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "department.removed";
    const TYPE: &'static str = "callboard.directory.v1.DepartmentRemoved";
}

impl crate::Event for crate::directory::v1::TeamChanged {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "team.changed";
    const TYPE: &'static str = "callboard.directory.v1.TeamChanged";
}

impl crate::Event for crate::directory::v1::TeamRemoved {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "team.removed";
    const TYPE: &'static str = "callboard.directory.v1.TeamRemoved";
}

impl crate::Event for crate::directory::v1::MetaTeamChanged {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "meta_team.changed";
    const TYPE: &'static str = "callboard.directory.v1.MetaTeamChanged";
}

impl crate::Event for crate::directory::v1::MetaTeamRemoved {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "meta_team.removed";
    const TYPE: &'static str = "callboard.directory.v1.MetaTeamRemoved";
}

impl crate::Event for crate::directory::v1::CustomerChanged {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "customer.changed";
    const TYPE: &'static str = "callboard.directory.v1.CustomerChanged";
}

impl crate::Event for crate::directory::v1::CustomerRemoved {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "customer.removed";
    const TYPE: &'static str = "callboard.directory.v1.CustomerRemoved";
}

impl crate::Event for crate::directory::v1::CustomerUserChanged {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "customer_user.changed";
    const TYPE: &'static str = "callboard.directory.v1.CustomerUserChanged";
}

impl crate::Event for crate::directory::v1::CustomerUserRemoved {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "customer_user.removed";
    const TYPE: &'static str = "callboard.directory.v1.CustomerUserRemoved";
}

impl crate::Event for crate::directory::v1::DeviceChanged {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "device.changed";
    const TYPE: &'static str = "callboard.directory.v1.DeviceChanged";
}

impl crate::Event for crate::directory::v1::DeviceRemoved {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "device.removed";
    const TYPE: &'static str = "callboard.directory.v1.DeviceRemoved";
}

impl crate::Event for crate::directory::v1::TemplateChanged {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "template.changed";
    const TYPE: &'static str = "callboard.directory.v1.TemplateChanged";
}

impl crate::Event for crate::directory::v1::TemplateRemoved {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "template.removed";
    const TYPE: &'static str = "callboard.directory.v1.TemplateRemoved";
}

impl crate::Event for crate::directory::v1::CodeChanged {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "code.changed";
    const TYPE: &'static str = "callboard.directory.v1.CodeChanged";
}

impl crate::Event for crate::directory::v1::CodeRemoved {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "code.removed";
    const TYPE: &'static str = "callboard.directory.v1.CodeRemoved";
}

impl crate::Event for crate::directory::v1::PrincipalTokensRevoked {
    const CONTEXT: &'static str = "directory";
    const SUBJECT: &'static str = "principal.tokens_revoked";
    const TYPE: &'static str = "callboard.directory.v1.PrincipalTokensRevoked";
}

impl crate::Event for crate::fleet::v1::OffersMade {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "offers.made";
    const TYPE: &'static str = "callboard.fleet.v1.OffersMade";
}

impl crate::Event for crate::fleet::v1::OfferSeen {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "offer.seen";
    const TYPE: &'static str = "callboard.fleet.v1.OfferSeen";
}

impl crate::Event for crate::fleet::v1::OfferAccepted {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "offer.accepted";
    const TYPE: &'static str = "callboard.fleet.v1.OfferAccepted";
}

impl crate::Event for crate::fleet::v1::OfferDeclined {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "offer.declined";
    const TYPE: &'static str = "callboard.fleet.v1.OfferDeclined";
}

impl crate::Event for crate::fleet::v1::OfferCancelled {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "offer.cancelled";
    const TYPE: &'static str = "callboard.fleet.v1.OfferCancelled";
}

impl crate::Event for crate::fleet::v1::OfferExpired {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "offer.expired";
    const TYPE: &'static str = "callboard.fleet.v1.OfferExpired";
}

impl crate::Event for crate::fleet::v1::OfferRescinded {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "offer.rescinded";
    const TYPE: &'static str = "callboard.fleet.v1.OfferRescinded";
}

impl crate::Event for crate::fleet::v1::EmployeeAssigned {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "employee.assigned";
    const TYPE: &'static str = "callboard.fleet.v1.EmployeeAssigned";
}

impl crate::Event for crate::fleet::v1::AssignmentCancelled {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "assignment.cancelled";
    const TYPE: &'static str = "callboard.fleet.v1.AssignmentCancelled";
}

impl crate::Event for crate::fleet::v1::TicketUnserved {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "ticket.unserved";
    const TYPE: &'static str = "callboard.fleet.v1.TicketUnserved";
}

impl crate::Event for crate::fleet::v1::TicketEscalated {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "ticket.escalated";
    const TYPE: &'static str = "callboard.fleet.v1.TicketEscalated";
}

impl crate::Event for crate::fleet::v1::GroupsChanged {
    const CONTEXT: &'static str = "fleet";
    const SUBJECT: &'static str = "groups.changed";
    const TYPE: &'static str = "callboard.fleet.v1.GroupsChanged";
}

impl crate::Event for crate::messenger::v1::ConversationOpened {
    const CONTEXT: &'static str = "messenger";
    const SUBJECT: &'static str = "conversation.opened";
    const TYPE: &'static str = "callboard.messenger.v1.ConversationOpened";
}

impl crate::Event for crate::messenger::v1::ConversationLocked {
    const CONTEXT: &'static str = "messenger";
    const SUBJECT: &'static str = "conversation.locked";
    const TYPE: &'static str = "callboard.messenger.v1.ConversationLocked";
}

impl crate::Event for crate::messenger::v1::ConversationUnlocked {
    const CONTEXT: &'static str = "messenger";
    const SUBJECT: &'static str = "conversation.unlocked";
    const TYPE: &'static str = "callboard.messenger.v1.ConversationUnlocked";
}

impl crate::Event for crate::messenger::v1::ConversationChanged {
    const CONTEXT: &'static str = "messenger";
    const SUBJECT: &'static str = "conversation.changed";
    const TYPE: &'static str = "callboard.messenger.v1.ConversationChanged";
}

impl crate::Event for crate::messenger::v1::ConversationDeleted {
    const CONTEXT: &'static str = "messenger";
    const SUBJECT: &'static str = "conversation.deleted";
    const TYPE: &'static str = "callboard.messenger.v1.ConversationDeleted";
}

impl crate::Event for crate::messenger::v1::MessageSent {
    const CONTEXT: &'static str = "messenger";
    const SUBJECT: &'static str = "message.sent";
    const TYPE: &'static str = "callboard.messenger.v1.MessageSent";
}

impl crate::Event for crate::messenger::v1::MessageEdited {
    const CONTEXT: &'static str = "messenger";
    const SUBJECT: &'static str = "message.edited";
    const TYPE: &'static str = "callboard.messenger.v1.MessageEdited";
}

impl crate::Event for crate::messenger::v1::MessageWithdrawn {
    const CONTEXT: &'static str = "messenger";
    const SUBJECT: &'static str = "message.withdrawn";
    const TYPE: &'static str = "callboard.messenger.v1.MessageWithdrawn";
}

impl crate::Event for crate::messenger::v1::ConversationRead {
    const CONTEXT: &'static str = "messenger";
    const SUBJECT: &'static str = "conversation.read";
    const TYPE: &'static str = "callboard.messenger.v1.ConversationRead";
}

impl crate::Event for crate::partners::v1::ServiceRequested {
    const CONTEXT: &'static str = "partners";
    const SUBJECT: &'static str = "service.requested";
    const TYPE: &'static str = "callboard.partners.v1.ServiceRequested";
}

impl crate::Event for crate::partners::v1::DomainSubmitted {
    const CONTEXT: &'static str = "partners";
    const SUBJECT: &'static str = "domain.submitted";
    const TYPE: &'static str = "callboard.partners.v1.DomainSubmitted";
}

impl crate::Event for crate::partners::v1::PermissionRequested {
    const CONTEXT: &'static str = "partners";
    const SUBJECT: &'static str = "permission.requested";
    const TYPE: &'static str = "callboard.partners.v1.PermissionRequested";
}

impl crate::Event for crate::partners::v1::AccountCreated {
    const CONTEXT: &'static str = "partners";
    const SUBJECT: &'static str = "account.created";
    const TYPE: &'static str = "callboard.partners.v1.AccountCreated";
}

impl crate::Event for crate::partners::v1::PurchaseMade {
    const CONTEXT: &'static str = "partners";
    const SUBJECT: &'static str = "purchase.made";
    const TYPE: &'static str = "callboard.partners.v1.PurchaseMade";
}

impl crate::Event for crate::partners::v1::SeatAdded {
    const CONTEXT: &'static str = "partners";
    const SUBJECT: &'static str = "seat.added";
    const TYPE: &'static str = "callboard.partners.v1.SeatAdded";
}

impl crate::Event for crate::ratings::v1::RatingRequested {
    const CONTEXT: &'static str = "ratings";
    const SUBJECT: &'static str = "rating.requested";
    const TYPE: &'static str = "callboard.ratings.v1.RatingRequested";
}

impl crate::Event for crate::ratings::v1::RatingWaived {
    const CONTEXT: &'static str = "ratings";
    const SUBJECT: &'static str = "rating.waived";
    const TYPE: &'static str = "callboard.ratings.v1.RatingWaived";
}

impl crate::Event for crate::ratings::v1::RatingSubmitted {
    const CONTEXT: &'static str = "ratings";
    const SUBJECT: &'static str = "rating.submitted";
    const TYPE: &'static str = "callboard.ratings.v1.RatingSubmitted";
}

impl crate::Event for crate::ratings::v1::RatingWithdrawn {
    const CONTEXT: &'static str = "ratings";
    const SUBJECT: &'static str = "rating.withdrawn";
    const TYPE: &'static str = "callboard.ratings.v1.RatingWithdrawn";
}

impl crate::Event for crate::ratings::v1::SwitchesChanged {
    const CONTEXT: &'static str = "ratings";
    const SUBJECT: &'static str = "switches.changed";
    const TYPE: &'static str = "callboard.ratings.v1.SwitchesChanged";
}

impl crate::Event for crate::support::v1::TicketOpened {
    const CONTEXT: &'static str = "support";
    const SUBJECT: &'static str = "ticket.opened";
    const TYPE: &'static str = "callboard.support.v1.TicketOpened";
}

impl crate::Event for crate::support::v1::TicketStatusChanged {
    const CONTEXT: &'static str = "support";
    const SUBJECT: &'static str = "ticket.status_changed";
    const TYPE: &'static str = "callboard.support.v1.TicketStatusChanged";
}

impl crate::Event for crate::support::v1::TicketPriorityChanged {
    const CONTEXT: &'static str = "support";
    const SUBJECT: &'static str = "ticket.priority_changed";
    const TYPE: &'static str = "callboard.support.v1.TicketPriorityChanged";
}

impl crate::Event for crate::support::v1::TicketAssigned {
    const CONTEXT: &'static str = "support";
    const SUBJECT: &'static str = "ticket.assigned";
    const TYPE: &'static str = "callboard.support.v1.TicketAssigned";
}

impl crate::Event for crate::support::v1::TicketCommented {
    const CONTEXT: &'static str = "support";
    const SUBJECT: &'static str = "ticket.commented";
    const TYPE: &'static str = "callboard.support.v1.TicketCommented";
}

impl crate::Event for crate::support::v1::DomainRequestedAgain {
    const CONTEXT: &'static str = "support";
    const SUBJECT: &'static str = "domain.requested_again";
    const TYPE: &'static str = "callboard.support.v1.DomainRequestedAgain";
}

impl crate::Event for crate::support::v1::DomainDecided {
    const CONTEXT: &'static str = "support";
    const SUBJECT: &'static str = "domain.decided";
    const TYPE: &'static str = "callboard.support.v1.DomainDecided";
}

impl crate::Event for crate::tasks::v1::TaskCreated {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "task.created";
    const TYPE: &'static str = "callboard.tasks.v1.TaskCreated";
}

impl crate::Event for crate::tasks::v1::TaskDue {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "task.due";
    const TYPE: &'static str = "callboard.tasks.v1.TaskDue";
}

impl crate::Event for crate::tasks::v1::TaskStatusChanged {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "task.status_changed";
    const TYPE: &'static str = "callboard.tasks.v1.TaskStatusChanged";
}

impl crate::Event for crate::tasks::v1::TaskStepTicked {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "task.step_ticked";
    const TYPE: &'static str = "callboard.tasks.v1.TaskStepTicked";
}

impl crate::Event for crate::tasks::v1::TaskVisibilityChanged {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "task.visibility_changed";
    const TYPE: &'static str = "callboard.tasks.v1.TaskVisibilityChanged";
}

impl crate::Event for crate::tasks::v1::TaskAssigneesChanged {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "task.assignees_changed";
    const TYPE: &'static str = "callboard.tasks.v1.TaskAssigneesChanged";
}

impl crate::Event for crate::tasks::v1::TaskEdited {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "task.edited";
    const TYPE: &'static str = "callboard.tasks.v1.TaskEdited";
}

impl crate::Event for crate::tasks::v1::TaskDeleted {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "task.deleted";
    const TYPE: &'static str = "callboard.tasks.v1.TaskDeleted";
}

impl crate::Event for crate::tasks::v1::DeviceEventChanged {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "device_event.changed";
    const TYPE: &'static str = "callboard.tasks.v1.DeviceEventChanged";
}

impl crate::Event for crate::tasks::v1::DeviceEventRemoved {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "device_event.removed";
    const TYPE: &'static str = "callboard.tasks.v1.DeviceEventRemoved";
}

impl crate::Event for crate::tasks::v1::DefinitionChanged {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "definition.changed";
    const TYPE: &'static str = "callboard.tasks.v1.DefinitionChanged";
}

impl crate::Event for crate::tasks::v1::DefinitionRemoved {
    const CONTEXT: &'static str = "tasks";
    const SUBJECT: &'static str = "definition.removed";
    const TYPE: &'static str = "callboard.tasks.v1.DefinitionRemoved";
}

impl crate::Event for crate::tickets::v1::TicketOpened {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.opened";
    const TYPE: &'static str = "callboard.tickets.v1.TicketOpened";
}

impl crate::Event for crate::tickets::v1::TicketAssigned {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.assigned";
    const TYPE: &'static str = "callboard.tickets.v1.TicketAssigned";
}

impl crate::Event for crate::tickets::v1::TicketUnassigned {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.unassigned";
    const TYPE: &'static str = "callboard.tickets.v1.TicketUnassigned";
}

impl crate::Event for crate::tickets::v1::TicketStarted {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.started";
    const TYPE: &'static str = "callboard.tickets.v1.TicketStarted";
}

impl crate::Event for crate::tickets::v1::TicketDone {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.done";
    const TYPE: &'static str = "callboard.tickets.v1.TicketDone";
}

impl crate::Event for crate::tickets::v1::TicketClosed {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.closed";
    const TYPE: &'static str = "callboard.tickets.v1.TicketClosed";
}

impl crate::Event for crate::tickets::v1::TicketCancelled {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.cancelled";
    const TYPE: &'static str = "callboard.tickets.v1.TicketCancelled";
}

impl crate::Event for crate::tickets::v1::TicketReopened {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.reopened";
    const TYPE: &'static str = "callboard.tickets.v1.TicketReopened";
}

impl crate::Event for crate::tickets::v1::TicketVisibilityChanged {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.visibility_changed";
    const TYPE: &'static str = "callboard.tickets.v1.TicketVisibilityChanged";
}

impl crate::Event for crate::tickets::v1::TicketPriorityChanged {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.priority_changed";
    const TYPE: &'static str = "callboard.tickets.v1.TicketPriorityChanged";
}

impl crate::Event for crate::tickets::v1::TicketEdited {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.edited";
    const TYPE: &'static str = "callboard.tickets.v1.TicketEdited";
}

impl crate::Event for crate::tickets::v1::TicketInvolvedChanged {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.involved_changed";
    const TYPE: &'static str = "callboard.tickets.v1.TicketInvolvedChanged";
}

impl crate::Event for crate::tickets::v1::TicketRated {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.rated";
    const TYPE: &'static str = "callboard.tickets.v1.TicketRated";
}

impl crate::Event for crate::tickets::v1::TicketUpdatePosted {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.update_posted";
    const TYPE: &'static str = "callboard.tickets.v1.TicketUpdatePosted";
}

impl crate::Event for crate::tickets::v1::TicketDeleted {
    const CONTEXT: &'static str = "tickets";
    const SUBJECT: &'static str = "ticket.deleted";
    const TYPE: &'static str = "callboard.tickets.v1.TicketDeleted";
}

impl crate::Event for crate::video::v1::SessionRequested {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_requested";
    const TYPE: &'static str = "callboard.video.v1.SessionRequested";
}

impl crate::Event for crate::video::v1::SessionCreated {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_created";
    const TYPE: &'static str = "callboard.video.v1.SessionCreated";
}

impl crate::Event for crate::video::v1::SessionConfirmed {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_confirmed";
    const TYPE: &'static str = "callboard.video.v1.SessionConfirmed";
}

impl crate::Event for crate::video::v1::SessionCancelled {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_cancelled";
    const TYPE: &'static str = "callboard.video.v1.SessionCancelled";
}

impl crate::Event for crate::video::v1::SessionReopened {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_reopened";
    const TYPE: &'static str = "callboard.video.v1.SessionReopened";
}

impl crate::Event for crate::video::v1::SessionVisibilityChanged {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_visibility_changed";
    const TYPE: &'static str = "callboard.video.v1.SessionVisibilityChanged";
}

impl crate::Event for crate::video::v1::SessionLinked {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_linked";
    const TYPE: &'static str = "callboard.video.v1.SessionLinked";
}

impl crate::Event for crate::video::v1::SessionUnlinked {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_unlinked";
    const TYPE: &'static str = "callboard.video.v1.SessionUnlinked";
}

impl crate::Event for crate::video::v1::ConsentChanged {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.consent_changed";
    const TYPE: &'static str = "callboard.video.v1.ConsentChanged";
}

impl crate::Event for crate::video::v1::RecordingChanged {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.recording_changed";
    const TYPE: &'static str = "callboard.video.v1.RecordingChanged";
}

impl crate::Event for crate::video::v1::SessionFileAdded {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_file_added";
    const TYPE: &'static str = "callboard.video.v1.SessionFileAdded";
}

impl crate::Event for crate::video::v1::SessionFileRemoved {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_file_removed";
    const TYPE: &'static str = "callboard.video.v1.SessionFileRemoved";
}

impl crate::Event for crate::video::v1::CallStarted {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.call_started";
    const TYPE: &'static str = "callboard.video.v1.CallStarted";
}

impl crate::Event for crate::video::v1::CallJoined {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.call_joined";
    const TYPE: &'static str = "callboard.video.v1.CallJoined";
}

impl crate::Event for crate::video::v1::CallEnded {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.call_ended";
    const TYPE: &'static str = "callboard.video.v1.CallEnded";
}

impl crate::Event for crate::video::v1::SessionDone {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_done";
    const TYPE: &'static str = "callboard.video.v1.SessionDone";
}

impl crate::Event for crate::video::v1::SessionClosed {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_closed";
    const TYPE: &'static str = "callboard.video.v1.SessionClosed";
}

impl crate::Event for crate::video::v1::SessionRated {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.session_rated";
    const TYPE: &'static str = "callboard.video.v1.SessionRated";
}

impl crate::Event for crate::video::v1::CallPresenceChanged {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "video.call_presence_changed";
    const TYPE: &'static str = "callboard.video.v1.CallPresenceChanged";
}

impl crate::Event for crate::video::v1::SessionFlowChanged {
    const CONTEXT: &'static str = "video";
    const SUBJECT: &'static str = "session_flow.changed";
    const TYPE: &'static str = "callboard.video.v1.SessionFlowChanged";
}

/// Every event of the platform, in the order of the protos.
pub const EVENTS: &[crate::EventDescription] = &[
    crate::EventDescription {
        context: "directory",
        subject: "organisation.changed",
        kind: "callboard.directory.v1.OrganisationChanged",
        when: "An organisation was made or edited.",
        reactions: "others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "employee.created",
        kind: "callboard.directory.v1.EmployeeCreated",
        when: "An employee joined.",
        reactions: "others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "employee.changed",
        kind: "callboard.directory.v1.EmployeeChanged",
        when: "Role, language, name or teams changed.",
        reactions: "others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "employee.departments_changed",
        kind: "callboard.directory.v1.EmployeeDepartmentsChanged",
        when: "An employee sees more or less than before.",
        reactions: "fleet takes offers and assignments away where the ticket is no longer visible (F-8); others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "employee.removed",
        kind: "callboard.directory.v1.EmployeeRemoved",
        when: "An employee left.",
        reactions: "fleet takes offers and assignments away (F-8); others drop the read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "department.changed",
        kind: "callboard.directory.v1.DepartmentChanged",
        when: "A department was made or edited.",
        reactions: "others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "department.removed",
        kind: "callboard.directory.v1.DepartmentRemoved",
        when: "A department was removed.",
        reactions: "others drop the read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "team.changed",
        kind: "callboard.directory.v1.TeamChanged",
        when: "A team was made or edited.",
        reactions: "others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "team.removed",
        kind: "callboard.directory.v1.TeamRemoved",
        when: "A team was removed.",
        reactions: "others drop the read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "meta_team.changed",
        kind: "callboard.directory.v1.MetaTeamChanged",
        when: "A meta team was made or edited.",
        reactions: "others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "meta_team.removed",
        kind: "callboard.directory.v1.MetaTeamRemoved",
        when: "A meta team was removed.",
        reactions: "others drop the read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "customer.changed",
        kind: "callboard.directory.v1.CustomerChanged",
        when: "A customer was made or edited.",
        reactions: "others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "customer.removed",
        kind: "callboard.directory.v1.CustomerRemoved",
        when: "A customer was removed.",
        reactions: "others drop the read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "customer_user.changed",
        kind: "callboard.directory.v1.CustomerUserChanged",
        when: "A customer's login was made or edited.",
        reactions: "others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "customer_user.removed",
        kind: "callboard.directory.v1.CustomerUserRemoved",
        when: "A customer's login was removed.",
        reactions: "others drop the read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "device.changed",
        kind: "callboard.directory.v1.DeviceChanged",
        when: "A device was made or edited (D-5).",
        reactions: "others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "device.removed",
        kind: "callboard.directory.v1.DeviceRemoved",
        when: "A device was removed.",
        reactions: "others drop the read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "template.changed",
        kind: "callboard.directory.v1.TemplateChanged",
        when: "A template was made or edited.",
        reactions: "others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "template.removed",
        kind: "callboard.directory.v1.TemplateRemoved",
        when: "A template was removed.",
        reactions: "others drop their part of it.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "code.changed",
        kind: "callboard.directory.v1.CodeChanged",
        when: "A code was made, paired, unpaired, activated or deactivated.",
        reactions: "others keep a read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "code.removed",
        kind: "callboard.directory.v1.CodeRemoved",
        when: "A code was removed.",
        reactions: "others drop the read copy.",
    },
    crate::EventDescription {
        context: "directory",
        subject: "principal.tokens_revoked",
        kind: "callboard.directory.v1.PrincipalTokensRevoked",
        when: "Access tokens of a person or of all users of a code no longer count: logged out, removed, or with other rights.",
        reactions: "every service refuses them.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "offers.made",
        kind: "callboard.fleet.v1.OffersMade",
        when: "A round of offers went out. At most 250 offers each; bigger rounds come as several events (F-2).",
        reactions: "notifications; tickets keeps who is offered what.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "offer.seen",
        kind: "callboard.fleet.v1.OfferSeen",
        when: "An employee opened the ticket's details (F-3).",
        reactions: "tickets keeps who is offered what.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "offer.accepted",
        kind: "callboard.fleet.v1.OfferAccepted",
        when: "An employee took the ticket (F-5).",
        reactions: "tickets → ASSIGNED (T-5); notifications.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "offer.declined",
        kind: "callboard.fleet.v1.OfferDeclined",
        when: "An employee does not take the ticket (F-5). The reason stays home.",
        reactions: "tickets; notifications stop for that person on this ticket.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "offer.cancelled",
        kind: "callboard.fleet.v1.OfferCancelled",
        when: "An offer was taken back: by hand, because the ticket ended, or because the employee left (F-6, F-8).",
        reactions: "tickets; notifications.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "offer.expired",
        kind: "callboard.fleet.v1.OfferExpired",
        when: "An offer's lifetime ended (F-9).",
        reactions: "tickets; notifications.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "offer.rescinded",
        kind: "callboard.fleet.v1.OfferRescinded",
        when: "Others filled the ticket (F-7).",
        reactions: "tickets; notifications.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "employee.assigned",
        kind: "callboard.fleet.v1.EmployeeAssigned",
        when: "A moderator or administrator assigned an employee (F-6).",
        reactions: "tickets → ASSIGNED (T-5); notifications.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "assignment.cancelled",
        kind: "callboard.fleet.v1.AssignmentCancelled",
        when: "An assignment was taken back (F-6, F-8).",
        reactions: "tickets (T-6); notifications.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "ticket.unserved",
        kind: "callboard.fleet.v1.TicketUnserved",
        when: "Nobody is left who could take the ticket: all declined, or nobody was eligible (F-11).",
        reactions: "notifications tells the flow's notification group, or moderators where there is none.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "ticket.escalated",
        kind: "callboard.fleet.v1.TicketEscalated",
        when: "The ticket went to the next group, because nobody of the one before accepted in time (F-9).",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "fleet",
        subject: "groups.changed",
        kind: "callboard.fleet.v1.GroupsChanged",
        when: "A template's groups changed (F-1).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "messenger",
        subject: "conversation.opened",
        kind: "callboard.messenger.v1.ConversationOpened",
        when: "The conversation of a ticket was opened, because the ticket opened (M-1).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "messenger",
        subject: "conversation.locked",
        kind: "callboard.messenger.v1.ConversationLocked",
        when: "Outsiders may not write any more, because the ticket was closed or cancelled (T-9).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "messenger",
        subject: "conversation.unlocked",
        kind: "callboard.messenger.v1.ConversationUnlocked",
        when: "Outsiders may write again, because the ticket was opened again (T-9).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "messenger",
        subject: "conversation.changed",
        kind: "callboard.messenger.v1.ConversationChanged",
        when: "Others are involved, or the ticket is known anew: its visibility, its customer, its departments (T-13).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "messenger",
        subject: "conversation.deleted",
        kind: "callboard.messenger.v1.ConversationDeleted",
        when: "The ticket was deleted, and the conversation with it (T-11).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "messenger",
        subject: "message.sent",
        kind: "callboard.messenger.v1.MessageSent",
        when: "Somebody said something.",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "messenger",
        subject: "message.edited",
        kind: "callboard.messenger.v1.MessageEdited",
        when: "Somebody changed what they had said (M-6).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "messenger",
        subject: "message.withdrawn",
        kind: "callboard.messenger.v1.MessageWithdrawn",
        when: "Somebody took back what they had said (M-6).",
        reactions: "notifications take it off.",
    },
    crate::EventDescription {
        context: "messenger",
        subject: "conversation.read",
        kind: "callboard.messenger.v1.ConversationRead",
        when: "Somebody has read up to a message (M-6).",
        reactions: "notifications mark as read.",
    },
    crate::EventDescription {
        context: "partners",
        subject: "service.requested",
        kind: "callboard.partners.v1.ServiceRequested",
        when: "A service is asked for.",
        reactions: "support opens a ticket that needs an action (S-1).",
    },
    crate::EventDescription {
        context: "partners",
        subject: "domain.submitted",
        kind: "callboard.partners.v1.DomainSubmitted",
        when: "A partner wants to register with a domain.",
        reactions: "support asks for approval, or approves by itself (S-4).",
    },
    crate::EventDescription {
        context: "partners",
        subject: "permission.requested",
        kind: "callboard.partners.v1.PermissionRequested",
        when: "A permission is asked for.",
        reactions: "support opens a ticket that needs an action (S-1).",
    },
    crate::EventDescription {
        context: "partners",
        subject: "account.created",
        kind: "callboard.partners.v1.AccountCreated",
        when: "An account was created.",
        reactions: "support opens a ticket that informs (S-1).",
    },
    crate::EventDescription {
        context: "partners",
        subject: "purchase.made",
        kind: "callboard.partners.v1.PurchaseMade",
        when: "Something was bought.",
        reactions: "support opens a ticket that informs (S-1).",
    },
    crate::EventDescription {
        context: "partners",
        subject: "seat.added",
        kind: "callboard.partners.v1.SeatAdded",
        when: "A seat was added to an account.",
        reactions: "support opens a ticket that informs (S-1).",
    },
    crate::EventDescription {
        context: "ratings",
        subject: "rating.requested",
        kind: "callboard.ratings.v1.RatingRequested",
        when: "Somebody is asked to rate (R-1).",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "ratings",
        subject: "rating.waived",
        kind: "callboard.ratings.v1.RatingWaived",
        when: "Nothing is to be rated: switched off, or the subject is internal (R-2).",
        reactions: "the subject → CLOSED (T-8, V-4).",
    },
    crate::EventDescription {
        context: "ratings",
        subject: "rating.submitted",
        kind: "callboard.ratings.v1.RatingSubmitted",
        when: "A rating was given. Its comment stays home.",
        reactions: "the subject → CLOSED (T-8, V-4); lists show the score (R-4).",
    },
    crate::EventDescription {
        context: "ratings",
        subject: "rating.withdrawn",
        kind: "callboard.ratings.v1.RatingWithdrawn",
        when: "The question was withdrawn: the subject was closed by hand, cancelled or reopened.",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "ratings",
        subject: "switches.changed",
        kind: "callboard.ratings.v1.SwitchesChanged",
        when: "A template's switches changed (R-2).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "support",
        subject: "ticket.opened",
        kind: "callboard.support.v1.TicketOpened",
        when: "A ticket arose (S-1).",
        reactions: "notifications tells the support role whose field it is, while it is NEW and nobody is assigned (S-5).",
    },
    crate::EventDescription {
        context: "support",
        subject: "ticket.status_changed",
        kind: "callboard.support.v1.TicketStatusChanged",
        when: "Its status changed.",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "support",
        subject: "ticket.priority_changed",
        kind: "callboard.support.v1.TicketPriorityChanged",
        when: "Its priority changed.",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "support",
        subject: "ticket.assigned",
        kind: "callboard.support.v1.TicketAssigned",
        when: "Somebody is its assignee now, or nobody (S-3).",
        reactions: "notifications sends the assignee an e-mail at once where `mail_at_once`.",
    },
    crate::EventDescription {
        context: "support",
        subject: "ticket.commented",
        kind: "callboard.support.v1.TicketCommented",
        when: "A comment was written (S-2). Its text stays home.",
        reactions: "notifications tells the support role, the assignee, and of care coordination the requester (S-2, S-5).",
    },
    crate::EventDescription {
        context: "support",
        subject: "domain.requested_again",
        kind: "callboard.support.v1.DomainRequestedAgain",
        when: "A domain that is pending was asked for once more: one decision settles all (S-4).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "support",
        subject: "domain.decided",
        kind: "callboard.support.v1.DomainDecided",
        when: "A domain was decided about, or decided otherwise (S-4).",
        reactions: "partner systems let the partner register, or not; notifications (S-5).",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "task.created",
        kind: "callboard.tasks.v1.TaskCreated",
        when: "A task arose: because a device event fell due, or by hand (K-2).",
        reactions: "notifications, which tells its assignees that they are (K-5).",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "task.due",
        kind: "callboard.tasks.v1.TaskDue",
        when: "A device event fell due, or a task reached its due time and is not closed. One per due time (K-3).",
        reactions: "tasks makes the task, where one is wanted; notifications.",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "task.status_changed",
        kind: "callboard.tasks.v1.TaskStatusChanged",
        when: "A task's status changed.",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "task.step_ticked",
        kind: "callboard.tasks.v1.TaskStepTicked",
        when: "A step was ticked off or unticked (K-2).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "task.visibility_changed",
        kind: "callboard.tasks.v1.TaskVisibilityChanged",
        when: "A task's visibility changed.",
        reactions: "every context that shows parts of it.",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "task.assignees_changed",
        kind: "callboard.tasks.v1.TaskAssigneesChanged",
        when: "Other people are assigned (K-5).",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "task.edited",
        kind: "callboard.tasks.v1.TaskEdited",
        when: "Title, description, due time or the linked ticket changed.",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "task.deleted",
        kind: "callboard.tasks.v1.TaskDeleted",
        when: "A task was deleted for good.",
        reactions: "every context purges.",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "device_event.changed",
        kind: "callboard.tasks.v1.DeviceEventChanged",
        when: "A device event was made or changed.",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "device_event.removed",
        kind: "callboard.tasks.v1.DeviceEventRemoved",
        when: "A device event was removed, by hand or with its device.",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "definition.changed",
        kind: "callboard.tasks.v1.DefinitionChanged",
        when: "A definition was made or changed.",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "tasks",
        subject: "definition.removed",
        kind: "callboard.tasks.v1.DefinitionRemoved",
        when: "A definition was removed, by hand or with its template.",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.opened",
        kind: "callboard.tickets.v1.TicketOpened",
        when: "DRAFT → OPEN.",
        reactions: "fleet sends offers; messenger opens the conversation; notifications; others keep a read copy.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.assigned",
        kind: "callboard.tickets.v1.TicketAssigned",
        when: "OPEN → ASSIGNED, by the first acceptance or assignment, or by hand (T-5, T-7).",
        reactions: "fleet and messenger follow the status; notifications.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.unassigned",
        kind: "callboard.tickets.v1.TicketUnassigned",
        when: "ASSIGNED → OPEN, because the last assignment was cancelled, or by hand (T-6, T-7).",
        reactions: "fleet and messenger follow the status.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.started",
        kind: "callboard.tickets.v1.TicketStarted",
        when: "Became IN_PROGRESS, other than by reopening.",
        reactions: "fleet and messenger follow the status.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.done",
        kind: "callboard.tickets.v1.TicketDone",
        when: "Became DONE.",
        reactions: "ratings asks (`rating.requested`) or waives (`rating.waived`); fleet and messenger follow the status.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.closed",
        kind: "callboard.tickets.v1.TicketClosed",
        when: "Became CLOSED: by the rating, its waiver, a time limit, or by hand (T-8).",
        reactions: "messenger locks; fleet withdraws open offers; ratings withdraws its request.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.cancelled",
        kind: "callboard.tickets.v1.TicketCancelled",
        when: "Became CANCELLED.",
        reactions: "messenger locks; fleet withdraws open offers; ratings withdraws its request.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.reopened",
        kind: "callboard.tickets.v1.TicketReopened",
        when: "Left CLOSED, CANCELLED or DONE for IN_PROGRESS, ASSIGNED or OPEN (T-9).",
        reactions: "messenger unlocks; fleet sends offers to those who have none when OPEN; ratings withdraws its request.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.visibility_changed",
        kind: "callboard.tickets.v1.TicketVisibilityChanged",
        when: "Became internal or public (T-13).",
        reactions: "every context that shows parts of it.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.priority_changed",
        kind: "callboard.tickets.v1.TicketPriorityChanged",
        when: "Got another priority.",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.edited",
        kind: "callboard.tickets.v1.TicketEdited",
        when: "Title or description were edited.",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.involved_changed",
        kind: "callboard.tickets.v1.TicketInvolvedChanged",
        when: "Who is involved changed without a change of status.",
        reactions: "ratings keeps who was involved (R-4); notifications.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.rated",
        kind: "callboard.tickets.v1.TicketRated",
        when: "A rating arrived on the ticket (R-4).",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.update_posted",
        kind: "callboard.tickets.v1.TicketUpdatePosted",
        when: "An update was written. Its text stays home.",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "tickets",
        subject: "ticket.deleted",
        kind: "callboard.tickets.v1.TicketDeleted",
        when: "Deleted for good (T-11). Drafts vanish without an event.",
        reactions: "every context purges.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_requested",
        kind: "callboard.video.v1.SessionRequested",
        when: "A code user or customer user asks for a session (V-1).",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_created",
        kind: "callboard.video.v1.SessionCreated",
        when: "An employee made a session; it is CONFIRMED (V-1).",
        reactions: "messenger posts the join link, where it was made from a conversation (M-7); notifications.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_confirmed",
        kind: "callboard.video.v1.SessionConfirmed",
        when: "A requested session was confirmed (V-2).",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_cancelled",
        kind: "callboard.video.v1.SessionCancelled",
        when: "A session was withdrawn by who requested it, or cancelled by an employee (V-5).",
        reactions: "ratings withdraws its request; notifications.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_reopened",
        kind: "callboard.video.v1.SessionReopened",
        when: "A session that was over is CONFIRMED again (V-6).",
        reactions: "ratings withdraws its request; notifications.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_visibility_changed",
        kind: "callboard.video.v1.SessionVisibilityChanged",
        when: "A session was made internal or public (V-7, T-13).",
        reactions: "every context that shows parts of it; ratings withdraws its request.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_linked",
        kind: "callboard.video.v1.SessionLinked",
        when: "A ticket was linked (V-9).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_unlinked",
        kind: "callboard.video.v1.SessionUnlinked",
        when: "A ticket is linked no more: by hand, or because it was deleted (V-9, T-11).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.consent_changed",
        kind: "callboard.video.v1.ConsentChanged",
        when: "One side gave or withdrew its consent to recordings (V-8).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.recording_changed",
        kind: "callboard.video.v1.RecordingChanged",
        when: "A recording began or ended (V-8).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_file_added",
        kind: "callboard.video.v1.SessionFileAdded",
        when: "A recording or a screenshot is the session's now (V-8).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_file_removed",
        kind: "callboard.video.v1.SessionFileRemoved",
        when: "A recording or a screenshot was removed for good.",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.call_started",
        kind: "callboard.video.v1.CallStarted",
        when: "The call started: the session is IN_PROGRESS (V-3).",
        reactions: "notifications tells the other side.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.call_joined",
        kind: "callboard.video.v1.CallJoined",
        when: "Somebody is in the call: the other side, or the same person again.",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.call_ended",
        kind: "callboard.video.v1.CallEnded",
        when: "The call is over (V-4).",
        reactions: "notifications.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_done",
        kind: "callboard.video.v1.SessionDone",
        when: "The call is over and a rating is awaited (V-4).",
        reactions: "ratings asks (`rating.requested`) or waives (`rating.waived`).",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_closed",
        kind: "callboard.video.v1.SessionClosed",
        when: "Nothing more is awaited: not rated at all, or rated (V-4).",
        reactions: "ratings withdraws its request; notifications.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.session_rated",
        kind: "callboard.video.v1.SessionRated",
        when: "The session was rated (R-4).",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "video",
        subject: "video.call_presence_changed",
        kind: "callboard.video.v1.CallPresenceChanged",
        when: "The people of a running call changed: somebody's connection was lost, or came back.",
        reactions: "none yet.",
    },
    crate::EventDescription {
        context: "video",
        subject: "session_flow.changed",
        kind: "callboard.video.v1.SessionFlowChanged",
        when: "A template's session flow changed (V-1).",
        reactions: "notifications keep who is responsible.",
    },
];
