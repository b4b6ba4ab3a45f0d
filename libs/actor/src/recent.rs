//! The last receipts of one aggregate, so that hot repeats cost no query.

use std::collections::{HashMap, VecDeque};

use callboard_kernel::CommandId;

use crate::Receipt;

/// How many are kept per aggregate.
const KEPT: usize = 32;

/// Receipts by command, the oldest makes room.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    by_command: HashMap<CommandId, Receipt>,
    order: VecDeque<CommandId>,
}

impl Recent {
    pub(crate) fn get(&self, id: CommandId) -> Option<&Receipt> {
        self.by_command.get(&id)
    }

    pub(crate) fn put(&mut self, receipt: Receipt) {
        let id = receipt.command_id;
        if self.by_command.insert(id, receipt).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.by_command.remove(&oldest);
            }
        }
    }
}
