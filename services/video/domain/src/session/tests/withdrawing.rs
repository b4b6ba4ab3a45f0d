//! Who takes a request back (V-5).

use callboard_kernel::{CodeUser, CustomerUser, Subject};

use super::*;
use crate::world::person;

#[test]
fn v_5_whoever_scans_again_and_the_company_withdraw_what_was_requested_from_outside() {
    let scans_again = || match guest().subject {
        Subject::CodeUser(user) => person(Subject::CodeUser(CodeUser { session: id(77), ..user })),
        _ => guest(),
    };
    let colleague = || person(Subject::CustomerUser(CustomerUser { id: id(78), customer: id(3) }));
    for (requester, others) in
        [(guest(), vec![scans_again(), customer_user(3), colleague()]), (customer_user(3), vec![colleague()])]
    {
        for who in others {
            let mut state = made(&requester);
            assert!(content(&state).moves(&who, false).withdraw, "{who:?}");
            act(&mut state, &who, Act::Withdraw).expect("withdrawn");
            assert_eq!(status(&state), Status::Cancelled);
        }
    }
    // Neither a passer-by what was requested under a company's login, nor the guests of another device or owner.
    for (requester, who, missing) in
        [(customer_user(3), guest(), false), (guest(), code_user(8), true), (guest(), customer_user(4), true)]
    {
        let mut state = made(&requester);
        assert!(missing || !content(&state).moves(&who, false).withdraw);
        let told = act(&mut state, &who, Act::Withdraw).expect_err("not theirs");
        assert_eq!(told == SessionRejection::Missing, missing, "{told:?}");
        assert!(missing || matches!(told, SessionRejection::Denied(_)), "{told:?}");
    }
}
