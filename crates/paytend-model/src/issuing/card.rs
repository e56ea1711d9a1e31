//! Card operations: application, activation, replacement and loss.

use super::{Address, observed, observed_without_response};
use crate::operation::OperationKind::{Mutation, Query};
use crate::operation::{NoData, Operation, OperationInfo, PayloadRule};
use crate::value::{CardId, Code, Count, Currency, HolderId, OrderNo, Personal};

const SECTION: &str = "Paytend BaaS Issuing Cards, Card Interface";

payload! {
    /// Query card design style: returns the card designs (SKUs) that a card application can use. The request has no
    /// business data.
    #[doc(alias = "getSKUs")]
    pub struct QuerySkus: Documented {}
}

impl Operation for QuerySkus {
    type Response = SkuResponse;

    const INFO: OperationInfo = observed(Query, "Query card design style", "/issuing/card/getSKUs")
        .documented(SECTION)
        .payload(PayloadRule::None)
        .response_object("SKUResponse");
}

payload! {
    /// The list of card designs. The object's name (`SKUResponse`) is documented.
    pub struct SkuResponse: Inferred {
        optional {
            /// The card designs.
            skus: Vec<Sku> => "skus",
        }
    }
}

payload! {
    /// A card design.
    pub struct Sku: Inferred {
        optional {
            /// The design code, for use in a card application.
            sku: Code => "sku" = "SKU001",
            /// The card scheme code.
            card_scheme: Code => "cardScheme" = "3",
            /// The card type code.
            card_type: Code => "cardType" = "2",
        }
    }
}

payload! {
    /// Apply card: applies for cards. Paytend ships the cards.
    ///
    /// The schemes are Mastercard, Visa, UnionPay, Discover and American Express (documented). Their codes are in the
    /// partner documentation. If the response to an application is lost, query the result of the application with
    /// [`QueryApplyResult`] and the same `orderNo`.
    #[doc(alias = "applyCard")]
    pub struct ApplyCard: Observed {
        required {
            /// The partner's unique order number for the application.
            order_no: OrderNo => "orderNo" = "A20231106000001",
            /// The card scheme code. The provider's published demo uses "3".
            card_scheme: Code => "cardScheme" = "3",
            /// The card type code. The provider's published demo uses "2".
            card_type: Code => "cardType" = "2",
            /// The card design code, from [`QuerySkus`].
            sku: Code => "sku" = "SKU001",
            /// The number of cards.
            quantity: Count => "quantity" = "1" [Positive],
            /// The recipient's name.
            contact_name: Personal => "contactName" = "Ona Kazlauskiene",
            /// The recipient's mobile number.
            contact_mobile: Personal => "contactMobile" = "37060000000" [Phone],
            /// The delivery address.
            delivery_address: Address => "deliveryAddress",
        }
        optional {
            /// The cardholder's identifier. If absent, the cards are bought without being activated.
            holder_id: HolderId => "holderId",
            /// A remark. The provider's published demo sends an empty string if there is no remark.
            remarks: Personal => "remarks" = "first card",
        }
    }
}

impl Operation for ApplyCard {
    type Response = NoData;

    const INFO: OperationInfo = observed_without_response(Mutation, "Apply card", "/issuing/card/applyCard")
        .documented(SECTION)
        .request_object("CardApply_BizData");
}

payload! {
    /// Query apply result: returns the result of a card application.
    #[doc(alias = "getApplyCardResult")]
    pub struct QueryApplyResult: Observed {
        required {
            /// The partner's order number for the application.
            order_no: OrderNo => "orderNo" = "A20231106000001",
        }
        optional {
            /// The cardholder's identifier.
            holder_id: HolderId => "holderId",
        }
    }
}

impl Operation for QueryApplyResult {
    type Response = CardApplyResponse;

    const INFO: OperationInfo = observed(Query, "Query apply result", "/issuing/card/getApplyCardResult")
        .documented(SECTION)
        .request_object("CardApplyResult_BizData")
        .response_object("CardApplyResponse");
}

payload! {
    /// The result of an application. Also the content of the apply card result notification (Issuing Cards,
    /// `notifyType` 3). The object's name is documented.
    pub struct CardApplyResponse: Inferred {
        optional {
            /// The partner's order number for the application.
            order_no: OrderNo => "orderNo" = "A20231106000001",
            /// The cardholder's identifier.
            holder_id: HolderId => "holderId",
            /// The card's identifier, if the application was for a single card.
            card_id: CardId => "cardId",
            /// The application status code.
            status: Code => "status",
        }
    }
}

payload! {
    /// Active card: activates a physical card. A virtual card is active as soon as it is shipped (documented, section
    /// 4.4).
    #[doc(alias = "activeCard")]
    pub struct ActiveCard: Observed {
        required {
            /// The card's identifier.
            card_id: CardId => "cardId",
            /// The new cardholder's identifier.
            holder_id: HolderId => "holderId",
        }
    }
}

impl Operation for ActiveCard {
    type Response = NoData;

    const INFO: OperationInfo = observed_without_response(Mutation, "Active card", "/issuing/card/activeCard")
        .documented(SECTION)
        .request_object("activeCard_bizData");
}

payload! {
    /// Query card information: returns a card's data.
    #[doc(alias = "getCardInfo")]
    pub struct QueryCardInfo: Observed {
        required {
            /// The card's identifier.
            card_id: CardId => "cardId",
        }
    }
}

impl Operation for QueryCardInfo {
    type Response = CardInfoResponse;

    const INFO: OperationInfo = observed(Query, "Query card information", "/issuing/card/getCardInfo")
        .documented(SECTION)
        .request_object("CardID_BizData")
        .response_object("CardInfoResponse");
}

payload! {
    /// A card's data. The object's name is documented. If the provider sends the card number, it is in `extra`.
    pub struct CardInfoResponse: Inferred {
        optional {
            /// The card's identifier.
            card_id: CardId => "cardId",
            /// The cardholder's identifier.
            holder_id: HolderId => "holderId",
            /// The card scheme code.
            card_scheme: Code => "cardScheme" = "3",
            /// The card type code.
            card_type: Code => "cardType" = "2",
            /// The card design code.
            sku: Code => "sku" = "SKU001",
            /// The card's currency.
            currency: Currency => "currency",
            /// The card status code.
            status: Code => "status",
        }
    }
}

payload! {
    /// Replace card: replaces a card with a new card. The old card is frozen, the new card is activated for the same
    /// cardholder, and the balance is moved within 24 hours (documented).
    #[doc(alias = "replaceCard")]
    pub struct ReplaceCard: Observed {
        required {
            /// The new card's identifier.
            card_id: CardId => "cardId" = "1755903",
            /// The new card's security code.
            cvv: Personal => "cvv" = "123",
            /// The old card's identifier.
            old_card_id: CardId => "oldCardId",
        }
    }
}

impl Operation for ReplaceCard {
    type Response = NoData;

    const INFO: OperationInfo = observed_without_response(Mutation, "Replace card", "/issuing/card/replaceCard")
        .documented(SECTION)
        .request_object("ReplaceCard_BizData");
}

payload! {
    /// Report loss: reports a card as lost.
    #[doc(alias = "lostCard")]
    pub struct ReportLoss: Observed {
        required {
            /// The card's identifier.
            card_id: CardId => "cardId",
        }
    }
}

impl Operation for ReportLoss {
    type Response = NoData;

    const INFO: OperationInfo = observed_without_response(Mutation, "Report loss", "/issuing/card/lostCard")
        .documented(SECTION)
        .request_object("CardID_BizData");
}

payload! {
    /// Cancel report loss: cancels the loss report for a card.
    #[doc(alias = "cancelCardLost")]
    pub struct CancelReportLoss: Observed {
        required {
            /// The card's identifier.
            card_id: CardId => "cardId",
        }
    }
}

impl Operation for CancelReportLoss {
    type Response = NoData;

    const INFO: OperationInfo =
        observed_without_response(Mutation, "Cancel report loss", "/issuing/card/cancelCardLost")
            .documented(SECTION)
            .request_object("CardID_BizData");
}

payload! {
    /// Retrieve password: requests a card's PIN. The documented response is an object without fields, so it does
    /// not contain the PIN. How the PIN reaches the cardholder is not documented.
    #[doc(alias = "retrievePassword")]
    pub struct RetrievePassword: Observed {
        required {
            /// The card's identifier.
            card_id: CardId => "cardId",
        }
    }
}

impl Operation for RetrievePassword {
    type Response = NoData;

    const INFO: OperationInfo =
        observed_without_response(Mutation, "Retrieve password", "/issuing/card/retrievePassword")
            .documented(SECTION)
            .request_object("CardID_BizData");
}
