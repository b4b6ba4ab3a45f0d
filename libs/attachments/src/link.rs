//! Links that download without a token.
//!
//! A link carries who asked for it, signed. At each download the context judges that person again, as of then: when a
//! ticket turns internal or an employee is taken off it, links given out before stop with it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_auth::Revocations;
use callboard_kernel::{
    CodeUser, CustomerUser, Employee, ErrorKind, Language, OrganisationId, Principal, Refusal, Role, Subject,
    Timestamp,
};
use chrono::{DateTime, TimeDelta};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

/// Longest link that is looked at.
const MAX_LINK: usize = 16 * 1024;

/// What a link says. Names are short: links stand in addresses.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    /// The attachment.
    a: Uuid,
    /// The organisation.
    o: Uuid,
    /// Who.
    w: Who,
    /// Issued at, and expires at; seconds.
    i: i64,
    e: i64,
}

#[derive(Debug, Serialize, Deserialize)]
enum Who {
    /// Employee, role, departments.
    E(Uuid, Role, Vec<Uuid>),
    /// Session, code, device.
    C(Uuid, Uuid, Uuid),
    /// Customer user, customer.
    K(Uuid, Uuid),
}

/// The secrets that links are signed with: the first signs, all verify.
#[derive(Clone)]
pub(crate) struct Signer {
    secrets: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

/// Every "no" is the same: who tries links learns nothing.
fn refused() -> Refusal {
    Refusal::new(
        ErrorKind::Unauthenticated,
        "LINK_INVALID",
        "the link is not valid (any more): ask for another",
    )
}

impl Signer {
    pub(crate) const fn new(secrets: Vec<Vec<u8>>) -> Self {
        Self { secrets }
    }

    fn mac(secret: &[u8], payload: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        // Another use of the same secret must never make a link.
        mac.update(b"callboard attachment link\0");
        mac.update(payload.as_bytes());
        Some(mac)
    }

    /// A link for this person and attachment, and when it ends.
    ///
    /// # Errors
    /// Callboard itself needs no links.
    pub(crate) fn seal(
        &self,
        principal: &Principal,
        attachment: Uuid,
        now: Timestamp,
        life: TimeDelta,
    ) -> Result<(String, Timestamp), Refusal> {
        let who = match &principal.subject {
            Subject::Employee(employee) => Who::E(
                employee.id.uuid(),
                employee.role,
                employee.departments.iter().map(|department| department.uuid()).collect(),
            ),
            Subject::CodeUser(user) => Who::C(user.session.uuid(), user.code.uuid(), user.device.uuid()),
            Subject::CustomerUser(user) => Who::K(user.id.uuid(), user.customer.uuid()),
            Subject::System => {
                return Err(Refusal::new(ErrorKind::PermissionDenied, "PERMISSION_DENIED", "people only"));
            }
        };
        let expires = now + life;
        let claims = Claims {
            a: attachment,
            o: principal.organisation.uuid(),
            w: who,
            i: now.timestamp(),
            e: expires.timestamp(),
        };
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).unwrap_or_default());
        let mac = self.secrets.first().and_then(|secret| Self::mac(secret, &payload));
        let mac = mac.ok_or_else(|| Refusal::new(ErrorKind::Internal, "INTERNAL", "no secret for links"))?;
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        let expires = DateTime::from_timestamp(claims.e, 0).unwrap_or(expires);
        Ok((format!("{payload}.{signature}"), expires))
    }

    /// Who downloads by a link.
    ///
    /// # Errors
    /// `LINK_INVALID`: forged, of another attachment, expired, or of a session that was ended.
    pub(crate) fn open(
        &self,
        link: &str,
        attachment: Uuid,
        now: Timestamp,
        revocations: &Revocations,
    ) -> Result<Principal, Refusal> {
        let (payload, signature) =
            link.split_once('.').filter(|_| link.len() <= MAX_LINK).ok_or_else(refused)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| refused())?;
        let genuine = self
            .secrets
            .iter()
            .filter_map(|secret| Self::mac(secret, payload))
            .any(|mac| mac.verify_slice(&signature).is_ok());
        if !genuine {
            return Err(refused());
        }
        let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| refused())?;
        let claims: Claims = serde_json::from_slice(&bytes).map_err(|_| refused())?;
        if claims.a != attachment || now.timestamp() >= claims.e {
            return Err(refused());
        }
        let (subject, keys) = match claims.w {
            Who::E(id, role, departments) => {
                let departments = departments.into_iter().map(Into::into).collect();
                (Subject::Employee(Employee { id: id.into(), role, departments }), vec![id])
            }
            Who::C(session, code, device) => (
                Subject::CodeUser(CodeUser {
                    session: session.into(),
                    code: code.into(),
                    device: device.into(),
                }),
                vec![session, code],
            ),
            Who::K(id, customer) => {
                (Subject::CustomerUser(CustomerUser { id: id.into(), customer: customer.into() }), vec![id])
            }
        };
        let issued = DateTime::from_timestamp(claims.i, 0).ok_or_else(refused)?;
        if revocations.is_revoked(&keys, None, issued) {
            return Err(refused());
        }
        Ok(Principal { organisation: OrganisationId(claims.o), subject, language: Language::En })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn visitor() -> Principal {
        let id = Uuid::from_u128;
        Principal {
            organisation: id(1).into(),
            subject: Subject::CodeUser(CodeUser {
                session: id(2).into(),
                code: id(3).into(),
                device: id(4).into(),
            }),
            language: Language::En,
        }
    }

    fn link(signer: &Signer) -> String {
        signer.seal(&visitor(), Uuid::from_u128(9), at(0), TimeDelta::minutes(5)).unwrap().0
    }

    #[test]
    fn a_link_is_good_for_its_attachment_until_it_expires() {
        let (signer, ended) = (Signer::new(vec![vec![7; 32]]), Revocations::new(TimeDelta::hours(1)));
        let (link, file) = (link(&signer), Uuid::from_u128(9));
        assert_eq!(signer.open(&link, file, at(299), &ended).unwrap(), visitor());
        assert_eq!(signer.open(&link, file, at(300), &ended).unwrap_err().reason, "LINK_INVALID");
        assert!(signer.open(&link, Uuid::from_u128(8), at(1), &ended).is_err());
        for wrong in ["", ".", "a.b", &link[1..], &link[..link.len() - 1]] {
            assert!(signer.open(wrong, file, at(1), &ended).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_link_outlives_the_change_of_the_secret_and_no_other() {
        let ended = Revocations::new(TimeDelta::hours(1));
        let link = link(&Signer::new(vec![vec![7; 32]]));
        let open = |secrets| Signer::new(secrets).open(&link, Uuid::from_u128(9), at(1), &ended);
        assert!(open(vec![vec![8; 32], vec![7; 32]]).is_ok());
        assert!(open(vec![vec![8; 32]]).is_err());
    }

    #[test]
    fn d_3_logging_out_the_code_ends_its_links() {
        let (signer, ended) = (Signer::new(vec![vec![7; 32]]), Revocations::new(TimeDelta::hours(1)));
        let link = link(&signer);
        ended.revoke(Uuid::from_u128(3), 1, at(10));
        assert!(signer.open(&link, Uuid::from_u128(9), at(11), &ended).is_err());
    }
}
