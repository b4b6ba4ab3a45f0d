//! A bucket: any server that speaks S3.

use std::sync::Arc;
use std::time::Duration;

use callboard_service::BoxError;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};
use secrecy::ExposeSecret;

use crate::config::S3Config;

/// Where a process finds the credentials that its surroundings give it, as every tool of AWS does: variables, the role
/// of a service account, of a container. Where nothing of it is set, the role of the machine is asked for.
const SURROUNDINGS: [AmazonS3ConfigKey; 10] = [
    AmazonS3ConfigKey::AccessKeyId,
    AmazonS3ConfigKey::SecretAccessKey,
    AmazonS3ConfigKey::Token,
    AmazonS3ConfigKey::WebIdentityTokenFile,
    AmazonS3ConfigKey::RoleArn,
    AmazonS3ConfigKey::RoleSessionName,
    AmazonS3ConfigKey::StsEndpoint,
    AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
    AmazonS3ConfigKey::ContainerCredentialsFullUri,
    AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
];

/// How long it may take to be connected.
const CONNECT: Duration = Duration::from_secs(5);

/// What breaks is tried again while somebody waits for it, not longer: three times within some seconds.
fn retries(timeout: Duration) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            base: 3.0,
        },
        max_retries: 3,
        // After a request that timed out there is no other: who waits has waited.
        retry_timeout: timeout / 2,
    }
}

/// The address of the bucket's server. Where the bucket is part of the host's name, it is put there.
fn endpoint(config: &S3Config) -> String {
    let address = config.endpoint.trim_end_matches('/');
    match address.split_once("://") {
        Some((scheme, host)) if !config.path_style => format!("{scheme}://{}.{host}", config.bucket),
        _ => address.to_owned(),
    }
}

/// Opens the bucket, without asking its server for anything yet.
///
/// # Errors
/// Settings that are wrong, or a file of certificates that cannot be read.
pub(super) fn open(
    config: &S3Config,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Arc<dyn ObjectStore>, BoxError> {
    // Of the whole request: each carries one part of a file, and none waits for whoever reads or writes the file.
    let mut client = ClientOptions::new()
        .with_allow_http(config.allow_http)
        .with_connect_timeout(CONNECT.min(config.timeout))
        .with_timeout(config.timeout);
    if !config.ca_file.is_empty() {
        let pem = std::fs::read(&config.ca_file)
            .map_err(|error| format!("attachments.s3.ca_file cannot be read: {error}"))?;
        for certificate in Certificate::from_pem_bundle(&pem)? {
            client = client.with_root_certificate(certificate);
        }
    }
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_virtual_hosted_style_request(!config.path_style)
        .with_retry(retries(config.timeout))
        // One at a time, as every server understands.
        .with_disable_bulk_delete(true)
        .with_client_options(client);
    if !config.endpoint.is_empty() {
        builder = builder.with_endpoint(endpoint(config));
    }
    if config.access_key_id.is_empty() {
        for key in SURROUNDINGS {
            let name = key.as_ref().to_ascii_uppercase();
            if let Some(value) = environment(&name).filter(|value| !value.is_empty()) {
                builder = builder.with_config(key, value);
            }
        }
    } else {
        builder = builder
            .with_access_key_id(&config.access_key_id)
            .with_secret_access_key(config.secret_access_key.expose_secret());
    }
    let store = builder.build()?;
    Ok(if config.prefix.is_empty() {
        Arc::new(store)
    } else {
        Arc::new(PrefixStore::new(store, Path::parse(&config.prefix)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_stands_in_the_path_or_in_the_name_of_the_host() {
        let config = |path_style| S3Config {
            bucket: "files".to_owned(),
            endpoint: "https://s3.example:9000/".to_owned(),
            path_style,
            ..S3Config::default()
        };
        assert_eq!(endpoint(&config(true)), "https://s3.example:9000");
        assert_eq!(endpoint(&config(false)), "https://files.s3.example:9000");
    }

    #[test]
    fn credentials_of_the_surroundings_are_taken_where_none_are_configured() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let asked = std::sync::Mutex::new(Vec::new());
        let surroundings = |name: &str| {
            asked.lock().unwrap().push(name.to_owned());
            // A half of the two that belong together: it is seen that it was taken.
            (name == "AWS_SECRET_ACCESS_KEY").then(|| "from outside".to_owned())
        };
        let config = S3Config { bucket: "files".to_owned(), ..S3Config::default() };
        let error = open(&config, &surroundings).unwrap_err().to_string();
        assert!(error.contains("AccessKeyId"), "{error}");
        assert!(asked.lock().unwrap().contains(&"AWS_WEB_IDENTITY_TOKEN_FILE".to_owned()), "{asked:?}");
        assert!(!asked.lock().unwrap().iter().any(|name| name.contains("ENDPOINT_URL_S3")), "{asked:?}");
        asked.lock().unwrap().clear();
        let own =
            S3Config { access_key_id: "id".to_owned(), secret_access_key: "key".to_owned().into(), ..config };
        open(&own, &surroundings).unwrap();
        assert!(asked.lock().unwrap().is_empty(), "{asked:?}");
    }
}
