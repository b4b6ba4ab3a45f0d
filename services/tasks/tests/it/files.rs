//! Files of definitions' steps, and of the tasks made from them (K-1, K-4).

use callboard_kernel::Principal;
use callboard_proto::common::v1 as common;
use callboard_proto::tasks::v1 as tasks;
use callboard_proto::tasks::v1::attachment_service_client::AttachmentServiceClient;
use callboard_stage::{done, fields, id, refused, request_id};
use uuid::Uuid;

use crate::house::{House, Told};

async fn upload(house: &House, who: &Principal, subject: &str) -> Told<common::Attachment> {
    use tasks::upload_attachment_request::Part;
    let about = common::AttachmentUpload {
        request_id: request_id(),
        subject_id: subject.into(),
        name: "plan.txt".into(),
        ..common::AttachmentUpload::default()
    };
    let parts = [Part::Upload(about), Part::Chunk(b"Turn left".to_vec())];
    let parts = parts.map(|part| tasks::UploadAttachmentRequest { part: Some(part) });
    let request = house.signed(who, futures::stream::iter(parts));
    let answer = done(AttachmentServiceClient::new(house.stage.channel()).upload_attachment(request).await)?;
    Ok(answer.attachment.expect("a file"))
}

async fn get(house: &House, who: &Principal, file: &str) -> Told<common::Attachment> {
    let request = house.signed(who, tasks::GetAttachmentRequest { attachment_id: file.into() });
    let answer = done(AttachmentServiceClient::new(house.stage.channel()).get_attachment(request).await)?;
    Ok(answer.attachment.expect("a file"))
}

fn with_files(definition: &tasks::Definition, files: &[&str]) -> tasks::Definition {
    let step = tasks::DefinitionStep {
        text: "Look".into(),
        attachment_ids: files.iter().map(|file| (*file).to_owned()).collect(),
        ..tasks::DefinitionStep::default()
    };
    tasks::Definition { steps: vec![step], etag: String::new(), ..definition.clone() }
}

async fn state(house: &House, file: &str) -> String {
    sqlx::query_scalar("select state from tasks.attachment where id = $1")
        .bind(file.parse::<Uuid>().expect("an id"))
        .fetch_one(house.stage.pool())
        .await
        .expect("a state")
}

async fn make(house: &House, definition: &tasks::Definition, visibility: tasks::Visibility) -> tasks::Task {
    let new = tasks::CreateTaskRequest {
        definition_id: definition.id.clone(),
        visibility: visibility.into(),
        ..house.new_task("")
    };
    house.create(&house.boss(), new).await.expect("made")
}

async fn delete(house: &House, task: &tasks::Task) {
    let request = tasks::DeleteTaskRequest {
        request_id: request_id(),
        task_id: task.id.clone(),
        ..tasks::DeleteTaskRequest::default()
    };
    done(house.client().delete_task(house.signed(&house.boss(), request)).await).expect("deleted");
}

#[tokio::test]
async fn k_4_a_file_stays_as_long_as_its_definition_or_a_task_names_it_and_is_had_by_who_sees_one() {
    let house = House::new().await;
    let (boss, member, visitor) = (house.boss(), house.member(), house.visitor());
    let definition = house.define("Look", &[]).await;
    assert_eq!(refused(upload(&house, &member, &definition.id).await), "PERMISSION_DENIED");
    assert_eq!(refused(upload(&house, &visitor, &definition.id).await), "NOT_FOUND");
    assert_eq!(refused(upload(&house, &boss, &id().to_string()).await), "NOT_FOUND");
    let file = upload(&house, &boss, &definition.id).await.expect("uploaded").id;
    let twice = house.put_definition(with_files(&definition, &[&file, &file])).await;
    assert_eq!(fields(twice), ["definition.steps[0].attachment_ids"]);
    let ghost = house.put_definition(with_files(&definition, &[&file, &id().to_string()])).await;
    assert_eq!(fields(ghost), ["definition.steps[0].attachment_ids[1]"]);
    let kept = house.put_definition(with_files(&definition, &[&file])).await.expect("kept");
    assert_eq!(kept.steps[0].attachments[0].name, "plan.txt");
    let other = house.define("Other", &[]).await;
    let taken = house.put_definition(with_files(&other, &[&file])).await;
    assert_eq!(fields(taken), ["definition.steps[0].attachment_ids[0]"], "it is another's");

    // Employees see definitions; those outside what an external task shows.
    assert_eq!(get(&house, &member, &file).await.expect("seen").name, "plan.txt");
    let inside = make(&house, &definition, tasks::Visibility::Internal).await;
    assert_eq!(refused(get(&house, &visitor, &file).await), "NOT_FOUND");
    let outside = make(&house, &definition, tasks::Visibility::External).await;
    let seen = house.get(&visitor, &outside.id).await.expect("seen");
    assert_eq!(seen.steps[0].attachments[0].id, file);
    get(&house, &visitor, &file).await.expect("seen");
    let newer = upload(&house, &boss, &definition.id).await.expect("uploaded").id;
    house.put_definition(with_files(&definition, &[&file, &newer])).await.expect("kept");
    assert_eq!(refused(get(&house, &visitor, &newer).await), "NOT_FOUND", "no task shows it");
    let stranger = Principal { organisation: id().into(), ..boss.clone() };
    assert_eq!(refused(get(&house, &stranger, &file).await), "NOT_FOUND");

    // The definition lets both go; the tasks keep theirs, whichever is left.
    house.put_definition(with_files(&definition, &[])).await.expect("let go");
    assert_eq!(
        (state(&house, &file).await, state(&house, &newer).await),
        ("LINKED".into(), "PENDING".into())
    );
    delete(&house, &outside).await;
    assert_eq!(state(&house, &file).await, "LINKED");
    assert_eq!(refused(get(&house, &visitor, &file).await), "NOT_FOUND");
    assert_eq!(house.get(&member, &inside.id).await.expect("seen").steps[0].attachments[0].id, file);
    let removing = tasks::DeleteDefinitionRequest {
        request_id: request_id(),
        definition_id: definition.id.clone(),
        ..tasks::DeleteDefinitionRequest::default()
    };
    done(house.client().delete_definition(house.signed(&boss, removing)).await).expect("removed");
    get(&house, &member, &file).await.expect("seen through the task");
    delete(&house, &inside).await;
    assert_eq!(state(&house, &file).await, "PENDING");
    house.stage.stop().await;
}
