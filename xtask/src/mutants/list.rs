//! The known faults.

pub(super) struct Mutant {
    pub(super) name: &'static str,
    /// The changes. Each consists of a file, a string that occurs once in it, and the replacement.
    pub(super) changes: &'static [(&'static str, &'static str, &'static str)],
    /// The package whose tests must fail.
    pub(super) package: &'static str,
    /// The test binary (`lib` for the tests in the sources) and the filter of the tests that must fail.
    pub(super) tests: (&'static str, &'static str),
}

pub(super) const SQLITE: &str = "paytend-store-sqlite";
const OUTBOX: &str = "paytend-outbox";
const CLIENT: &str = "paytend-client";

const STORE: &str = "crates/paytend-store-sqlite/src/store.rs";
const CLAIM: &str = "crates/paytend-store-sqlite/src/claim.rs";
const FINISH: &str = "crates/paytend-store-sqlite/src/finish.rs";
const ACCEPT: &str = "crates/paytend-store-sqlite/src/accept.rs";
const DUPLICATES: &str = "crates/paytend-store-sqlite/src/duplicates.rs";
const ENGINE: &str = "crates/paytend-store-sqlite/src/engine.rs";
const WRITER: &str = "crates/paytend-store-sqlite/src/writer.rs";
const SCHEMA: &str = "crates/paytend-store-sqlite/src/schema/0001.sql";
const JOB: &str = "crates/paytend-outbox/src/dispatcher/job.rs";
const CONFIRMATIONS: &str = "crates/paytend-outbox/src/dispatcher/confirmations.rs";
const HANDLING: &str = "crates/paytend-outbox/src/dispatcher/handling.rs";
const OUTBOX_ROWS: &str = "crates/paytend-outbox/src/memory/rows.rs";
const SQLITE_OUTBOX_ROWS: &str = "crates/paytend-store-sqlite/src/outbox/rows.rs";
const SQLITE_OUTBOX: &str = "crates/paytend-store-sqlite/src/outbox/mod.rs";
const UPLOAD: &str = "crates/paytend-outbox/src/upload.rs";
const PROGRESS: &str = "crates/paytend-outbox/src/progress.rs";
const CONFORMS: (&str, &str) = ("it", "conforms::sqlite_store_conforms");

pub(super) const MUTANTS: [Mutant; 32] = [
    Mutant {
        name: "notification is acknowledged before the commit",
        changes: &[(
            STORE,
            "        accepted.await.map_err(StoreError::from)\n",
            "        let id = paytend_inbox::Id::new(1);\n        tokio::select! {\n            biased;\n            \
             result = accepted => result.map_err(StoreError::from),\n            \
             () = tokio::task::yield_now() => Ok(Accepted::New(id)),\n        }\n",
        )],
        package: SQLITE,
        tests: ("faults", "kill::"),
    },
    Mutant {
        name: "effect and completion are in different transactions",
        changes: &[(
            STORE,
            "            finish::complete(transaction, clock.now(), &held)\n",
            "            transaction.execute_batch(\"COMMIT; BEGIN; SAVEPOINT paytend_operation\")?;\n            \
             finish::complete(transaction, clock.now(), &held)\n",
        )],
        package: SQLITE,
        tests: ("faults", "kill::"),
    },
    Mutant {
        name: "failed effect is not rolled back",
        changes: &[(WRITER, "if verdict != Verdict::Keep {", "if verdict != verdict {")],
        package: SQLITE,
        tests: CONFORMS,
    },
    Mutant {
        name: "no unique key",
        changes: &[
            (SCHEMA, "dedup BLOB NOT NULL UNIQUE", "dedup BLOB NOT NULL"),
            (
                ACCEPT,
                "FROM paytend_notification WHERE dedup = ?1\"",
                "FROM paytend_notification WHERE dedup <> dedup AND dedup = ?1\"",
            ),
        ],
        package: SQLITE,
        tests: CONFORMS,
    },
    Mutant {
        name: "lease without fence",
        changes: &[(FINISH, "AND fence = ?2 AND holder = ?3", "AND ?2 = ?2 AND holder = ?3")],
        package: SQLITE,
        tests: CONFORMS,
    },
    Mutant {
        name: "lease is accepted from a different holder",
        changes: &[(FINISH, "AND fence = ?2 AND holder = ?3", "AND fence = ?2 AND ?3 = ?3")],
        package: SQLITE,
        tests: CONFORMS,
    },
    Mutant {
        name: "duplicate that may report a change is only counted",
        changes: &[(DUPLICATES, "Some((id, tag, false)) if", "Some((id, tag, _)) if")],
        package: SQLITE,
        tests: ("it", "duplicates::"),
    },
    Mutant {
        name: "SQLite runs with synchronous = OFF",
        changes: &[(ENGINE, "Synchronous::Full => \"2\"", "Synchronous::Full => \"0\"")],
        package: SQLITE,
        tests: ("faults", "power::no_acknowledged_notification_is_lost_in_power_cuts"),
    },
    Mutant {
        name: "number of attempts is used as the fence",
        changes: &[(CLAIM, "fence = fence + 1, tries", "fence = tries + 1, tries")],
        package: SQLITE,
        tests: CONFORMS,
    },
    Mutant {
        name: "fence starts again at 0 after a completion",
        changes: &[(ACCEPT, "Ok(Pending { fence: row.get(0)?,", "Ok(Pending { fence: row.get::<_, i64>(0)? * 0,")],
        package: SQLITE,
        tests: CONFORMS,
    },
    Mutant {
        name: "order key is released twice",
        changes: &[(FINISH, "if head && order_key != Value::Null", "if order_key != Value::Null")],
        package: SQLITE,
        tests: CONFORMS,
    },
    Mutant {
        name: "order is sent before the send is counted",
        changes: &[
            (
                JOB,
                "        fail::fail_point!(\"outbox-before-begin-send\");\n",
                "        let early = job.shared.outbox.client().send_prepared(prepared, job.limit()).await;\n",
            ),
            (
                JOB,
                "let sent = job.shared.outbox.client().send_prepared(prepared, job.limit()).await;",
                "let sent = early;",
            ),
        ],
        package: OUTBOX,
        tests: ("it", "order_of_a_dead_process_is_queried_first"),
    },
    Mutant {
        name: "second send has a new requestId",
        changes: &[(
            JOB,
            "client().send_prepared(prepared, job.limit())",
            "client().send_prepared(&job.shared.outbox.client().prepare(\
             &serde_json::from_str::<O>(prepared.payload()).unwrap()).unwrap(), job.limit())",
        )],
        package: OUTBOX,
        tests: ("it", "lost_order_is_sent_again_with_the_same_bytes"),
    },
    Mutant {
        name: "operation without a query is sent again",
        changes: &[(JOB, "(false, _) => NextStep::Unresolved", "(false, _) => NextStep::Send")],
        package: OUTBOX,
        tests: ("it", "order_without_a_query_is_sent_at_most_once"),
    },
    Mutant {
        name: "order is sent again after a notification has reported it",
        changes: &[(
            JOB,
            "NextStep::Send | NextStep::Rejected if history.sends > 0 && progress.is_notified",
            "NextStep::Send | NextStep::Rejected if history.sends > 9 && progress.is_notified",
        )],
        package: OUTBOX,
        tests: ("it", "order_that_a_notification_reports_is_not_sent_again"),
    },
    Mutant {
        name: "handler runs before the response is stored",
        changes: &[
            (HANDLING, "        if job.ended().is_none()\n", "        if job.ended().is_some()\n"),
            (PROGRESS, "        if self.state != ended.state() && ended != Ended::Decided {\n", "        if false {\n"),
        ],
        package: OUTBOX,
        tests: ("it", "response_is_handled_after_a_crash_without_another_request"),
    },
    Mutant {
        name: "notification about a different operation changes an order's state",
        changes: &[(
            OUTBOX_ROWS,
            "row.filter(|row| row.facts.operation == notice.operation).is_some_and",
            "row.is_some_and",
        )],
        package: OUTBOX,
        tests: ("it", "memory_store_conforms"),
    },
    Mutant {
        name: "order submitted during a recovery is sent without a query",
        changes: &[(
            OUTBOX_ROWS,
            "        if self.recovering_since.is_some() {\n            progress.recover(",
            "        if self.recovering_since.is_some() && now < 0 {\n            progress.recover(",
        )],
        package: OUTBOX,
        tests: ("it", "orders_that_a_restored_handler_submits_again_are_queried_first"),
    },
    Mutant {
        name: "order is sent although the last confirmation is too old",
        changes: &[(CONFIRMATIONS, "Ok(age) if age <= limit => Self::Current,", "Ok(_) => Self::Current,")],
        package: OUTBOX,
        tests: ("it", "confirmations_count_for_a_minute"),
    },
    Mutant {
        name: "confirmations of an order that has waited for a long time do not count",
        changes: &[(CONFIRMATIONS, "Ok(_) if last >= times.since => Self::Waited,\n", "")],
        package: OUTBOX,
        tests: ("it", "many_unknown_orders_are_sent_again"),
    },
    Mutant {
        name: "order that can be sent again waits behind the orders that are queried",
        changes: &[(PROGRESS, "if after.is_zero() && history.confirmations > 0 {", "if false {")],
        package: OUTBOX,
        tests: ("it", "many_unknown_orders_are_sent_again"),
    },
    Mutant {
        name: "connections are kept although a rejected order exists",
        changes: &[(JOB, "if history.last_send == SendResult::Rejected {", "if history.sends > 99 {")],
        package: OUTBOX,
        tests: ("it", "connections_are_discarded_after_a_rejection"),
    },
    Mutant {
        name: "order becomes stuck if its payload key is missing",
        changes: &[(
            JOB,
            "if let Some(key) = job.missing_key() {",
            "if let Some(key) = job.missing_key().filter(|_| false) {",
        )],
        package: OUTBOX,
        tests: ("it", "order_whose_key_is_missing_waits_for_it"),
    },
    Mutant {
        name: "changed file is sent",
        changes: &[(UPLOAD, "if length != self.bytes || sha256(&content) != self.sha256 {", "if length > 1 << 30 {")],
        package: OUTBOX,
        tests: ("it", "missing_or_changed_file_is_stuck_before_anything_is_sent"),
    },
    Mutant {
        name: "expired lease of an order is accepted",
        changes: &[(
            PROGRESS,
            "self.is_leased && (self.fence, self.holder) == (lease.fence, lease.holder)",
            "self.is_leased && self.fence >= lease.fence",
        )],
        package: OUTBOX,
        tests: ("it", "memory_store_conforms"),
    },
    Mutant {
        name: "SQLite store does not check the lease of an order",
        changes: &[(SQLITE_OUTBOX, ".filter(|stored| stored.progress.is_held(lease))", ".filter(|_| lease.fence > 0)")],
        package: SQLITE,
        tests: ("it", "sqlite_outbox_conforms"),
    },
    Mutant {
        name: "claim in SQLite keeps the previous fence",
        changes: &[(SQLITE_OUTBOX_ROWS, "SET fence = ?2, tries = ?3, is_leased", "SET tries = ?3, is_leased")],
        package: SQLITE,
        tests: ("it", "sqlite_outbox_conforms"),
    },
    Mutant {
        name: "decided order is sent",
        changes: &[(PROGRESS, "if is_early || self.decision.is_some() || self.is_notified {", "if is_early {")],
        package: OUTBOX,
        tests: ("it", "memory_store_conforms"),
    },
    Mutant {
        name: "response without the order number resolves an order",
        changes: &[(
            "crates/paytend-client/src/call/subject.rs",
            "None if has_response => Required::Order",
            "None if has_response => Required::None",
        )],
        package: CLIENT,
        tests: ("it", "belonging"),
    },
    Mutant {
        name: "unsigned response code confirms that an order is unknown",
        changes: &[(
            "crates/paytend-client/src/policy/resolution.rs",
            "error.is_authenticated() && error.api_code()",
            "error.api_code()",
        )],
        package: CLIENT,
        tests: ("it", "unsigned_and_unconfigured_codes_are_not_confirmations"),
    },
    Mutant {
        name: "setting the clock forward ends the settle time",
        changes: &[(
            "crates/paytend-client/src/policy/history.rs",
            "since.unwrap_or_default().min(pause)",
            "since.unwrap_or_default().max(pause.min(Duration::ZERO))",
        )],
        package: CLIENT,
        tests: ("lib", "clock_steps_do_not_end_the_settle_time_early"),
    },
    Mutant {
        name: "order and the caller's change are in different transactions",
        changes: &[(
            SQLITE_OUTBOX,
            "        let written = self.run(\"write\", move |transaction| match function(transaction) {\n",
            "        let written = self.run(\"write\", move |transaction| match {\n            \
             let value = function(transaction);\n            \
             transaction.execute_batch(\"COMMIT; BEGIN; SAVEPOINT paytend_operation\")?;\n            \
             value\n        } {\n",
        )],
        package: SQLITE,
        tests: ("it", "sqlite_outbox_conforms"),
    },
];
