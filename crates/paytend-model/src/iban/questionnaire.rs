//! The questionnaires for individual and corporate users. They are the last step before an account is opened.

use super::named_without_response;
use super::opening::SECTION;
use crate::operation::OperationKind::Mutation;
use crate::operation::{NoData, Operation, OperationInfo};
use crate::value::UserId;

payload! {
    /// Individual questionnaire: submits an individual user's answers to the questionnaire. The questions are in the
    /// partner documentation; put the answers in `extra`.
    #[doc(alias = "individualQuestionnaire")]
    pub struct IndividualQuestionnaire: Inferred {
        required {
            /// The user's identifier.
            user_id: UserId => "userId",
        }
    }
}

impl Operation for IndividualQuestionnaire {
    type Response = NoData;

    const INFO: OperationInfo =
        named_without_response(Mutation, "Individual questionnaire", "/iban/user/individualQuestionnaire")
            .documented(SECTION)
            .request_object("IndividualQuestionnaire_BizData");
}

payload! {
    /// Corporation questionnaire: submits a corporate user's answers to the questionnaire. The questions are in the
    /// partner documentation; put the answers in `extra`.
    #[doc(alias = "corporationQuestionnaire")]
    pub struct CorporationQuestionnaire: Inferred {
        required {
            /// The user's identifier.
            user_id: UserId => "userId",
        }
    }
}

impl Operation for CorporationQuestionnaire {
    type Response = NoData;

    const INFO: OperationInfo =
        named_without_response(Mutation, "Corporation questionnaire", "/iban/user/corporationQuestionnaire")
            .documented(SECTION)
            .request_object("CorporationQuestionnaire_BizData");
}
