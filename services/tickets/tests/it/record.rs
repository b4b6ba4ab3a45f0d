//! T-12: the digital service record as a document.

use callboard_proto::directory::v1::{DeviceChanged, DeviceFacts};
use callboard_proto::tickets::v1 as proto;
use callboard_service::error::Report;
use futures::StreamExt;

use crate::support::{Caller, Tenant, done, fields, refused, run};

async fn export(
    caller: &Caller,
    ticket: &str,
    format: proto::RecordFormat,
    language: &str,
) -> Result<(String, String, Vec<u8>), Report> {
    let message = proto::ExportServiceRecordRequest {
        ticket_id: ticket.to_owned(),
        format: format.into(),
        language: language.to_owned(),
    };
    let mut parts = done(caller.tickets().export_service_record(caller.request(message)).await)?;
    let (mut media_type, mut name, mut bytes) = (String::new(), String::new(), Vec::new());
    while let Some(part) = parts.next().await {
        let part = part.unwrap();
        media_type.push_str(&part.media_type);
        name.push_str(&part.file_name);
        bytes.extend(part.chunk);
    }
    Ok((media_type, name, bytes))
}

#[test]
fn t_12_the_record_is_exported_in_the_readers_language_and_holds_what_is_public() {
    run(|world| async move {
        use proto::{RecordFormat, Visibility};
        let tenant = Tenant::new(world).await;
        let (visitor, moderator) = (tenant.code_user(), tenant.moderator());
        let ticket = visitor.create(tenant.plain("Größeres Leck", true)).await.unwrap();
        for (text, visibility) in
            [("Dichtung geprüft", Visibility::Public), ("Kunde ist schwierig", Visibility::Internal)]
        {
            moderator.post(&ticket.id, text, visibility).await.unwrap();
        }
        let (media_type, name, json) = export(&visitor, &ticket.id, RecordFormat::Json, "de").await.unwrap();
        assert_eq!(
            (media_type.as_str(), name),
            ("application/json", format!("serviceprotokoll-{}.json", ticket.number))
        );
        let record: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(record["title"], "Digitales Serviceprotokoll");
        assert_eq!(record["ticket"]["status"], serde_json::json!({"word": "OPEN", "label": "Offen"}));
        // The machine by what people call it, as the directory says it.
        let nameless = serde_json::json!({"name": null, "serialNumber": null});
        assert_eq!(record["ticket"]["device"], nameless, "nothing was heard of its name");
        let facts = DeviceFacts {
            device_id: tenant.device.to_string(),
            organisation_id: tenant.organisation.to_string(),
            template_id: tenant.template.to_string(),
            customer_id: tenant.customer.to_string(),
            name: "Kaffeemaschine".into(),
            serial_number: "KM-1".into(),
            ..DeviceFacts::default()
        };
        let changed = DeviceChanged { device: Some(facts), previous: None };
        world.publish(tenant.organisation, tenant.device, 2, &changed).await;
        tenant.known("device", tenant.device, 2).await;
        let (_, _, json) = export(&visitor, &ticket.id, RecordFormat::Json, "de").await.unwrap();
        let record: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let named = serde_json::json!({"name": "Kaffeemaschine", "serialNumber": "KM-1"});
        assert_eq!(record["ticket"]["device"], named);
        // Internal ones are no part of it, whoever reads.
        let (_, _, json) = export(&moderator, &ticket.id, RecordFormat::Json, "").await.unwrap();
        let record: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(record["title"], "Digital service record");
        assert_eq!(record["updates"].as_array().unwrap().len(), 1);
        assert_eq!(record["updates"][0]["text"], "Dichtung geprüft");
        assert_eq!(record["updates"][0]["author"]["kind"], "EMPLOYEE");
        let (media_type, name, pdf) = export(&visitor, &ticket.id, RecordFormat::Pdf, "en").await.unwrap();
        assert_eq!(
            (media_type.as_str(), name),
            ("application/pdf", format!("service-record-{}.pdf", ticket.number))
        );
        assert!(pdf.starts_with(b"%PDF-"));
        assert_eq!(fields(export(&visitor, &ticket.id, RecordFormat::Unspecified, "").await), ["format"]);
        assert_eq!(fields(export(&visitor, &ticket.id, RecordFormat::Pdf, "xx").await), ["language"]);
        moderator.set_visibility(&ticket.id, Visibility::Internal).await.unwrap();
        assert_eq!(refused(export(&visitor, &ticket.id, RecordFormat::Pdf, "").await), "NOT_FOUND");
    });
}
