//! Orders on their way into a queue that a way has declared as it likes.

use crate::{
    demos::shop::orders::{ORDERS, Ran, publish_these},
    lab::Lab,
    text,
};

/// Publishes every order of the run and waits until each is confirmed.
///
/// # Errors
/// When one could not be confirmed.
pub(super) async fn publish_all(lab: &Lab) -> Ran {
    publish_these(lab, ORDERS, lab.messages()).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{sent} orders; {confirmed} confirmed",
            zh: "{sent} 个订单；{confirmed} 个已确认",
            sent = lab.count(), confirmed = lab.sums().confirmed
        },
    );
    Ok(())
}
