// @generated from requests with a page_token.

impl crate::Paged for crate::directory::v1::ListEmployeesRequest {
    const NAME: &'static str = "callboard.directory.v1.ListEmployeesRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::directory::v1::ListDepartmentsRequest {
    const NAME: &'static str = "callboard.directory.v1.ListDepartmentsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::directory::v1::ListTeamsRequest {
    const NAME: &'static str = "callboard.directory.v1.ListTeamsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::directory::v1::ListMetaTeamsRequest {
    const NAME: &'static str = "callboard.directory.v1.ListMetaTeamsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::directory::v1::ListCustomersRequest {
    const NAME: &'static str = "callboard.directory.v1.ListCustomersRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::directory::v1::ListCustomerUsersRequest {
    const NAME: &'static str = "callboard.directory.v1.ListCustomerUsersRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::directory::v1::ListDevicesRequest {
    const NAME: &'static str = "callboard.directory.v1.ListDevicesRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::directory::v1::ListTemplatesRequest {
    const NAME: &'static str = "callboard.directory.v1.ListTemplatesRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::directory::v1::ListCodesRequest {
    const NAME: &'static str = "callboard.directory.v1.ListCodesRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::fleet::v1::ListOffersRequest {
    const NAME: &'static str = "callboard.fleet.v1.ListOffersRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::fleet::v1::ListRoundsRequest {
    const NAME: &'static str = "callboard.fleet.v1.ListRoundsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::messenger::v1::ListConversationsRequest {
    const NAME: &'static str = "callboard.messenger.v1.ListConversationsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::messenger::v1::ListMessagesRequest {
    const NAME: &'static str = "callboard.messenger.v1.ListMessagesRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::messenger::v1::ListMessageRevisionsRequest {
    const NAME: &'static str = "callboard.messenger.v1.ListMessageRevisionsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::notifications::v1::ListEntriesRequest {
    const NAME: &'static str = "callboard.notifications.v1.ListEntriesRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::notifications::v1::ListDeliveriesRequest {
    const NAME: &'static str = "callboard.notifications.v1.ListDeliveriesRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::notifications::v1::ListGroupsRequest {
    const NAME: &'static str = "callboard.notifications.v1.ListGroupsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::notifications::v1::ListWebhookDeliveriesRequest {
    const NAME: &'static str = "callboard.notifications.v1.ListWebhookDeliveriesRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::notifications::v1::ListWebhookAttemptsRequest {
    const NAME: &'static str = "callboard.notifications.v1.ListWebhookAttemptsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::ratings::v1::ListRatingsRequest {
    const NAME: &'static str = "callboard.ratings.v1.ListRatingsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::support::v1::ListTicketsRequest {
    const NAME: &'static str = "callboard.support.v1.ListTicketsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::support::v1::ListNotesRequest {
    const NAME: &'static str = "callboard.support.v1.ListNotesRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::support::v1::ListCommentsRequest {
    const NAME: &'static str = "callboard.support.v1.ListCommentsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::support::v1::ListDomainsRequest {
    const NAME: &'static str = "callboard.support.v1.ListDomainsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::tasks::v1::ListDeviceEventsRequest {
    const NAME: &'static str = "callboard.tasks.v1.ListDeviceEventsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::tasks::v1::ListTasksRequest {
    const NAME: &'static str = "callboard.tasks.v1.ListTasksRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::tickets::v1::ListTicketsRequest {
    const NAME: &'static str = "callboard.tickets.v1.ListTicketsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::tickets::v1::ListUpdatesRequest {
    const NAME: &'static str = "callboard.tickets.v1.ListUpdatesRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::tickets::v1::GetServiceRecordRequest {
    const NAME: &'static str = "callboard.tickets.v1.GetServiceRecordRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::tickets::v1::ListTimelineRequest {
    const NAME: &'static str = "callboard.tickets.v1.ListTimelineRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}

impl crate::Paged for crate::video::v1::ListSessionsRequest {
    const NAME: &'static str = "callboard.video.v1.ListSessionsRequest";

    fn of_any_page(&self) -> Self {
        Self { page_size: 0, page_token: String::new(), ..self.clone() }
    }
}
