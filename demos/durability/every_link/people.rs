//! Who is told, and what they do about it.

use std::collections::BTreeSet;

use super::{
    links::{Chain, Link},
    shop::{Shop, astray},
    site::Site,
};
use crate::{
    demos::shop::orders::Ran,
    lab::Strike,
    ledger::{Fact, MessageId, Witness},
    pattern::alert::{Mailer, Notice},
};

const FROM: &str = "shop@example.com";

/// The alert of one chain: a mail that names what came back, and the queue of
/// dead letters if there are any.
pub async fn tell(site: &Site, chain: Chain, untold: Vec<String>) -> Ran {
    let poison = chain.fated(&site.lab, Strike::Poison);
    let rejected = poison.is_some_and(|id| site.has_struck(Strike::Poison, id));
    if rejected
        && chain.has(Link::AckAfterCommit)
        && chain.has(Link::DeadLetters)
    {
        site.until_there(&chain.dead_letters(), 1).await?;
    }
    if !chain.has(Link::Alert) {
        return Ok(());
    }
    let mut body = untold;
    if site.ready(&chain.dead_letters()).await? > Some(0) {
        body.push(chain.dead_letters());
    }
    if body.is_empty() {
        return Ok(());
    }
    let subject = format!("{}: to be looked at", chain.queue());
    let notice = Notice { subject, body: body.join("\n") };
    let mailer = Mailer::new(site.lab.mail()?.smtp, FROM, &address(site))?;
    Ok(mailer.send(&notice).await?)
}

/// Of this way alone: the mailbox is shared with others.
fn address(site: &Site) -> String {
    format!("on-call@{}.example.com", site.lab.vhost())
}

/// What the mails name.
pub async fn read_mails(site: &Site) -> anyhow::Result<BTreeSet<String>> {
    let (mails, address) = (site.lab.mail()?.received().await?, address(site));
    let mine = mails.iter().filter(|mail| mail.to.contains(&address));
    let words = mine.flat_map(|mail| mail.body.split_whitespace());
    Ok(words.map(str::to_owned).collect())
}

/// Somebody who has read them mends the route of what came back and replays
/// it, and looks through the dead letters.
pub async fn act(
    site: &Site,
    chain: Chain,
    shop: &mut Shop,
    named: &BTreeSet<String>,
) -> Ran {
    let orders = named.iter().filter_map(|word| word.parse().ok());
    let told: BTreeSet<MessageId> = orders.collect();
    let mut mine = chain.of(site.lab.messages());
    if let Some(order) = mine.find(|order| told.contains(order)) {
        site.lab.saw(order, Fact::Reported);
        site.mend(chain, &astray(chain)).await?;
        shop.replay()?;
        shop.publish(site).await?;
    }
    if named.contains(&chain.dead_letters()) {
        for order in site.take_all(&chain.dead_letters()).await? {
            site.lab.saw(order, Fact::Parked);
        }
    }
    Ok(())
}
