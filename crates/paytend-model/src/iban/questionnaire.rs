//! The questionnaires that come last before an account is opened.

use super::named_without_response;
use super::opening::SECTION;
use crate::OperationKind::Mutation;
use crate::{NoData, Operation, OperationInfo, UserId};

payload! {
    /// Individual questionnaire. The questions are in the partner's documents: their answers go into `extra`.
    pub struct IndividualQuestionnaire: Inferred {
        required {
            /// The user.
            user_id: UserId => "userId",
        }
        optional {}
    }
}

impl Operation for IndividualQuestionnaire {
    type Response = NoData;

    const INFO: OperationInfo =
        named_without_response(Mutation, "Individual questionnaire", "/iban/user/individualQuestionnaire")
            .documented(SECTION)
            .takes("IndividualQuestionnaire_BizData");
}

payload! {
    /// Corporation questionnaire. The questions are in the partner's documents: their answers go into `extra`.
    pub struct CorporationQuestionnaire: Inferred {
        required {
            /// The user.
            user_id: UserId => "userId",
        }
        optional {}
    }
}

impl Operation for CorporationQuestionnaire {
    type Response = NoData;

    const INFO: OperationInfo =
        named_without_response(Mutation, "Corporation questionnaire", "/iban/user/corporationQuestionnaire")
            .documented(SECTION)
            .takes("CorporationQuestionnaire_BizData");
}
