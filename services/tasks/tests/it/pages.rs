//! Pages of tasks: as much as clients take, however much is to be done.

use callboard_proto::tasks::v1 as tasks;
use callboard_service::page::ANSWER_BYTES;
use callboard_stage::done;
use prost::Message as _;

use crate::house::House;

#[tokio::test]
async fn however_long_its_steps_a_page_is_one_message_that_clients_take() {
    let house = House::new().await;
    let boss = house.boss();
    let steps = vec!["ü".repeat(2_000); 100];
    let mut made = Vec::new();
    for number in 0..12 {
        let task =
            tasks::CreateTaskRequest { steps: steps.clone(), ..house.new_task(&format!("Task {number}")) };
        made.push(house.create(&boss, task).await.expect("made").id);
        house.clock.advance(std::time::Duration::from_secs(1));
    }
    made.reverse();
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let message = tasks::ListTasksRequest { page_token, ..Default::default() };
        let page = done(house.client().list_tasks(house.signed(&boss, message)).await).expect("a page");
        assert!(page.encoded_len() <= ANSWER_BYTES + 1024, "{}", page.encoded_len());
        assert!(page.tasks.len() <= 5, "400 kB each: {}", page.tasks.len());
        listed.extend(page.tasks.into_iter().map(|task| task.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, made);
    house.stage.stop().await;
}
