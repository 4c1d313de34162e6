//! The manual page: one, for there is one program. `clap_mangen` would refer
//! to a page for each command, and none of these is there.

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::{
    cli::{
        Cli,
        localized::{HELP, headed, spoken},
    },
    text::Lang,
};

/// How a section of a page is written.
type Render = fn(&Man, &mut dyn io::Write) -> io::Result<()>;

/// The page, for `man`.
///
/// # Errors
/// None but those of writing to memory.
pub fn page(lang: Lang) -> io::Result<String> {
    let mut tree = spoken(Cli::command(), lang);
    tree.build();
    let man = Man::new(tree.clone());
    let mut page = Vec::new();
    let before: [Render; 5] = [
        Man::render_title,
        Man::render_name_section,
        Man::render_synopsis_section,
        Man::render_description_section,
        Man::render_options_section,
    ];
    for render in before {
        render(&man, &mut page)?;
    }
    page.extend_from_slice(b".SH SUBCOMMANDS\n");
    for command in shown(&tree) {
        page.extend_from_slice(of_command("", command)?.as_bytes());
    }
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(headed(&String::from_utf8_lossy(&page), lang))
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    let inner = command.get_subcommands();
    // Clap's own `help` has all of them once more.
    inner.filter(|inner| !inner.is_hide_set() && inner.get_name() != HELP)
}

/// A command, how it is typed, and what it takes; then those below it.
fn of_command(path: &str, command: &Command) -> io::Result<String> {
    let path = format!("{path} {}", command.get_name());
    let own = command.clone().mut_args(|arg| {
        let everywhere = arg.is_global_set() || arg.get_id() == HELP;
        let hidden = arg.is_hide_set() || everywhere;
        arg.hide(hidden)
    });
    let takes = own.get_arguments().any(|arg| !arg.is_hide_set());
    let man = Man::new(own);
    let mut told = format!(".SS rmq\\-lab{}\n", path.replace('-', "\\-"));
    told.push_str(&section(&man, Man::render_synopsis_section)?);
    told.push_str(".PP\n");
    told.push_str(&section(&man, Man::render_description_section)?);
    if takes {
        told.push_str(&section(&man, Man::render_options_section)?);
    }
    for inner in shown(command) {
        told.push_str(&of_command(&path, inner)?);
    }
    Ok(told)
}

/// A section without its heading, and what is ahead of that.
fn section(man: &Man, render: Render) -> io::Result<String> {
    let mut told = Vec::new();
    render(man, &mut told)?;
    let told = String::from_utf8_lossy(&told);
    let body = told.split_once(".SH ").and_then(|(_, it)| it.split_once('\n'));
    Ok(body.map_or_else(String::new, |(_, body)| body.to_owned()))
}
