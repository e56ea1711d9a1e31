//! Every adapter, over real connections, through one matrix of tests.

// A test that cannot go on should panic.
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

/// The tests of the matrix, for each server.
macro_rules! matrix {
    ($($server:ident)+) => {
        $(
            #[allow(non_snake_case)]
            mod $server {
                matrix!(@tests $server matrix
                    every_notification_of_the_vectors_is_accepted
                    every_message_to_refuse_is_refused
                    every_detached_vector_is_accepted_or_refused
                    a_body_that_is_too_large_is_not_read
                    other_methods_and_codings_are_refused
                    headers_without_meaning_refuse_nothing
                    a_sign_header_may_be_repeated
                    a_slow_body_is_given_up
                    a_broken_body_is_refused
                    bodies_come_in_chunks
                    bodies_come_over_http_2
                    a_client_may_wait_to_be_asked_for_the_body
                    a_handler_may_ask_for_another_try
                    overload_is_answered_and_does_not_reach_other_sources
                    a_binding_list_lets_nobody_else_in
                );
                matrix!(@tests $server handlers
                    handler_runs_to_its_end_when_the_sender_disconnects
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
