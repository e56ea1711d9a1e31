//! The provider and product of a stored notification.

use std::fmt;
use std::str::FromStr;

use paytend_model::Product;
use paytend_webhook::Provider;

/// The provider of a notification, and the product if the provider has several products. The route determines how the
/// content is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// Paytend's BaaS Core, Funding and Payout: `paytend:baas`.
    PaytendBaas,
    /// Paytend's Issuing Cards: `paytend:issuing`.
    PaytendIssuing,
    /// PayBy: `payby`.
    PayBy,
    /// PayerMax: `payermax`.
    PayerMax,
}

impl Route {
    /// All routes.
    pub const ALL: [Self; 4] = [Self::PaytendBaas, Self::PaytendIssuing, Self::PayBy, Self::PayerMax];

    /// Returns the provider.
    pub fn provider(self) -> Provider {
        match self {
            Self::PaytendBaas | Self::PaytendIssuing => Provider::Paytend,
            Self::PayBy => Provider::PayBy,
            Self::PayerMax => Provider::PayerMax,
        }
    }

    /// Returns the route of a Paytend product, or `None` for a product that this crate does not support.
    pub fn of_product(product: Product) -> Option<Self> {
        match product {
            Product::Baas => Some(Self::PaytendBaas),
            Product::Issuing => Some(Self::PaytendIssuing),
            _ => None,
        }
    }

    /// Returns the product of a Paytend route.
    pub fn product(self) -> Option<Product> {
        match self {
            Self::PaytendBaas => Some(Product::Baas),
            Self::PaytendIssuing => Some(Product::Issuing),
            Self::PayBy | Self::PayerMax => None,
        }
    }

    /// Returns the name of the route, such as `paytend:baas`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaytendBaas => "paytend:baas",
            Self::PaytendIssuing => "paytend:issuing",
            Self::PayBy => "payby",
            Self::PayerMax => "payermax",
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error returned when parsing an invalid [`Route`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid route; the routes are paytend:baas, paytend:issuing, payby and payermax")]
#[non_exhaustive]
pub struct ParseRouteError;

impl FromStr for Route {
    type Err = ParseRouteError;

    fn from_str(text: &str) -> Result<Self, ParseRouteError> {
        Self::ALL.into_iter().find(|route| route.as_str() == text).ok_or(ParseRouteError)
    }
}
