//! Cards: applying for them, and their life.

use super::{Address, seen, seen_without_response};
use crate::OperationKind::{Mutation, Query};
use crate::{
    CardId, Code, Count, Currency, HolderId, NoData, Operation, OperationInfo, OrderNo, PayloadRule, Personal,
};

const SECTION: &str = "Paytend BaaS Issuing Cards, Card Interface";

payload! {
    /// Query card design style: the designs (SKUs) that cards can be applied for in. No business data.
    pub struct QuerySkus: Documented {
        required {}
        optional {}
    }
}

impl Operation for QuerySkus {
    type Response = SkuResponse;

    const INFO: OperationInfo = seen(Query, "Query card design style", "/issuing/card/getSKUs")
        .documented(SECTION)
        .payload(PayloadRule::None)
        .gives("SKUResponse");
}

payload! {
    /// The designs. The object's name (`SKUResponse`) is documented.
    pub struct SkuResponse: Inferred {
        required {}
        optional {
            /// The designs.
            skus: Vec<Sku> => "skus",
        }
    }
}

payload! {
    /// A design.
    pub struct Sku: Inferred {
        required {}
        optional {
            /// Its code, as an application names it.
            sku: Code => "sku" = "SKU001",
            /// Code of the scheme.
            card_scheme: Code => "cardScheme" = "3",
            /// Code of the card's type.
            card_type: Code => "cardType" = "2",
        }
    }
}

payload! {
    /// Apply card: orders cards, which Paytend ships.
    ///
    /// Schemes offered are Mastercard, Visa, UnionPay, Discover and American Express (documented); their codes are in
    /// the partner's documents. An application whose answer was lost is looked up with [`QueryApplyResult`] and the
    /// same `orderNo`.
    pub struct ApplyCard: Seen {
        required {
            /// The partner's unique number for this application.
            order_no: OrderNo => "orderNo" = "A20231106000001",
            /// Code of the scheme; "3" has been seen.
            card_scheme: Code => "cardScheme" = "3",
            /// Code of the card's type; "2" has been seen.
            card_type: Code => "cardType" = "2",
            /// Code of the design, from [`QuerySkus`].
            sku: Code => "sku" = "SKU001",
            /// How many cards.
            quantity: Count => "quantity" = "1" [Positive],
            /// Who receives the cards.
            contact_name: Personal => "contactName" = "Ona Kazlauskiene",
            /// Mobile number of who receives them.
            contact_mobile: Personal => "contactMobile" = "37060000000" [Phone],
            /// Where they are sent.
            delivery_address: Address => "deliveryAddress",
        }
        optional {
            /// The cardholder; without one, the cards are bought unactivated.
            holder_id: HolderId => "holderId",
            /// A remark. The published demo sends an empty text for an application without one.
            remarks: Personal => "remarks" = "first card",
        }
    }
}

impl Operation for ApplyCard {
    type Response = NoData;

    const INFO: OperationInfo = seen_without_response(Mutation, "Apply card", "/issuing/card/applyCard")
        .documented(SECTION)
        .takes("CardApply_BizData");
}

payload! {
    /// Query apply result.
    pub struct QueryApplyResult: Seen {
        required {
            /// The partner's number of the application.
            order_no: OrderNo => "orderNo" = "A20231106000001",
        }
        optional {
            /// The cardholder.
            holder_id: HolderId => "holderId",
        }
    }
}

impl Operation for QueryApplyResult {
    type Response = CardApplyResponse;

    const INFO: OperationInfo = seen(Query, "Query apply result", "/issuing/card/getApplyCardResult")
        .documented(SECTION)
        .takes("CardApplyResult_BizData")
        .gives("CardApplyResponse");
}

payload! {
    /// What became of an application; also the content of the apply card result notification (Issuing Cards,
    /// `notifyType` 3). The object's name is documented.
    pub struct CardApplyResponse: Inferred {
        required {}
        optional {
            /// The partner's number of the application.
            order_no: OrderNo => "orderNo" = "A20231106000001",
            /// The cardholder.
            holder_id: HolderId => "holderId",
            /// The card, where one was applied for.
            card_id: CardId => "cardId",
            /// Code of the application's state.
            status: Code => "status",
        }
    }
}

payload! {
    /// Active card: activates a physical card. A virtual card is active once it is shipped (documented, section 4.4).
    pub struct ActiveCard: Seen {
        required {
            /// The card.
            card_id: CardId => "cardId",
            /// Its holder from now on.
            holder_id: HolderId => "holderId",
        }
        optional {}
    }
}

impl Operation for ActiveCard {
    type Response = NoData;

    const INFO: OperationInfo = seen_without_response(Mutation, "Active card", "/issuing/card/activeCard")
        .documented(SECTION)
        .takes("activeCard_bizData");
}

payload! {
    /// Query card information.
    pub struct QueryCardInfo: Seen {
        required {
            /// The card.
            card_id: CardId => "cardId",
        }
        optional {}
    }
}

impl Operation for QueryCardInfo {
    type Response = CardInfoResponse;

    const INFO: OperationInfo = seen(Query, "Query card information", "/issuing/card/getCardInfo")
        .documented(SECTION)
        .takes("CardID_BizData")
        .gives("CardInfoResponse");
}

payload! {
    /// A card. The object's name is documented. If the provider sends the card's number, it is in `extra`.
    pub struct CardInfoResponse: Inferred {
        required {}
        optional {
            /// The card.
            card_id: CardId => "cardId",
            /// Its holder.
            holder_id: HolderId => "holderId",
            /// Code of the scheme.
            card_scheme: Code => "cardScheme" = "3",
            /// Code of the card's type.
            card_type: Code => "cardType" = "2",
            /// Code of the design.
            sku: Code => "sku" = "SKU001",
            /// The card's currency.
            currency: Currency => "currency",
            /// Code of the card's state.
            status: Code => "status",
        }
    }
}

payload! {
    /// Replace card: the old card is frozen, the new one is activated with the old one's holder, and the balance moves
    /// within 24 hours (documented).
    pub struct ReplaceCard: Seen {
        required {
            /// The new card.
            card_id: CardId => "cardId" = "1755903",
            /// The new card's security code.
            cvv: Personal => "cvv" = "123",
            /// The old card.
            old_card_id: CardId => "oldCardId",
        }
        optional {}
    }
}

impl Operation for ReplaceCard {
    type Response = NoData;

    const INFO: OperationInfo = seen_without_response(Mutation, "Replace card", "/issuing/card/replaceCard")
        .documented(SECTION)
        .takes("ReplaceCard_BizData");
}

payload! {
    /// Report loss.
    pub struct ReportLoss: Seen {
        required {
            /// The card.
            card_id: CardId => "cardId",
        }
        optional {}
    }
}

impl Operation for ReportLoss {
    type Response = NoData;

    const INFO: OperationInfo = seen_without_response(Mutation, "Report loss", "/issuing/card/lostCard")
        .documented(SECTION)
        .takes("CardID_BizData");
}

payload! {
    /// Cancel report loss.
    pub struct CancelReportLoss: Seen {
        required {
            /// The card.
            card_id: CardId => "cardId",
        }
        optional {}
    }
}

impl Operation for CancelReportLoss {
    type Response = NoData;

    const INFO: OperationInfo = seen_without_response(Mutation, "Cancel report loss", "/issuing/card/cancelCardLost")
        .documented(SECTION)
        .takes("CardID_BizData");
}

payload! {
    /// Retrieve password. The documentation's answer is an object without fields, so the PIN is not in it; how it
    /// reaches the holder is not documented.
    pub struct RetrievePassword: Seen {
        required {
            /// The card.
            card_id: CardId => "cardId",
        }
        optional {}
    }
}

impl Operation for RetrievePassword {
    type Response = NoData;

    const INFO: OperationInfo = seen_without_response(Mutation, "Retrieve password", "/issuing/card/retrievePassword")
        .documented(SECTION)
        .takes("CardID_BizData");
}
