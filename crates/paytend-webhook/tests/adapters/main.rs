//! A test matrix that runs on every adapter over real connections.

// Tests may panic, so they use `unwrap` and `expect`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod endpoint;
mod handlers;
mod matrix;
mod raw;
mod servers;
mod service;
mod shutdown;
mod support;

/// Generates the matrix tests for each server.
macro_rules! matrix {
    ($($server:ident)+) => {
        $(
            #[allow(non_snake_case)]
            mod $server {
                matrix!(@tests $server matrix
                    every_notification_vector_is_accepted
                    every_invalid_vector_is_rejected
                    every_detached_vector_has_the_expected_result
                    body_above_the_limit_is_not_read
                    unsupported_methods_types_and_codings_are_rejected
                    irrelevant_headers_do_not_cause_rejection
                    repeated_sign_header_is_accepted
                    slow_body_times_out
                    broken_body_is_rejected
                    chunked_bodies_are_accepted
                    http_2_bodies_are_accepted
                    expect_100_continue_is_supported
                    handler_can_ask_for_a_retry
                    overload_does_not_affect_other_sources
                    only_listed_rejects_other_sources
                );
                matrix!(@tests $server handlers
                    handler_runs_to_completion_when_the_sender_disconnects
                    handler_that_panics_is_not_acknowledged
                );
            }
        )+
    };
    (@tests $server:ident $module:ident $($test:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::$module::$test(crate::servers::Server::$server).await;
            }
        )+
    };
}

matrix!(AxumRoute AxumExtractor TowerLayer Hyper ActixResource ActixExtractor PoemEndpoint PoemExtractor);
