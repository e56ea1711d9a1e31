//! The sources of orders: a file or an outbox.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use paytend_reconcile::{OrderRecord, Orders};

use crate::exit::{Category, Failure};

/// A source of orders.
pub(crate) trait OrderSource {
    /// Reads the orders.
    async fn orders(&self) -> Result<Orders, Failure>;
}

/// A file with one JSON object per line, or `-` for standard input.
pub(crate) struct FileOrders<'a>(&'a Path);

impl<'a> FileOrders<'a> {
    pub(crate) fn new(file: &'a Path) -> Self {
        Self(file)
    }
}

impl OrderSource for FileOrders<'_> {
    async fn orders(&self) -> Result<Orders, Failure> {
        let invalid = |place: &str, why: &dyn std::fmt::Display| {
            Failure::new(Category::Configuration, format!("{}{place}: {why}", self.0.display()))
        };
        let lines: Box<dyn BufRead> = match self.0 == Path::new("-") {
            true => Box::new(std::io::stdin().lock()),
            false => Box::new(BufReader::new(File::open(self.0).map_err(|error| invalid("", &error))?)),
        };
        let mut orders = Orders::new();
        for (index, line) in lines.lines().enumerate() {
            let line = line.map_err(|error| invalid(&format!(", line {}", index + 1), &error))?;
            if line.trim().is_empty() {
                continue;
            }
            let order = OrderRecord::from_json(&line);
            orders.push(order.map_err(|error| invalid(&format!(", line {}", index + 1), &error))?);
        }
        Ok(orders)
    }
}
