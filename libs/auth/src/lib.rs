//! Verification of OpenID Connect tokens by issuer, audience and key set, with rotation and revocation.
