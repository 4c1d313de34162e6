//! The way that is told: begun, filled line by line, ended or broken off.

use super::Teller;
use crate::{
    event::{WayName, WayResult},
    narrate::{
        Detail,
        curve::curve,
        layout::Ink,
        story::Stories,
        way::{Line, Section},
    },
    text::Text,
};

impl Teller {
    pub(super) fn way_started(
        &mut self,
        way: WayName,
        title: &Text,
    ) -> Vec<String> {
        let mut lines = self.abandon();
        if std::mem::take(&mut self.scene.fresh) && self.detail != Detail::Quiet
        {
            lines.push(String::new());
        }
        self.ways += 1;
        let mut section =
            Section::new(way, title.clone(), self.scene.without.clone());
        if self.foreseen.front().is_some_and(|(next, ..)| *next == way)
            && let Some((_, result, stories)) = self.foreseen.pop_front()
        {
            section.result = Some(result);
            section.stories = stories;
        }
        if self.paced && self.detail != Detail::Quiet {
            section.open = true;
            lines.extend(section.head(&self.page));
        }
        self.section = Some(section);
        lines
    }

    pub(super) fn line(&mut self, line: Line) -> Vec<String> {
        let Some(section) = &mut self.section else { return Vec::new() };
        section.lines.push(line);
        if section.open {
            section.told(&self.page, &mut self.scene.already)
        } else {
            Vec::new()
        }
    }

    pub(super) fn stories(
        &mut self,
        way: WayName,
        see: impl FnOnce(&mut Stories),
    ) -> Vec<String> {
        match self.section.as_mut().filter(|section| section.way == way) {
            // Where the end is foreseen, so are the stories.
            Some(section) if section.result.is_some() => {}
            Some(section) => see(&mut section.stories),
            // Something comes late: the way has ended.
            None => {
                if let Some(stories) = self.scene.stories.get_mut(&way) {
                    see(stories);
                }
            }
        }
        Vec::new()
    }

    pub(super) fn way_ended(
        &mut self,
        way: WayName,
        result: &WayResult,
    ) -> Vec<String> {
        let Some(mut section) = self.section.take() else { return Vec::new() };
        let foreseen = section.result.is_some();
        section.result = Some(result.clone());
        let mut lines = Vec::new();
        if self.detail != Detail::Quiet {
            if !section.open {
                lines.extend(section.head(&self.page));
            }
            lines.extend(section.told(&self.page, &mut self.scene.already));
            lines.extend(section.closing(&self.page));
            lines.extend(curve(&self.page, &section.samples));
            if section.open && !foreseen && result.planned > 0 {
                lines.extend(self.page.hang(
                    "   ",
                    Ink::Plain,
                    &section.hits(&self.page),
                ));
            }
        }
        if self.detail == Detail::Verbose {
            lines.extend(section.anomalies(&self.page));
        }
        self.scene.stories.insert(way, section.stories);
        lines
    }

    /// A way that never ended (an error, a signal): what is known of it.
    pub(super) fn abandon(&mut self) -> Vec<String> {
        self.waits.clear();
        let Some(mut section) = self.section.take() else { return Vec::new() };
        if self.detail == Detail::Quiet {
            return Vec::new();
        }
        let mut lines =
            if section.open { Vec::new() } else { section.head(&self.page) };
        section.break_off();
        lines.extend(section.told(&self.page, &mut self.scene.already));
        lines.extend(section.closing(&self.page));
        lines.extend(curve(&self.page, &section.samples));
        lines
    }
}
