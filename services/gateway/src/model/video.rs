//! Shapes of video sessions.

use callboard_proto::video::v1 as proto;
use serde::Deserialize;
use utoipa::ToSchema;

use super::attachments::Attachment;
use super::mirror::{mirror, words};
use super::{Actor, Localized, Time};

words! {
    /// Where a session stands.
    VideoSessionStatus of proto::SessionStatus {
        /// Asked for; it cannot be called yet (V-2).
        Requested,
        /// Either side may start the call (V-3).
        Confirmed,
        /// The call runs.
        InProgress,
        /// The call is over and a rating is awaited (V-4).
        Done,
        /// Nothing more is awaited.
        Closed,
        /// Withdrawn or cancelled (V-5).
        Cancelled,
    }

    /// Who sees a session (V-7).
    VideoSessionVisibility of proto::Visibility {
        /// Employees only.
        Internal,
        /// Also code users and customer users of the device.
        Public,
    }

    /// The two sides of a call (V-1).
    CallSide of proto::Side {
        /// The code user or customer user.
        Guest,
        /// The employee.
        Employee,
    }

    /// How a field of the session flow is asked; not set: not at all.
    SessionFlowField of proto::FlowField { Optional, Required }

    /// What a file of a session is.
    SessionFileKind of proto::SessionFileKind {
        /// Video, made while both sides consented (V-8).
        Recording,
        /// A picture that either side took, for both (V-8).
        Screenshot,
    }

    /// How audio and video get from one browser to the other (V-10).
    CallProvider of proto::CallProvider {
        /// From browser to browser, with our own signalling.
        BuiltIn,
        /// By a LiveKit server, with its clients.
        Livekit,
    }
}

mirror! {
    /// A video session: one guest, one employee (V-1).
    VideoSession of proto::Session {
        /// UUID.
        id: Option<String>,
        /// UUID.
        device_id: Option<String>,
        /// UUID.
        template_id: Option<String>,
        /// The device's customer when the session was made.
        customer_id: Option<String>,
        /// Where it stands.
        status: Option<VideoSessionStatus>,
        /// Who sees it.
        visibility: Option<VideoSessionVisibility>,
        /// Who created or confirmed it, or was in the call last.
        employee_id: Option<String>,
        /// Who requested it; not set: an employee created it.
        requester: Option<Actor>,
        /// What the requester is called.
        requester_name: Option<String>,
        /// What it is about.
        reason: Option<String>,
        /// Linked tickets that the caller may see (V-9).
        ticket_ids: Vec<String>,
        /// From whose conversation it was made (M-7).
        conversation_ticket_id: Option<String>,
        /// The guest agreed to recordings (V-8).
        guest_consents: bool,
        /// The employee agreed to recordings (V-8).
        employee_consents: bool,
        /// A recording runs.
        recording: bool,
        /// The running call.
        call: Option<RunningCall>,
        /// How many calls there were, the running one included.
        call_count: i32,
        /// When the last call ended.
        end_time: Option<Time>,
        /// 1 to 5.
        rating: Option<i32>,
        /// Who made it.
        creator: Option<Actor>,
        /// When it was made.
        create_time: Option<Time>,
        /// When it changed last.
        update_time: Option<Time>,
        /// What this caller may do now.
        moves: Option<VideoSessionMoves>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
        /// Recordings and screenshots, oldest first (V-8).
        files: Vec<SessionFile>,
    }

    /// A recording, or a part of one; or a screenshot.
    SessionFile of proto::SessionFile {
        /// What it is.
        kind: Option<SessionFileKind>,
        /// UUID; its content is at `/v1/attachments/video/{id}/content`.
        attachment_id: Option<String>,
        /// In which call of the session it was made: 1, 2, 3 …
        call_number: i32,
        /// What is known of the file; not set where it is gone.
        attachment: Option<Attachment>,
    }

    /// A running call.
    RunningCall of proto::Call {
        /// 1, 2, 3 … within the session.
        number: i32,
        /// Since when.
        start_time: Option<Time>,
        /// Who started it.
        started_by: Option<CallSide>,
        /// Whether the guest's connection stands.
        guest_present: bool,
        /// Whether the employee's connection stands.
        employee_present: bool,
        /// What carries it, until it ends.
        provider: Option<CallProvider>,
    }

    /// What a caller may do with a session now: the buttons of a screen.
    VideoSessionMoves of proto::SessionMoves {
        confirm: bool,
        withdraw: bool,
        cancel: bool,
        reopen: bool,
        join: bool,
        end: bool,
        set_visibility: bool,
        link: bool,
        consent: bool,
        record: bool,
    }

    /// A page of sessions, newest first.
    VideoSessionPage of proto::ListSessionsResponse {
        sessions: Vec<VideoSession>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// A session to ask for (V-1).
    SessionRequest of proto::RequestSessionRequest {
        /// UUID.
        device_id: String,
        /// As the flow says; at most 100 characters.
        requester_name: Option<String>,
        /// As the flow says; at most 500 characters.
        reason: Option<String>,
        /// Consent to recordings; only where the flow asks for it.
        consents: bool,
        /// A public ticket of the device that it is about.
        ticket_id: Option<String>,
    }

    /// A session to make.
    NewVideoSession of proto::CreateSessionRequest {
        /// UUID.
        device_id: String,
        /// At most 500 characters.
        reason: Option<String>,
        /// Tickets of the device to be linked, at most 50.
        ticket_ids: Vec<String>,
        /// From whose conversation it is made (M-7); it is linked too.
        conversation_ticket_id: Option<String>,
    }

    /// A STUN or TURN server, as `RTCPeerConnection` takes it.
    IceServer of proto::IceServer {
        /// `stun:…`, `turn:…`, `turns:…`.
        urls: Vec<String>,
        /// Of TURN alone.
        username: Option<String>,
        /// Of TURN alone.
        credential: Option<String>,
        /// Until when they are good.
        expire_time: Option<Time>,
    }

    /// What a LiveKit client needs: it connects to the server with the token.
    LiveKitCredentials of proto::LiveKitCredentials {
        /// `wss://…`
        server_url: String,
        /// Lets this connection, and it alone, into the room of this call. Says nothing of the person but their side.
        access_token: String,
        /// Until when one may connect with it; who is connected stays.
        expire_time: Option<Time>,
    }

    /// What a browser or an app needs to take part in a call.
    CallCredentials of proto::CallCredentials {
        /// How the two sides exchange audio and video.
        provider: Option<CallProvider>,
        /// Names this connection; a later join of the same person takes its place.
        connection_id: String,
        /// The first message of the WebSocket shows it. Never put it into an address that is sent to a server.
        call_token: String,
        /// For `RTCPeerConnection`. BUILT_IN.
        ice_servers: Vec<IceServer>,
        /// Of who made the offer first: this side gives way when both offer at once ("perfect negotiation"). BUILT_IN.
        polite: bool,
        /// The page on which the call takes place; without the token.
        page_url: Option<String>,
        /// Which side this is.
        side: Option<CallSide>,
        /// For a LiveKit client. LIVEKIT.
        livekit: Option<LiveKitCredentials>,
    }

    /// A place in a call.
    JoinedCall of proto::JoinSessionResponse {
        /// The session.
        session: Option<VideoSession>,
        /// What the browser needs.
        credentials: Option<CallCredentials>,
    }

    /// A template's part in video sessions: what is asked of who requests one, and who may confirm it (V-1, V-2).
    SessionFlow of proto::SessionFlow {
        /// UUID.
        template_id: Option<String>,
        /// Whether code users and customer users may request sessions.
        requests_allowed: bool,
        /// How the requester's name is asked; not set: not at all.
        requester_name: Option<SessionFlowField>,
        /// How it is asked what it is about; not set: not at all.
        reason: Option<SessionFlowField>,
        /// Reasons to choose from, at most 20, each at most 100 characters in each language. None: free text.
        reasons: Vec<Localized>,
        /// Whether consent to recording is asked when requesting.
        asks_consent: bool,
        /// Employees who are responsible for requests, at most 100. Only told to employees.
        responsible_employee_ids: Vec<String>,
        /// Departments whose employees are responsible for requests, at most 100. Only told to employees.
        responsible_department_ids: Vec<String>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }
}

/// How to join.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CallJoining {
    /// What the client speaks; empty: anything. Where the call is carried by none of them nothing happens: 409,
    /// `OTHER_PROVIDER`.
    pub providers: Vec<CallProvider>,
}

/// What a LiveKit server sends: LiveKit's `WebhookEvent`, which has more fields. Only read to know which room to ask about.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body")]
pub struct LiveKitWebhook {
    /// `room_started`, `participant_joined` …
    pub event: String,
    /// The room, with its `name`.
    pub room: Option<LiveKitRoom>,
}

/// A room of a LiveKit server.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body")]
pub struct LiveKitRoom {
    /// As Callboard named it.
    pub name: String,
}

/// Who is to see a session.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSessionVisibility {
    /// From now on. Internal ends a running call.
    pub visibility: VideoSessionVisibility,
}

/// A ticket by its id.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LinkedTicket {
    /// UUID; of the session's device.
    pub ticket_id: String,
}

/// A recording or a screenshot that was uploaded for the session.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSessionFile {
    /// A recording is a WebM, Matroska, MP4 or QuickTime video, a screenshot a PNG or JPEG picture.
    pub kind: SessionFileKind,
    /// UUID; uploaded by the caller for this session.
    pub attachment_id: String,
}

/// A file of a session.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedSessionFile {
    /// UUID.
    pub attachment_id: String,
}

/// Consent to recordings.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewConsent {
    /// Of the caller's side.
    pub given: bool,
}

/// Whether the caller records.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRecording {
    /// From now on.
    pub running: bool,
}
