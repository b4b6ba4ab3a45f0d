//! Codes: pairing, activation, PIN, and who gets in (D-3, D-4).

use callboard_kernel::{
    Aggregate, DecisionContext, DeviceId, OrganisationId, Principal, Role, Subject, Timestamp,
};
use chrono::TimeDelta;

use crate::Refused;

/// So many wrong PINs in a row lock the PIN entry of a code.
pub const WRONG_PINS: u32 = 5;
/// For so long.
pub const LOCK_OUT: TimeDelta = TimeDelta::minutes(15);

/// The aggregate of one code.
#[derive(Debug)]
pub struct Code;

/// A code that is there.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// Whose it is.
    pub organisation: OrganisationId,
    /// The opaque text in the URL.
    pub token: String,
    /// What it leads to.
    pub device: Option<DeviceId>,
    /// False: only logged-in people.
    pub active: bool,
    /// Hash of the PIN (PHC string).
    pub pin: Option<String>,
    /// Wrong PINs in a row.
    pub wrong_pins: u32,
    /// No PIN is looked at before this.
    pub locked_until: Option<Timestamp>,
    /// Sessions and access tokens with a lower epoch no longer count.
    pub session_epoch: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for Kept {
    /// Without the text that opens the door and the PIN's hash, from which a few digits could be worked out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("organisation", &self.organisation)
            .field("device", &self.device)
            .field("active", &self.active)
            .field("pin", &self.pin.is_some())
            .field("wrong_pins", &self.wrong_pins)
            .field("locked_until", &self.locked_until)
            .field("session_epoch", &self.session_epoch)
            .field("created_at", &self.created_at)
            .field("updated_at", &self.updated_at)
            .finish_non_exhaustive()
    }
}

impl Kept {
    /// Whether code users get in, PIN aside (D-3).
    pub const fn admits_code_users(&self) -> bool {
        self.active && self.device.is_some()
    }
}

/// What a code knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Not made yet.
    #[default]
    Absent,
    /// There.
    Kept(Kept),
    /// Removed; the text of the URL is not given again.
    Removed(Kept),
}

impl State {
    /// The code, if it is there.
    pub const fn kept(&self) -> Option<&Kept> {
        match self {
            Self::Kept(kept) => Some(kept),
            Self::Absent | Self::Removed(_) => None,
        }
    }
}

/// What the check of a PIN found. Checking takes time on purpose, so it is done before the decision.
#[derive(Clone, PartialEq, Eq)]
pub enum PinProof {
    /// No PIN was given.
    None,
    /// A PIN was compared with this hash.
    Checked {
        /// The hash it was compared with.
        against: String,
        /// Whether it is the one.
        right: bool,
    },
}

impl std::fmt::Debug for PinProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Checked { right: true, .. } => "Right",
            Self::Checked { right: false, .. } => "Wrong",
        })
    }
}

/// What can be asked of a code.
#[derive(Clone)]
pub enum Command {
    /// Makes it, active.
    Create {
        /// The opaque text in the URL.
        token: String,
        /// What it leads to.
        device: Option<DeviceId>,
        /// Hash of its PIN.
        pin: Option<String>,
    },
    /// Pairs it; from another device it moves.
    Pair(DeviceId),
    /// Takes it off its device.
    Unpair,
    /// Takes it off this device, if it is on it: the device was removed. Asked by the system only.
    Abandon(DeviceId),
    /// Lets code users in.
    Activate,
    /// Lets only logged-in people in.
    Deactivate,
    /// Sets (hash) or removes the PIN.
    SetPin(Option<String>),
    /// Logs all its code users out.
    EndSessions,
    /// Removes it.
    Delete,
    /// Somebody scanned it and wants in. Asked by the system only.
    Admit(PinProof),
}

impl std::fmt::Debug for Command {
    /// Without tokens and hashes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Create { device, pin, .. } => f
                .debug_struct("Create")
                .field("device", device)
                .field("pin", &pin.is_some())
                .finish_non_exhaustive(),
            Self::Pair(device) => f.debug_tuple("Pair").field(device).finish(),
            Self::Unpair => f.write_str("Unpair"),
            Self::Abandon(device) => f.debug_tuple("Abandon").field(device).finish(),
            Self::Activate => f.write_str("Activate"),
            Self::Deactivate => f.write_str("Deactivate"),
            Self::SetPin(pin) => f.debug_tuple("SetPin").field(&pin.is_some()).finish(),
            Self::EndSessions => f.write_str("EndSessions"),
            Self::Delete => f.write_str("Delete"),
            Self::Admit(proof) => f.debug_tuple("Admit").field(proof).finish(),
        }
    }
}

/// What happens to a code.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// It was made.
    Created(Kept),
    /// It leads to another device, or to none.
    Paired {
        /// Before.
        from: Option<DeviceId>,
        /// Now.
        to: Option<DeviceId>,
        /// When.
        at: Timestamp,
    },
    /// It was activated or deactivated.
    Switched {
        /// Now.
        active: bool,
        /// When.
        at: Timestamp,
    },
    /// A PIN was set or removed; wrong tries are forgotten.
    PinSet {
        /// Its hash.
        pin: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// All sessions ended.
    SessionsEnded {
        /// The lowest epoch that counts now.
        epoch: i64,
        /// When.
        at: Timestamp,
    },
    /// A wrong PIN was given.
    PinFailed {
        /// So many in a row.
        wrong_pins: u32,
        /// Too many: no PIN is looked at before this.
        locked_until: Option<Timestamp>,
    },
    /// The right PIN was given after wrong ones.
    PinPassed,
    /// It was removed.
    Removed {
        /// When.
        at: Timestamp,
    },
}

impl std::fmt::Debug for Event {
    /// Without the PIN's hash.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Created(kept) => f.debug_tuple("Created").field(kept).finish(),
            Self::Paired { from, to, .. } => {
                f.debug_struct("Paired").field("from", from).field("to", to).finish_non_exhaustive()
            }
            Self::Switched { active, .. } => {
                f.debug_struct("Switched").field("active", active).finish_non_exhaustive()
            }
            Self::PinSet { pin, .. } => {
                f.debug_struct("PinSet").field("pin", &pin.is_some()).finish_non_exhaustive()
            }
            Self::SessionsEnded { epoch, .. } => {
                f.debug_struct("SessionsEnded").field("epoch", epoch).finish_non_exhaustive()
            }
            Self::PinFailed { wrong_pins, locked_until } => f
                .debug_struct("PinFailed")
                .field("wrong_pins", wrong_pins)
                .field("locked_until", locked_until)
                .finish(),
            Self::PinPassed => f.write_str("PinPassed"),
            Self::Removed { .. } => f.write_str("Removed"),
        }
    }
}

impl Code {
    fn kept<'a>(state: &'a State, principal: &Principal) -> Result<&'a Kept, Refused> {
        state
            .kept()
            .filter(|kept| kept.organisation == principal.organisation)
            .ok_or(Refused::NotFound("code"))
    }

    /// D-3. A wrong PIN is an event, not a refusal: it has to be remembered.
    fn admit(code: &Kept, proof: &PinProof, now: Timestamp) -> Result<Vec<Event>, Refused> {
        if code.device.is_none() {
            return Err(Refused::NotAdmitted {
                reason: "CODE_UNPAIRED",
                message: "the code leads to no device",
            });
        }
        if !code.active {
            return Err(Refused::NotAdmitted {
                reason: "CODE_DEACTIVATED",
                message: "the code is deactivated: log in",
            });
        }
        let Some(pin) = &code.pin else { return Ok(Vec::new()) };
        if code.locked_until.is_some_and(|until| now < until) {
            return Err(Refused::PinLocked);
        }
        let PinProof::Checked { against, right } = proof else {
            return Err(Refused::NotAdmitted { reason: "PIN_REQUIRED", message: "the code has a PIN" });
        };
        if against != pin {
            return Err(Refused::PinChanged);
        }
        // After a lock-out the count starts anew.
        let so_far = if code.locked_until.is_some() { 0 } else { code.wrong_pins };
        Ok(match (right, so_far) {
            (true, 0) if code.locked_until.is_none() => Vec::new(),
            (true, _) => vec![Event::PinPassed],
            (false, _) => {
                let wrong_pins = so_far + 1;
                let locked_until = (wrong_pins >= WRONG_PINS).then(|| now + LOCK_OUT);
                vec![Event::PinFailed { wrong_pins, locked_until }]
            }
        })
    }
}

impl Aggregate for Code {
    const KIND: &'static str = "code";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Refused;

    fn decide(
        state: &State,
        command: &Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Event>, Refused> {
        let (principal, at) = (context.principal, context.now);
        let system = matches!(principal.subject, Subject::System);
        if !system && !principal.has_role(Role::Administrator) {
            return Err(Refused::Denied("for administrators"));
        }
        if !system && matches!(command, Command::Admit(_) | Command::Abandon(_)) {
            return Err(Refused::Denied("for Callboard itself"));
        }
        if let Command::Create { token, device, pin } = command {
            if !matches!(state, State::Absent) {
                return Err(Refused::IdTaken);
            }
            return Ok(vec![Event::Created(Kept {
                organisation: principal.organisation,
                token: token.clone(),
                device: *device,
                active: true,
                pin: pin.clone(),
                wrong_pins: 0,
                locked_until: None,
                session_epoch: 1,
                created_at: at,
                updated_at: at,
            })]);
        }
        let code = Self::kept(state, principal)?;
        let ended = Event::SessionsEnded { epoch: code.session_epoch + 1, at };
        let unpaired = Event::Paired { from: code.device, to: None, at };
        Ok(match command {
            Command::Create { .. } => Vec::new(),
            Command::Pair(device) if code.device == Some(*device) => Vec::new(),
            // Whoever came in saw the other device.
            Command::Pair(device) => {
                let paired = Event::Paired { from: code.device, to: Some(*device), at };
                if code.device.is_some() { vec![paired, ended] } else { vec![paired] }
            }
            Command::Unpair if code.device.is_none() => Vec::new(),
            Command::Unpair => vec![unpaired, ended],
            Command::Abandon(device) if code.device == Some(*device) => vec![unpaired, ended],
            Command::Abandon(_) => Vec::new(),
            Command::Activate if code.active => Vec::new(),
            Command::Activate => vec![Event::Switched { active: true, at }],
            Command::Deactivate if !code.active => Vec::new(),
            Command::Deactivate => vec![Event::Switched { active: false, at }, ended],
            Command::SetPin(None) if code.pin.is_none() => Vec::new(),
            Command::SetPin(pin) => vec![Event::PinSet { pin: pin.clone(), at }],
            Command::EndSessions => vec![ended],
            Command::Delete => vec![ended, Event::Removed { at }],
            Command::Admit(proof) => Self::admit(code, proof, at)?,
        })
    }

    fn evolve(state: &mut State, event: &Event) {
        if let Event::Created(kept) = event {
            *state = State::Kept(kept.clone());
            return;
        }
        let State::Kept(code) = state else { return };
        match event {
            Event::Created(_) => {}
            Event::Paired { to, at, .. } => (code.device, code.updated_at) = (*to, *at),
            Event::Switched { active, at } => (code.active, code.updated_at) = (*active, *at),
            Event::PinSet { pin, at } => {
                (code.pin, code.updated_at) = (pin.clone(), *at);
                (code.wrong_pins, code.locked_until) = (0, None);
            }
            Event::SessionsEnded { epoch, at } => (code.session_epoch, code.updated_at) = (*epoch, *at),
            Event::PinFailed { wrong_pins, locked_until } => {
                (code.wrong_pins, code.locked_until) = (*wrong_pins, *locked_until);
            }
            Event::PinPassed => (code.wrong_pins, code.locked_until) = (0, None),
            Event::Removed { at } => {
                let tombstone =
                    Kept { device: None, active: false, pin: None, updated_at: *at, ..code.clone() };
                *state = State::Removed(tombstone);
            }
        }
    }
}
