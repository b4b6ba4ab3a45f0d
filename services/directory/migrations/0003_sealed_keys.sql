-- Private signing keys are kept encrypted where a key to encrypt with is configured (src/store/seal.rs).
alter table signing_key alter column pkcs8_pem drop not null;
-- Nonce and ciphertext of `pkcs8_pem`.
alter table signing_key add column sealed bytea;
alter table signing_key add constraint signing_key_kept_once check (num_nonnulls(pkcs8_pem, sealed) = 1);
