//! Names of fields: snake_case in the protos, lowerCamelCase in JSON.

pub use callboard_service::facts::lower_camel;

/// `createTime` to `create_time`.
pub fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            out.push('_');
            out.push(character.to_ascii_lowercase());
        } else {
            out.push(character);
        }
    }
    out
}

/// Resources that gRPC wraps into a field of the request and REST sends as the body itself.
const WRAPPERS: [&str; 23] = [
    "ticket",
    "answer",
    "update",
    "flow",
    "group",
    "switches",
    "organisation",
    "employee",
    "department",
    "team",
    "meta_team",
    "customer",
    "customer_user",
    "device",
    "template",
    "code",
    "definition",
    "device_event",
    "filter",
    "preferences",
    "push_subscription",
    "webhook",
    "session_flow",
];

/// A field's path as a REST caller wrote it: `ticket.device_id` to `deviceId`, `answers[2].text` stays.
pub fn lower_camel_path(path: &str) -> String {
    let inner = match path.split_once('.') {
        Some((first, rest)) if WRAPPERS.contains(&first) => rest,
        _ => path,
    };
    inner.split('.').map(lower_camel).collect::<Vec<_>>().join(".")
}

/// A field's path as the parameter of a query that a REST caller wrote: lists are repeated there, so
/// `filter.device_ids[0]` is `deviceId[0]`.
pub fn query_path(path: &str) -> String {
    let path = lower_camel_path(path);
    let (name, place) = path.split_at(path.find(['[', '.']).unwrap_or(path.len()));
    let name = match name {
        "order" => "orderBy",
        "created" => "createdFrom",
        "updated" => "updatedFrom",
        "due" => "dueFrom",
        name => return singular(name) + place,
    };
    name.to_owned() + place
}

/// `deviceIds` to `deviceId`, `priorities` to `priority`, `statuses` to `status`.
fn singular(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("ies") {
        return format!("{stem}y");
    }
    let stem = name.strip_suffix("es").filter(|stem| stem.ends_with("us")).or_else(|| name.strip_suffix('s'));
    stem.filter(|_| !name.ends_with("ss") && !name.ends_with("tus")).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for (proto, json) in
            [("create_time", "createTime"), ("id", "id"), ("serving_team_ids", "servingTeamIds")]
        {
            assert_eq!(lower_camel(proto), json);
            assert_eq!(snake(json), proto);
        }
        assert_eq!(lower_camel_path("employee.department_ids[1]"), "departmentIds[1]");
        assert_eq!(lower_camel_path("device_event.start"), "start");
        assert_eq!(lower_camel_path("answers[2].text"), "answers[2].text");
    }

    #[test]
    fn lists_are_repeated_parameters_in_a_query() {
        for (proto, json) in [
            ("filter.device_ids[0]", "deviceId[0]"),
            ("filter.statuses[1]", "status[1]"),
            ("filter.priorities", "priority"),
            ("filter.ratings", "rating"),
            ("department_ids[3]", "departmentId[3]"),
            ("page_size", "pageSize"),
            ("status", "status"),
            ("order", "orderBy"),
            ("filter.created", "createdFrom"),
        ] {
            assert_eq!(query_path(proto), json);
        }
    }
}
