//! Files of definitions' steps: who may bring them, and who may see them (K-1).
//!
//! A file is its definition's for good. Tasks made from the definition name it too, and a changed definition leaves them
//! alone (K-4); so it stays for as long as either names it, and is seen by whoever sees either.

use callboard_attachments::{Owner, Owners};
use callboard_kernel::{Principal, Refusal};
use callboard_proto::common::v1::Attachment;
use callboard_proto::tasks::v1 as proto;
use callboard_service::database::refusal;
use callboard_tasks_domain::DefinitionId;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::definitions::moderators;
use super::{Reads, TaskApi};

callboard_attachments::serve!(callboard_proto::tasks::v1, "tasks");

/// The kind of owner that a definition is. Stored: never changes.
const DEFINITION: &str = "definition";

/// A definition as owner of files.
pub fn of_definition(definition: DefinitionId) -> Owner {
    Owner { kind: DEFINITION.to_owned(), id: definition.uuid(), aggregate: definition.uuid() }
}

/// Judges by definitions and tasks as they are now.
#[derive(Debug, Clone)]
pub struct TaskOwners {
    /// What is stored.
    pub reads: Reads,
}

impl Owners for TaskOwners {
    /// Whoever writes definitions.
    fn may_upload<'a>(
        &'a self,
        principal: &'a Principal,
        subject: Option<Uuid>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            if let Some(id) = subject {
                let found = self.reads.queries.definition(principal.organisation, id.into());
                // Definitions are for employees: nobody else is told which there are.
                if principal.is_outsider() || found.await.map_err(refusal)?.is_none() {
                    return Err(Refusal::missing("definition", id));
                }
            }
            moderators(principal)
        })
    }

    /// Employees see all definitions.
    fn may_see<'a>(
        &'a self,
        principal: &'a Principal,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async move {
            if principal.is_outsider() || owner.kind != DEFINITION {
                return Ok(false);
            }
            let definition = self.reads.queries.definition(principal.organisation, owner.id.into());
            Ok(definition.await.map_err(refusal)?.is_some())
        })
    }

    /// Or whoever sees a task that names it.
    fn may_see_file<'a>(
        &'a self,
        principal: &'a Principal,
        owner: &'a Owner,
        file: Uuid,
    ) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async move {
            if self.may_see(principal, owner).await? {
                return Ok(true);
            }
            let viewer = self.reads.viewer(principal).await?;
            self.reads.queries.names_file(&viewer, owner.id.into(), file).await.map_err(refusal)
        })
    }
}

/// Something that shows files.
pub(super) trait ShowsFiles {
    /// Their ids, and where they go.
    fn files(&mut self) -> (&[String], &mut Vec<Attachment>);
}

impl ShowsFiles for proto::DefinitionStep {
    fn files(&mut self) -> (&[String], &mut Vec<Attachment>) {
        (&self.attachment_ids, &mut self.attachments)
    }
}

impl ShowsFiles for proto::TaskStep {
    fn files(&mut self) -> (&[String], &mut Vec<Attachment>) {
        (&self.attachment_ids, &mut self.attachments)
    }
}

impl TaskApi {
    /// Adds to steps what is known of their files.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn show_files<'a, S: ShowsFiles + 'a>(
        &self,
        steps: impl Iterator<Item = &'a mut S>,
    ) -> Result<(), Refusal> {
        let mut steps: Vec<&mut S> = steps.collect();
        let ids = steps.iter_mut().flat_map(|step| step.files().0.to_vec());
        let ids: Vec<Uuid> = ids.filter_map(|id| id.parse().ok()).collect();
        let known = self.attachments.find(&ids).await?;
        for step in steps {
            let (ids, shown) = step.files();
            *shown = ids.iter().filter_map(|id| known.get(&id.parse().ok()?).cloned()).collect();
        }
        Ok(())
    }
}
