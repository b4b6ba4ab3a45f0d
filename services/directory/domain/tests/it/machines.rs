//! Random commands; invariants that hold after each.

use callboard_directory_domain::code::{Code, Command, Event, PinProof, State, WRONG_PINS};
use callboard_directory_domain::session::{self, Holder, Session};
use callboard_kernel::{DeviceId, Language};
use proptest::prelude::*;
use uuid::Uuid;

use crate::world::{ask, at, system};

fn device() -> impl Strategy<Value = DeviceId> {
    (1..3_u128).prop_map(|number| DeviceId(Uuid::from_u128(number)))
}

fn command() -> impl Strategy<Value = Command> {
    let hash = || prop_oneof![9 => Just("a".to_owned()), 1 => Just("b".to_owned())];
    prop_oneof![
        1 => (prop::option::of(device()), prop::option::of(hash()))
            .prop_map(|(device, pin)| Command::Create { token: "t".into(), device, pin }),
        1 => device().prop_map(Command::Pair),
        1 => device().prop_map(Command::Abandon),
        1 => Just(Command::Unpair),
        1 => Just(Command::Activate),
        1 => Just(Command::Deactivate),
        1 => prop::option::of(hash()).prop_map(Command::SetPin),
        1 => Just(Command::EndSessions),
        60 => (hash(), prop::bool::weighted(0.25)).prop_map(|(against, right)| Command::Admit(PinProof::Checked { against, right })),
        1 => Just(Command::Admit(PinProof::None)),
    ]
}

proptest! {
    #[test]
    fn a_code_keeps_its_promises(commands in prop::collection::vec((command(), 0..60_i64), 1..120)) {
        let mut state = State::default();
        let mut now = 0;
        for (command, wait) in commands {
            now += wait;
            let before = state.clone();
            let result = ask::<Code>(&mut state, &system(), at(now), &command);
            if result.is_err() {
                prop_assert_eq!(&state, &before, "a refusal changes nothing");
            }
            let (Some(was), Some(is)) = (before.kept(), state.kept()) else { continue };
            prop_assert!(is.session_epoch >= was.session_epoch, "epochs only rise");
            let lost = was.device.is_some() && is.device != was.device || was.active && !is.active;
            prop_assert!(!lost || is.session_epoch > was.session_epoch, "whoever was let in is let out");
            prop_assert!(is.wrong_pins <= WRONG_PINS);
            prop_assert_eq!(is.wrong_pins == WRONG_PINS, is.locked_until.is_some());
            if let (Command::Admit(proof), Ok(events)) = (&command, &result) {
                let failed = events.iter().any(|event| matches!(event, Event::PinFailed { .. }));
                if !failed {
                    prop_assert!(was.admits_code_users());
                    prop_assert!(was.locked_until.is_none_or(|until| until <= at(now)));
                    let right = matches!(proof, PinProof::Checked { against, right: true } if Some(against) == was.pin.as_ref());
                    prop_assert!(was.pin.is_none() || right, "in without the PIN");
                }
            }
        }
    }

    #[test]
    fn a_session_has_one_good_refresh_token(tries in prop::collection::vec(0..6_usize, 1..40)) {
        let mut state = None;
        let holder = Holder::Employee(Uuid::from_u128(1).into());
        let open = session::Command::Open {
            holder, language: Language::En, family: [0; 32], secret: [0; 32], expires_at: at(1000),
        };
        ask::<Session>(&mut state, &system(), at(0), &open).unwrap();
        let (mut newest, mut alive) = (0_u8, true);
        for (number, back) in tries.into_iter().enumerate() {
            let presented = newest.saturating_sub(u8::try_from(back).unwrap());
            let next = u8::try_from(number + 1).unwrap();
            let refresh = session::Command::Refresh { family: [0; 32], secret: [presented; 32], next: [next; 32] };
            let result = ask::<Session>(&mut state, &system(), at(1), &refresh);
            let refreshed = matches!(result.as_deref(), Ok([session::Event::Refreshed { .. }]));
            prop_assert_eq!(refreshed, alive && presented == newest);
            if refreshed { newest = next } else { alive = false }
        }
    }
}
