// @generated from messages that hold a PIN, a token or a secret.

impl ::core::fmt::Debug for crate::directory::v1::Code {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Code")
            .field("id", &self.id)
            .field("token", &crate::veil(&self.token))
            .field("device_id", &self.device_id)
            .field("active", &self.active)
            .field("has_pin", &self.has_pin)
            .field("create_time", &self.create_time)
            .field("update_time", &self.update_time)
            .field("etag", &self.etag)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::directory::v1::CreateCodeRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("CreateCodeRequest")
            .field("request_id", &self.request_id)
            .field("code", &self.code)
            .field("pin", &crate::veil(&self.pin))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::directory::v1::SetCodePinRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("SetCodePinRequest")
            .field("request_id", &self.request_id)
            .field("code_id", &self.code_id)
            .field("etag", &self.etag)
            .field("pin", &crate::veil(&self.pin))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::directory::v1::Tokens {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Tokens")
            .field("access_token", &crate::veil(&self.access_token))
            .field("access_expire_time", &self.access_expire_time)
            .field("refresh_token", &crate::veil(&self.refresh_token))
            .field("refresh_expire_time", &self.refresh_expire_time)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::directory::v1::ScanCodeRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ScanCodeRequest")
            .field("code", &self.code)
            .field("pin", &crate::veil(&self.pin))
            .field("language", &self.language)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::directory::v1::RefreshSessionRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("RefreshSessionRequest")
            .field("refresh_token", &crate::veil(&self.refresh_token))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::directory::v1::EndSessionRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("EndSessionRequest")
            .field("refresh_token", &crate::veil(&self.refresh_token))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::notifications::v1::OpenLinkRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("OpenLinkRequest")
            .field("token", &crate::veil(&self.token))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::notifications::v1::OpenLinkResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("OpenLinkResponse")
            .field("code_token", &crate::veil(&self.code_token))
            .field("ticket_id", &self.ticket_id)
            .field("confirmed", &self.confirmed)
            .field("expire_time", &self.expire_time)
            .field("subject_kind", &self.subject_kind)
            .field("subject_id", &self.subject_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::notifications::v1::UnsubscribeRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("UnsubscribeRequest")
            .field("token", &crate::veil(&self.token))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::notifications::v1::CreateWebhookResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("CreateWebhookResponse")
            .field("webhook", &self.webhook)
            .field("secret", &crate::veil(&self.secret))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::notifications::v1::RotateWebhookSecretResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("RotateWebhookSecretResponse")
            .field("webhook", &self.webhook)
            .field("secret", &crate::veil(&self.secret))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::tasks::v1::CreateFeedResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("CreateFeedResponse")
            .field("feed", &self.feed)
            .field("token", &crate::veil(&self.token))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::tasks::v1::ReadFeedRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ReadFeedRequest")
            .field("token", &crate::veil(&self.token))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::video::v1::CallCredentials {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("CallCredentials")
            .field("provider", &self.provider)
            .field("connection_id", &self.connection_id)
            .field("call_token", &crate::veil(&self.call_token))
            .field("ice_servers", &self.ice_servers)
            .field("polite", &self.polite)
            .field("page_url", &self.page_url)
            .field("side", &self.side)
            .field("livekit", &self.livekit)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::video::v1::LiveKitCredentials {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("LiveKitCredentials")
            .field("server_url", &self.server_url)
            .field("access_token", &crate::veil(&self.access_token))
            .field("expire_time", &self.expire_time)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::video::v1::CallFileUpload {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("CallFileUpload")
            .field("call_token", &crate::veil(&self.call_token))
            .field("kind", &self.kind)
            .field("upload", &self.upload)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::video::v1::ReceiveProviderWebhookRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ReceiveProviderWebhookRequest")
            .field("provider", &self.provider)
            .field("body", &self.body)
            .field("authorization_token", &crate::veil(&self.authorization_token))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::video::v1::SignalHello {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("SignalHello")
            .field("session_id", &self.session_id)
            .field("call_token", &crate::veil(&self.call_token))
            .finish()
    }
}
