//! The files of one context.

use std::collections::HashMap;
use std::sync::Arc;

use callboard_auth::Revocations;
use callboard_kernel::{Clock, ErrorKind, FieldViolation, IdGenerator, Principal, Refusal, Timestamp};
use callboard_proto::common::v1 as common;
use callboard_service::database::Pool;
use callboard_service::request::parse_id;
use callboard_service::{BackgroundTask, BoxError, BuildContext, Built, Stage};
use chrono::TimeDelta;
use futures::future::BoxFuture;
use rand::Rng as _;
use secrecy::ExposeSecret;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::config::AttachmentsConfig;
use crate::link::Signer;
use crate::objects::Objects;
use crate::rows::{File, Owner, Rows, Standing};
use crate::scan::{Clamd, Scanner};

/// What a context knows of the owners of files: who may see them, and who may bring more.
pub trait Owners: Send + Sync + 'static {
    /// Whether the caller may upload for this subject; `None`: for one that is yet to be made.
    ///
    /// # Errors
    /// The context's "no": `NOT_FOUND` where the caller may not see the subject.
    fn may_upload<'a>(
        &'a self,
        principal: &'a Principal,
        subject: Option<Uuid>,
    ) -> BoxFuture<'a, Result<(), Refusal>>;

    /// Whether the caller may see this owner now. The organisation is the caller's.
    ///
    /// # Errors
    /// When it cannot be told.
    fn may_see<'a>(
        &'a self,
        principal: &'a Principal,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<bool, Refusal>>;

    /// Whether the caller may see this one file of an owner now: whoever sees the owner, unless others show its files
    /// too.
    ///
    /// # Errors
    /// When it cannot be told.
    fn may_see_file<'a>(
        &'a self,
        principal: &'a Principal,
        owner: &'a Owner,
        _file: Uuid,
    ) -> BoxFuture<'a, Result<bool, Refusal>> {
        self.may_see(principal, owner)
    }
}

/// The files of one context: takes them, hands them out, looks after them. Cheap to clone.
#[derive(Clone)]
pub struct Attachments {
    pub(crate) config: Arc<AttachmentsConfig>,
    pub(crate) rows: Rows,
    pub(crate) objects: Objects,
    pub(crate) owners: Arc<dyn Owners>,
    pub(crate) scanner: Option<Arc<dyn Scanner>>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGenerator>,
    pub(crate) tracker: TaskTracker,
    pub(crate) woken: Arc<Notify>,
    pub(crate) stop: CancellationToken,
}

impl std::fmt::Debug for Attachments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attachments").field("objects", &self.objects).finish_non_exhaustive()
    }
}

/// What links are signed with, newest first: as configured, else as kept in the schema, where the first process makes
/// one.
async fn signer(config: &AttachmentsConfig, pool: &Pool) -> Result<Signer, BoxError> {
    let configured = config.link_secret.expose_secret();
    if !configured.is_empty() {
        if configured.len() < 32 {
            return Err("attachments.link_secret must have at least 32 characters".into());
        }
        return Ok(Signer::new(vec![configured.as_bytes().to_vec()]));
    }
    let mut made = vec![0_u8; 32];
    rand::rng().fill_bytes(&mut made);
    sqlx::query("insert into attachment_secret (id, secret) values (1, $1) on conflict (id) do nothing")
        .bind(made)
        .execute(pool)
        .await?;
    let secrets = sqlx::query_scalar("select secret from attachment_secret order by id desc");
    Ok(Signer::new(secrets.fetch_all(pool).await?))
}

impl Attachments {
    /// The files of the service that is being built; its migrations were made by
    /// [`with_migrations`](crate::with_migrations).
    ///
    /// # Errors
    /// Settings that are wrong, or a database that does not answer.
    pub async fn open(
        build: &BuildContext,
        config: AttachmentsConfig,
        owners: Arc<dyn Owners>,
    ) -> Result<Self, BoxError> {
        config.check()?;
        let pool = build.pool()?;
        let scanner = (!config.clamd.is_empty())
            .then(|| Arc::new(Clamd { address: config.clamd.clone() }) as Arc<dyn Scanner>);
        Ok(Self {
            signer: Arc::new(signer(&config, &pool).await?),
            objects: Objects::new(&config, build.config.service())?,
            rows: Rows { pool },
            owners,
            scanner,
            revocations: Arc::clone(&build.revocations),
            clock: Arc::clone(&build.clock),
            ids: Arc::clone(&build.ids),
            tracker: build.tracker.clone(),
            woken: Arc::default(),
            stop: build.stop.fetch.clone(),
            config: Arc::new(config),
        })
    }

    /// Another scanner than clamd, or none.
    #[must_use]
    pub fn scanned_by(mut self, scanner: Option<Arc<dyn Scanner>>) -> Self {
        self.scanner = scanner;
        self
    }

    /// Hands the work beside the calls to the chassis: scanning, thumbnails, removing.
    pub fn furnish(&self, built: &mut Built) {
        let (this, stop) = (self.clone(), self.stop.clone());
        built.tasks.push(BackgroundTask::new("attachments", Stage::Fetch, async move {
            this.keep(stop).await;
            Ok(())
        }));
        let (this, stop) = (self.clone(), self.stop.clone());
        built.tasks.push(BackgroundTask::new("attachments-compared", Stage::Fetch, async move {
            this.keep_compared(stop).await;
            Ok(())
        }));
    }

    /// Something was purged or let go: it is removed soon instead of at the next look.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// What is known of files, by id, whoever may see them: for showing an owner that the caller sees. Files that are
    /// gone are missing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, common::Attachment>, Refusal> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let files = self.rows.find(ids).await?;
        let linked = files.iter().filter(|file| file.standing == Standing::Linked);
        Ok(linked.map(|file| (file.id, file.shown())).collect())
    }

    /// Makes sure that the caller may link these files to this owner: pending ones of their own, uploaded for its
    /// aggregate or for nothing yet; or those it has already. To be called before the command; the commit itself
    /// refuses what has changed since.
    ///
    /// # Errors
    /// Names each id that is not to be had: `<field>[2]`.
    pub async fn check(
        &self,
        principal: &Principal,
        owner: &Owner,
        field: &str,
        ids: &[String],
    ) -> Result<Vec<common::Attachment>, Refusal> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut violations = Vec::new();
        let mut wanted = Vec::with_capacity(ids.len());
        for (index, id) in ids.iter().enumerate() {
            match id.parse::<Uuid>() {
                Ok(id) => wanted.push(id),
                Err(_) => violations.push(FieldViolation::new(format!("{field}[{index}]"), "must be a UUID")),
            }
        }
        if !violations.is_empty() {
            return Err(Refusal::fields(violations));
        }
        let files = self.rows.find(&wanted).await?;
        let uploader = principal.actor().to_string();
        let to_be_had = |file: &File| {
            file.organisation == principal.organisation
                && file.scan != "INFECTED"
                && match file.standing {
                    Standing::Pending => {
                        file.uploader == uploader
                            && file.aggregate.is_none_or(|uploaded| uploaded == owner.aggregate)
                    }
                    Standing::Linked => file.owner.as_ref() == Some(owner),
                    Standing::Uploading | Standing::Purged => false,
                }
        };
        let mut found = Vec::with_capacity(wanted.len());
        for (index, id) in wanted.iter().enumerate() {
            match files.iter().find(|file| file.id == *id).filter(|file| to_be_had(file)) {
                Some(file) => found.push(common::Attachment {
                    state: common::AttachmentState::Linked.into(),
                    ..file.shown()
                }),
                None => violations.push(FieldViolation::new(
                    format!("{field}[{index}]"),
                    "an attachment that you uploaded for this, and that is not used elsewhere",
                )),
            }
        }
        if violations.is_empty() { Ok(found) } else { Err(Refusal::fields(violations)) }
    }

    /// What is known of a file that the caller may see.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn get(&self, principal: &Principal, id: &str) -> Result<common::Attachment, Refusal> {
        Ok(self.visible(principal, parse_id("attachment_id", id)?).await?.shown())
    }

    /// A link that downloads a file the caller may see, and when it ends.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn link(&self, principal: &Principal, id: &str) -> Result<(String, Timestamp), Refusal> {
        let file = self.visible(principal, parse_id("attachment_id", id)?).await?;
        let life = TimeDelta::from_std(self.config.link_life).unwrap_or(TimeDelta::minutes(5));
        self.signer.seal(principal, file.id, self.clock.now(), life)
    }

    /// Removes a pending file of the caller's own.
    ///
    /// # Errors
    /// `NOT_FOUND`; `ATTACHMENT_IN_USE` when it is part of something.
    pub async fn delete(&self, principal: &Principal, id: &str) -> Result<(), Refusal> {
        let file = self.visible(principal, parse_id("attachment_id", id)?).await?;
        if file.standing == Standing::Pending && self.rows.drop_pending(file.id, self.clock.now()).await? {
            self.wake();
            return Ok(());
        }
        Err(Refusal::new(
            ErrorKind::FailedPrecondition,
            "ATTACHMENT_IN_USE",
            "the attachment is part of something and goes with that",
        ))
    }
}
