//! The ways to pay that several scenarios share.
//!
//! `pay_once` is the answer of the whole topic. The others are that answer
//! with one of its parts left out, which is what `--without` runs.

use crate::{
    demos::shop::{Handled, Shop},
    lab::Failpoints,
    pattern::consumer::Delivery,
};

/// Key and payment in one transaction; ack after the commit.
pub async fn pay_once(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    shop.books.transaction(payment.id, |entry| {
        if entry.first_time()? {
            entry.pay()?;
        }
        fail.before_commit(payment.id)
    })?;
    fail.after_commit(payment.id)?;
    Ok(payment.ack().await?)
}

/// Without the unique key: every delivery pays.
pub async fn pay_every_delivery(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    shop.books.transaction(payment.id, |entry| {
        entry.pay()?;
        fail.before_commit(payment.id)
    })?;
    fail.after_commit(payment.id)?;
    Ok(payment.ack().await?)
}

/// Without the one transaction: the key is committed first, then the payment.
pub async fn key_then_pay(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    let mut first = false;
    shop.books.transaction(payment.id, |entry| {
        first = entry.first_time()?;
        Ok(())
    })?;
    if first {
        shop.books.transaction(payment.id, |entry| {
            entry.pay()?;
            fail.before_commit(payment.id)
        })?;
    }
    fail.after_commit(payment.id)?;
    Ok(payment.ack().await?)
}

/// Without the one transaction: the payment is committed first, then the key.
pub async fn pay_then_key(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    if !shop.books.is_known(payment.id)? {
        shop.books.transaction(payment.id, |entry| {
            entry.pay()?;
            fail.before_commit(payment.id)
        })?;
        fail.after_commit(payment.id)?;
        shop.books.transaction(payment.id, |entry| {
            entry.first_time()?;
            Ok(())
        })?;
    }
    Ok(payment.ack().await?)
}

/// Without the ack last: the broker forgets the payment before it is made.
pub async fn ack_then_pay(
    payment: &Delivery,
    shop: &mut Shop,
    fail: &Failpoints,
) -> Handled {
    payment.ack().await?;
    shop.books.transaction(payment.id, |entry| {
        if entry.first_time()? {
            entry.pay()?;
        }
        fail.before_commit(payment.id)
    })?;
    fail.after_commit(payment.id)
}
