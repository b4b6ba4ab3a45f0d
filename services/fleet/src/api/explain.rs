//! "Why not her?" (F-10)

use callboard_fleet_domain::LeftOutReason;
use callboard_fleet_domain::dispatch::Round;
use callboard_kernel::Language;

use crate::store::EmployeeCopy;

/// Why the newest round to a group left the employee out; `None` when it did not, or when somebody asked by hand.
pub fn reason(employee: &EmployeeCopy, was_offered: bool, round: Option<&Round>) -> Option<LeftOutReason> {
    if employee.removed {
        return Some(LeftOutReason::Removed);
    }
    let left_out = round.and_then(|round| round.left_out.iter().find(|left| left.employee == employee.id));
    match left_out {
        Some(left) => Some(left.reason),
        None if was_offered => None,
        None => Some(LeftOutReason::NotInGroup),
    }
}

/// The reason, for a person.
pub const fn text(language: Language, reason: Option<LeftOutReason>) -> &'static str {
    match (language, reason) {
        (Language::En, None) => "Was offered the ticket.",
        (Language::De, None) => "Hat das Ticket angeboten bekommen.",
        (Language::En, Some(LeftOutReason::NotVisible)) => {
            "May not see the ticket: it belongs to other departments."
        }
        (Language::De, Some(LeftOutReason::NotVisible)) => {
            "Darf das Ticket nicht sehen: Es gehört zu anderen Abteilungen."
        }
        (Language::En, Some(LeftOutReason::Involved)) => "Was already involved.",
        (Language::De, Some(LeftOutReason::Involved)) => "War schon beteiligt.",
        (Language::En, Some(LeftOutReason::Filled)) => "The ticket had all the workers it asks for.",
        (Language::De, Some(LeftOutReason::Filled)) => "Das Ticket hatte schon alle, die es braucht.",
        (Language::En, Some(LeftOutReason::Declined)) => "Declined this ticket before.",
        (Language::De, Some(LeftOutReason::Declined)) => "Hat dieses Ticket zuvor abgelehnt.",
        (Language::En, Some(LeftOutReason::Offered)) => "Already had an open offer.",
        (Language::De, Some(LeftOutReason::Offered)) => "Hatte schon ein offenes Angebot.",
        (Language::En, Some(LeftOutReason::NotInGroup)) => "Is not in the group that was asked.",
        (Language::De, Some(LeftOutReason::NotInGroup)) => "Ist nicht in der angefragten Gruppe.",
        (Language::En, Some(LeftOutReason::NoLocalTeam)) => {
            "No local team of the meta team serves the device's customer."
        }
        (Language::De, Some(LeftOutReason::NoLocalTeam)) => {
            "Kein lokales Team des Metateams betreut den Kunden des Geräts."
        }
        (Language::En, Some(LeftOutReason::Removed)) => "Has left the organisation.",
        (Language::De, Some(LeftOutReason::Removed)) => "Hat die Organisation verlassen.",
        (Language::En, Some(LeftOutReason::OtherLocalTeam)) => {
            "Is in a local team that serves other customers."
        }
        (Language::De, Some(LeftOutReason::OtherLocalTeam)) => {
            "Ist in einem lokalen Team, das andere Kunden betreut."
        }
    }
}
